#include "net/probe_io/capture_filter.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace ecmp::net {
namespace {

// The 16-bit field an expression reads, for every place a port can stand in.
// Not by "src port": that has libpcap look for SCTP and into IPv6 fragments, for each port anew.
constexpr const char* kV4 = "ip[((ip[0] & 0xf) << 2) + {}:2]";  // behind the IPv4 header
// Behind the IPv4 header of a quote, which begins 8 bytes into the ICMP message.
constexpr const char* kV4Quote = "icmp[8 + ((icmp[8] & 0xf) << 2) + {}:2]";

std::string field(const char* pattern, unsigned offset) {
  return fmt::format(fmt::runtime(pattern), offset);
}

std::string v6_field(unsigned offset) {
  return fmt::format("ip6[{}:2]", 40 + offset);
}

std::string v6_quote_field(unsigned offset) {
  return fmt::format("ip6[{}:2]", 40 + 8 + 40 + offset);
}

std::string in_ranges(const std::string& value, const std::vector<PortRange>& ranges) {
  std::string text;
  for (const PortRange& range : ranges) {
    if (!text.empty()) text += " or ";
    if (range.first == range.last) {
      text += fmt::format("{} = {}", value, range.first);
    } else {
      text += fmt::format("({0} >= {1} and {0} <= {2})", value, range.first, range.last);
    }
  }
  return "(" + text + ")";
}

/// Joins what is not empty, in parentheses.
std::string any_of(const std::vector<std::string>& terms) {
  std::string text;
  for (const std::string& term : terms) {
    if (term.empty()) continue;
    if (!text.empty()) text += " or ";
    text += term;
  }
  return text.empty() ? text : "(" + text + ")";
}

/// "guard and (inside)"; nothing if there is nothing inside.
std::string when(const std::string& guard, const std::string& inside) {
  return inside.empty() ? inside : "(" + guard + " and " + inside + ")";
}

}  // namespace

namespace {

/// What stands where in a datagram of one family.
struct Transport {
  std::string source, destination;  ///< ports
  std::string flags;                ///< of TCP
  std::string no_payload;           ///< of TCP: true where nothing follows its header
};

Transport transport_of(Family family) {
  if (family == Family::ipv4) {
    return {field(kV4, 0), field(kV4, 2), "ip[((ip[0] & 0xf) << 2) + 13]",
            "ip[2:2] - ((ip[0] & 0xf) << 2) = (ip[((ip[0] & 0xf) << 2) + 12] & 0xf0) >> 2"};
  }
  return {v6_field(0), v6_field(2), "ip6[53]", "ip6[4:2] = (ip6[52] & 0xf0) >> 2"};
}

/// Our probes and what answers them. Of TCP a probe is a SYN, and so is nothing else that leaves here for a while; what
/// answers is SYN and ACK, RST, or an ACK without data, which a host sends for a connection that it has already
/// (RFC 5961 section 4). So what connections of the host carry does not pass.
std::string between(const std::string& guard, Family family, Protocol protocol, const WantedPorts& ports) {
  const auto& own = ports.own[static_cast<std::size_t>(protocol)];
  const auto& remote = ports.remote[static_cast<std::size_t>(protocol)];
  if (own.empty() || remote.empty()) return "";
  const Transport at = transport_of(family);
  std::string from_us = in_ranges(at.source, own) + " and " + in_ranges(at.destination, remote);
  std::string to_us = in_ranges(at.destination, own) + " and " + in_ranges(at.source, remote);
  if (protocol == Protocol::tcp) {
    from_us = fmt::format("({0} & 0x12 = 2 or {0} & 4 != 0) and {1}", at.flags, from_us);
    to_us = fmt::format("({0} & 6 != 0 or ({0} & 0x17 = 0x10 and {1})) and {2}", at.flags, at.no_payload, to_us);
  }
  return when(guard, any_of({"(" + from_us + ")", "(" + to_us + ")"}));
}

}  // namespace

std::string build_filter(const WantedPorts& ports) {
  const auto& udp = ports.own[static_cast<std::size_t>(Protocol::udp)];
  const auto& tcp = ports.own[static_cast<std::size_t>(Protocol::tcp)];
  const auto& icmp = ports.own[static_cast<std::size_t>(Protocol::icmp)];

  const auto one = [](const std::string& guard, const std::string& value, const std::vector<PortRange>& wanted) {
    return wanted.empty() ? std::string() : when(guard, in_ranges(value, wanted));
  };

  // A fragment that is not the first has no ports. ("icmp[...]" excludes them by itself.)
  const std::string v4_transport =
      when("ip[6:2] & 0x1fff = 0", any_of({between("ip[9] = 17", Family::ipv4, Protocol::udp, ports),
                                           between("ip[9] = 6", Family::ipv4, Protocol::tcp, ports)}));
  const std::string v4_echo = when("icmp", one("(icmp[0] = 0 or icmp[0] = 8)", "icmp[4:2]", icmp));
  // Destination unreachable, time exceeded, parameter problem; the quoted protocol stands at 9 of its IP header.
  const std::string v4_error =
      when("icmp and (icmp[0] = 3 or icmp[0] = 11 or icmp[0] = 12)",
           any_of({one("icmp[17] = 17", field(kV4Quote, 0), udp), one("icmp[17] = 6", field(kV4Quote, 0), tcp),
                   one("icmp[17] = 1", field(kV4Quote, 4), icmp)}));

  // Offsets from the IPv6 header: next header at 6; behind it, at 40, the transport. A quote begins at 48.
  const std::string v6 = any_of({
      between("ip6[6] = 17", Family::ipv6, Protocol::udp, ports),
      between("ip6[6] = 6", Family::ipv6, Protocol::tcp, ports),
      when("ip6[6] = 58", one("(ip6[40] = 128 or ip6[40] = 129)", v6_field(4), icmp)),
      when("ip6[6] = 58 and ip6[40] >= 1 and ip6[40] <= 4",
           any_of({one("ip6[54] = 17", v6_quote_field(0), udp), one("ip6[54] = 6", v6_quote_field(0), tcp),
                   one("ip6[54] = 58", v6_quote_field(4), icmp)})),
  });
  if (v4_transport.empty() && v4_echo.empty()) return "";
  // Extension headers, of the datagram or of its quote: let pass, but for fragments that are not the first, and for
  // multicast (byte 24 begins the destination), since every host sends listener reports with a hop-by-hop header.
  const std::string extended =
      "(ip6[24] != 0xff and (ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 60 or (ip6[6] = 44 and ip6[42:2] & 0xfff8 = 0) or "
      "(ip6[6] = 58 and ip6[40] >= 1 and ip6[40] <= 4 and "
      "(ip6[54] = 0 or ip6[54] = 43 or ip6[54] = 44 or ip6[54] = 60))))";

  return any_of({when("ip", any_of({v4_transport, v4_echo, v4_error})), when("ip6", any_of({v6, extended}))});
}

