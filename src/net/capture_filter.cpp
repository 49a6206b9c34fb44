#include "net/capture_filter.hpp"

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

std::string build_filter(const PortRanges& ranges) {
  const auto& udp = ranges[static_cast<std::size_t>(Protocol::udp)];
  const auto& tcp = ranges[static_cast<std::size_t>(Protocol::tcp)];
  const auto& icmp = ranges[static_cast<std::size_t>(Protocol::icmp)];

  const auto ports = [](const std::string& guard, const std::string& source, const std::string& destination,
                        const std::vector<PortRange>& wanted) {
    if (wanted.empty()) return std::string();
    return when(guard, any_of({in_ranges(source, wanted), in_ranges(destination, wanted)}));
  };
  const auto one = [](const std::string& guard, const std::string& value, const std::vector<PortRange>& wanted) {
    return wanted.empty() ? std::string() : when(guard, in_ranges(value, wanted));
  };

  // A fragment that is not the first has no ports. ("icmp[...]" excludes them by itself.)
  const std::string v4_transport =
      when("ip[6:2] & 0x1fff = 0", any_of({ports("ip[9] = 17", field(kV4, 0), field(kV4, 2), udp),
                                           ports("ip[9] = 6", field(kV4, 0), field(kV4, 2), tcp)}));
  const std::string v4_echo = when("icmp", one("(icmp[0] = 0 or icmp[0] = 8)", "icmp[4:2]", icmp));
  // Destination unreachable, time exceeded, parameter problem; the quoted protocol stands at 9 of its IP header.
  const std::string v4_error =
      when("icmp and (icmp[0] = 3 or icmp[0] = 11 or icmp[0] = 12)",
           any_of({one("icmp[17] = 17", field(kV4Quote, 0), udp), one("icmp[17] = 6", field(kV4Quote, 0), tcp),
                   one("icmp[17] = 1", field(kV4Quote, 4), icmp)}));

  // Offsets from the IPv6 header: next header at 6; behind it, at 40, the transport. A quote begins at 48.
  const std::string v6 = any_of({
      ports("ip6[6] = 17", v6_field(0), v6_field(2), udp),
      ports("ip6[6] = 6", v6_field(0), v6_field(2), tcp),
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

void PortCensus::remove(Protocol protocol, std::uint16_t port) {
  auto& ports = of(protocol);
  const auto found = ports.find(port);
  if (found != ports.end() && --found->second == 0) ports.erase(found);
}

PortRanges PortCensus::ranges() const {
  PortRanges result;
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    std::vector<PortRange> runs;
    for (const auto& [port, count] : ports_[i]) {
      if (!runs.empty() && runs.back().last + 1 == port) {
        runs.back().last = port;
      } else {
        runs.push_back({port, port});
      }
    }
    result[i] = coarsen(std::move(runs), kMaximumRanges);
  }
  return result;
}

}  // namespace ecmp::net