std::vector<PortRange> coarsen(std::vector<PortRange> ranges, std::size_t maximum) {
  if (ranges.size() <= std::max<std::size_t>(maximum, 1)) return ranges;
  // The widest maximum - 1 gaps stay open; gap i is the one before range i.
  std::vector<std::size_t> gaps;
  for (std::size_t i = 1; i < ranges.size(); ++i)
    gaps.push_back(i);
  const auto width = [&](std::size_t i) { return ranges[i].first - ranges[i - 1].last; };
  std::ranges::stable_sort(gaps, [&](std::size_t a, std::size_t b) { return width(a) > width(b); });
  gaps.resize(std::max<std::size_t>(maximum, 1) - 1);
  std::ranges::sort(gaps);
  std::vector<PortRange> merged;
  std::size_t begin = 0;
  for (const std::size_t gap : gaps) {
    merged.push_back({ranges[begin].first, ranges[gap - 1].last});
    begin = gap;
  }
  merged.push_back({ranges[begin].first, ranges.back().last});
  return merged;
}

namespace {

/// Ports beyond a few are taken by the thousand, so that the filter stays the same when one comes or goes.
constexpr std::uint32_t kCoarse = 1024;

template <typename Key>
void take_one(std::map<Key, std::uint32_t>& counts, const Key& key) {
  const auto found = counts.find(key);
  if (found != counts.end() && --found->second == 0) counts.erase(found);
}

/// Sorted ranges of which some touch or overlap.
std::vector<PortRange> joined(std::vector<PortRange> ranges) {
  std::ranges::sort(ranges, {}, &PortRange::first);
  std::vector<PortRange> runs;
  for (const PortRange& range : ranges) {
    if (!runs.empty() && std::uint32_t{runs.back().last} + 1 >= range.first) {
      runs.back().last = std::max(runs.back().last, range.last);
    } else {
      runs.push_back(range);
    }
  }
  return runs;
}

std::vector<PortRange> few(std::vector<PortRange> ranges) {
  ranges = joined(std::move(ranges));
  if (ranges.size() <= kMaximumRanges) return ranges;
  for (PortRange& range : ranges) {
    range.first = static_cast<std::uint16_t>(range.first / kCoarse * kCoarse);
    range.last = static_cast<std::uint16_t>(range.last / kCoarse * kCoarse + (kCoarse - 1));
  }
  return coarsen(joined(std::move(ranges)), kMaximumRanges);
}

}  // namespace

void PortCensus::add(Protocol protocol, std::uint16_t source_port, std::uint16_t destination_port) {
  ++of(protocol).own[source_port];
  if (protocol != Protocol::icmp) ++of(protocol).remote[destination_port];
}

void PortCensus::remove(Protocol protocol, std::uint16_t source_port, std::uint16_t destination_port) {
  take_one(of(protocol).own, source_port);
  if (protocol != Protocol::icmp) take_one(of(protocol).remote, destination_port);
}

void PortCensus::add_block(Protocol protocol, const PortBlock& source_ports, std::uint16_t destination_port) {
  ++of(protocol).blocks[{source_ports.first, source_ports.last}];
  if (protocol != Protocol::icmp) ++of(protocol).remote[destination_port];
}

void PortCensus::remove_block(Protocol protocol, const PortBlock& source_ports, std::uint16_t destination_port) {
  take_one(of(protocol).blocks, std::pair(source_ports.first, source_ports.last));
  if (protocol != Protocol::icmp) take_one(of(protocol).remote, destination_port);
}

bool PortCensus::contains(Protocol protocol, std::uint16_t source_port) const {
  const OfProtocol& ports = ports_[static_cast<std::size_t>(protocol)];
  return ports.own.contains(source_port) || std::ranges::any_of(ports.blocks, [&](const auto& each) {
           return each.first.first <= source_port && source_port <= each.first.second;
         });
}

WantedPorts PortCensus::wanted() const {
  WantedPorts result;
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    std::vector<PortRange> own, remote;
    for (const auto& [block, count] : ports_[i].blocks)
      own.push_back({block.first, block.second});
    for (const auto& [port, count] : ports_[i].own)
      own.push_back({port, port});
    for (const auto& [port, count] : ports_[i].remote)
      remote.push_back({port, port});
    result.own[i] = few(std::move(own));
    result.remote[i] = few(std::move(remote));
  }
  return result;
}

}  // namespace ecmp::net
