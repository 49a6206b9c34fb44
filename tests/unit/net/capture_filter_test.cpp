#include "net/probe_io/capture_filter.hpp"

#include <linux/if_ether.h>
#include <memory>
#include <pcap/pcap.h>
#include <pcap/sll.h>
#include <random>

#include "catch.hpp"
#include "net/probe_io/capture.hpp"
#include "net/probe_io/loopback_direction.hpp"
#include "packet/probe_datagram.hpp"

namespace ecmp::net {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// A compiled filter that runs here instead of in the kernel.
class Filter {
 public:
  explicit Filter(const WantedPorts& ranges) : handle_(pcap_open_dead(DLT_LINUX_SLL2, 640)) {
    const std::string expression = build_filter(ranges);
    INFO(expression);
    const int status = pcap_compile(handle_.get(), &program_, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN);
    if (status != 0) throw std::runtime_error(pcap_geterr(handle_.get()));
  }
  ~Filter() { pcap_freecode(&program_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  [[nodiscard]] bool passes(const Bytes& datagram) const {
    Bytes packet(SLL2_HDR_LEN);
    store16(packet, 0, (datagram.at(0) >> 4) == 4 ? ETH_P_IP : ETH_P_IPV6);
    packet.insert(packet.end(), datagram.begin(), datagram.end());
    pcap_pkthdr header{};
    header.caplen = header.len = static_cast<bpf_u_int32>(packet.size());
    return pcap_offline_filter(&program_, &header, packet.data()) != 0;
  }
  [[nodiscard]] unsigned instructions() const { return program_.bf_len; }

 private:
  struct Close {
    void operator()(pcap_t* handle) const { pcap_close(handle); }
  };
  std::unique_ptr<pcap_t, Close> handle_;
  bpf_program program_{};
};

IpAddress own(Family family) {
  return IpAddress::parse(family == Family::ipv4 ? "192.0.2.1" : "2001:db8::1").value();
}
IpAddress other(Family family) {
  return IpAddress::parse(family == Family::ipv4 ? "198.51.100.1" : "2001:db8:1::1").value();
}

Bytes probe(Family family, Protocol protocol, std::uint16_t source_port, std::uint16_t destination_port = 33434) {
  packet::ProbeDatagram fields;
  fields.tuple = {own(family), other(family), protocol, source_port, destination_port};
  fields.total_size = static_cast<std::uint16_t>(packet::minimum_size(family, protocol));
  fields.checksum = 0x4321;
  Bytes bytes(fields.total_size);
  REQUIRE(packet::write_probe(fields, bytes).size() == bytes.size());
  return bytes;
}

std::size_t ip_size(const Bytes& datagram) {
  return (datagram[0] >> 4) == 4 ? (datagram[0] & 0xfu) * 4u : 40u;
}

/// The same ports the other way round; an echo reply for an echo request.
Bytes answer_to(Bytes datagram) {
  const std::size_t at = ip_size(datagram);
  const std::uint8_t protocol = datagram[(datagram[0] >> 4) == 4 ? 9 : 6];
  if (protocol == 1) {
    datagram[at] = 0;
  } else if (protocol == 58) {
    datagram[at] = 129;
  } else {
    std::swap_ranges(datagram.begin() + static_cast<long>(at), datagram.begin() + static_cast<long>(at) + 2,
                     datagram.begin() + static_cast<long>(at) + 2);
  }
  return datagram;
}

/// An IP header with `protocol` in front of `payload`; `options` bytes of IPv4 options.
Bytes ip(Family family, std::uint8_t protocol, const Bytes& payload, std::size_t options = 0) {
  Bytes bytes(family == Family::ipv4 ? 20 + options : 40);
  bytes[0] = family == Family::ipv4 ? static_cast<std::uint8_t>(0x45 + options / 4) : 0x60;
  bytes[family == Family::ipv4 ? 9 : 6] = protocol;
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

/// An ICMP error that quotes the IP header of `quoted` and 8 bytes behind it.
Bytes error(Family family, std::uint8_t type, Bytes quoted, std::size_t options = 0) {
  quoted.resize(ip_size(quoted) + 8);
  Bytes message(8);
  message[0] = type;
  message.insert(message.end(), quoted.begin(), quoted.end());
  return ip(family, family == Family::ipv4 ? 1 : 58, message, options);
}

/// Puts `options` bytes of IPv4 options behind the header.
Bytes with_options(Bytes datagram, std::size_t options) {
  datagram.insert(datagram.begin() + 20, options, std::uint8_t{1});
  datagram[0] = static_cast<std::uint8_t>(datagram[0] + options / 4);
  return datagram;
}

WantedPorts ranges_for(Protocol protocol) {
  WantedPorts ports;
  ports.own[static_cast<std::size_t>(protocol)] = {{50000, 50015}, {51000, 51000}};
  if (protocol != Protocol::icmp) ports.remote[static_cast<std::size_t>(protocol)] = {{33434, 33434}, {443, 443}};
  return ports;
}

TEST_CASE("the filter passes our probes and all that answers them", "[capture_filter]") {
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  const Protocol protocol = GENERATE(Protocol::udp, Protocol::tcp, Protocol::icmp);
  const Filter filter(ranges_for(protocol));
  for (const std::uint16_t port : std::to_array<std::uint16_t>({50000, 50007, 50015, 51000})) {
    CAPTURE(family, protocol, port);
    const Bytes ours = probe(family, protocol, port);
    CHECK(filter.passes(ours));
    CHECK(filter.passes(answer_to(ours)));
    const std::vector<std::uint8_t> types =
        family == Family::ipv4 ? std::vector<std::uint8_t>{3, 11, 12} : std::vector<std::uint8_t>{1, 2, 3, 4};
    for (const std::uint8_t type : types) {
      CHECK(filter.passes(error(family, type, ours)));
      if (family == Family::ipv6) continue;
      CHECK(filter.passes(error(family, type, ours, 12)));
      CHECK(filter.passes(error(family, type, with_options(ours, 8))));
    }
    if (family == Family::ipv4) {
      CHECK(filter.passes(with_options(answer_to(ours), 40)));
    }
  }
}

TEST_CASE("the filter drops the traffic of others", "[capture_filter]") {
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  const Protocol protocol = GENERATE(Protocol::udp, Protocol::tcp, Protocol::icmp);
  const Filter filter(ranges_for(protocol));
  for (const std::uint16_t port : std::to_array<std::uint16_t>({1, 49999, 50016, 50999, 51001, 65535})) {
    CAPTURE(family, protocol, port);
    const Bytes foreign = probe(family, protocol, port);
    CHECK_FALSE(filter.passes(foreign));
    CHECK_FALSE(filter.passes(answer_to(foreign)));
    CHECK_FALSE(filter.passes(error(family, family == Family::ipv4 ? 11 : 3, foreign)));
  }
  for (const Protocol wrong : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    if (wrong == protocol) continue;
    CAPTURE(family, protocol, wrong);
    CHECK_FALSE(filter.passes(probe(family, wrong, 50000)));
    CHECK_FALSE(filter.passes(error(family, family == Family::ipv4 ? 3 : 1, probe(family, wrong, 50000))));
  }
  // A redirect quotes our probe too, but answers nothing; nor does a router advertisement.
  CHECK_FALSE(filter.passes(error(family, family == Family::ipv4 ? 5 : 134, probe(family, protocol, 50000))));
}

/// A TCP segment from `source_port` with these flags and so many bytes behind its header.
Bytes segment(Family family, std::uint16_t source_port, std::uint16_t destination_port, std::uint8_t flags,
              std::size_t payload = 0) {
  Bytes bytes = probe(family, Protocol::tcp, source_port, destination_port);
  const std::size_t at = ip_size(bytes);
  bytes[at + 13] = flags;
  const std::size_t header = (bytes[at + 12] >> 4) * 4u;
  bytes.resize(at + header + payload);
  if (family == Family::ipv4) {
    store16(bytes, 2, static_cast<std::uint16_t>(bytes.size()));
  } else {
    store16(bytes, 4, static_cast<std::uint16_t>(header + payload));
  }
  return bytes;
}

TEST_CASE("of TCP the filter passes what probes and their answers are, and nothing that connections carry",
          "[capture_filter]") {
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  const Filter filter(ranges_for(Protocol::tcp));
  constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kPush = 8, kAck = 16, kEcn = 0xc0;
  const auto out = [&](std::uint8_t flags, std::size_t payload = 0) {
    return filter.passes(segment(family, 50000, 443, flags, payload));
  };
  const auto in = [&](std::uint8_t flags, std::size_t payload = 0) {
    return filter.passes(segment(family, 443, 50000, flags, payload));
  };
  CHECK(out(kSyn));
  CHECK(out(kSyn | kEcn));
  CHECK(out(kRst));
  CHECK(out(kRst | kAck));
  CHECK(in(kSyn | kAck));
  CHECK(in(kSyn | kAck | 0x40));
  CHECK(in(kRst));
  CHECK(in(kRst | kAck));
  CHECK(in(kAck));  // a challenge ACK: RFC 5961 section 4
  // A host's own connection from a port of ours to the same destination: data one way, ACKs the other way.
  CHECK_FALSE(out(kAck));
  CHECK_FALSE(out(kAck, 1400));
  CHECK_FALSE(out(kAck | kPush, 1400));
  CHECK_FALSE(out(kAck | kFin));
  CHECK_FALSE(in(kAck, 1));
  CHECK_FALSE(in(kAck, 1400));
  CHECK_FALSE(in(kAck | kPush, 1400));
  CHECK_FALSE(in(kAck | kFin));
  // To other ports than those of destinations.
  for (const std::uint8_t flags : {kSyn, kRst, kAck, static_cast<std::uint8_t>(kSyn | kAck)}) {
    CHECK_FALSE(filter.passes(segment(family, 50000, 5201, flags)));
    CHECK_FALSE(filter.passes(segment(family, 5201, 50000, flags)));
  }
}

TEST_CASE("UDP to ports that are no destination's does not pass", "[capture_filter]") {
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  const Filter filter(ranges_for(Protocol::udp));
  CHECK(filter.passes(probe(family, Protocol::udp, 50000, 33434)));
  CHECK(filter.passes(probe(family, Protocol::udp, 33434, 50000)));
  CHECK_FALSE(filter.passes(probe(family, Protocol::udp, 50000, 53)));
  CHECK_FALSE(filter.passes(probe(family, Protocol::udp, 53, 50000)));
}

TEST_CASE("flows that come and go leave the filter as it is, where ports are spread", "[capture_filter]") {
  PortCensus census;
  const PortOrder order({}, "a", Protocol::udp, 33434);
  for (std::uint32_t i = 0; i < 200; ++i)
    census.add(Protocol::udp, order[i], 33434);
  const WantedPorts before = census.wanted();
  CHECK(before.own[0] == std::vector<PortRange>{{32768, 49151}});
  CHECK(before.remote[0] == std::vector<PortRange>{{33434, 33434}});
  census.add(Protocol::udp, order[200], 33434);
  census.remove(Protocol::udp, order[7], 33434);
  CHECK(census.wanted() == before);
  // A whole block may be kept beforehand.
  PortCensus kept;
  kept.add_block(Protocol::tcp, {}, 443);
  CHECK(kept.contains(Protocol::tcp, 32768));
  CHECK_FALSE(kept.contains(Protocol::tcp, 49152));
  CHECK(kept.wanted().own[1] == std::vector<PortRange>{{32768, 49151}});
  kept.remove_block(Protocol::tcp, {}, 443);
  CHECK(kept.wanted() == WantedPorts());
}

TEST_CASE("the filter passes first fragments only", "[capture_filter]") {
  const Filter filter(ranges_for(Protocol::udp));
  Bytes v4 = answer_to(probe(Family::ipv4, Protocol::udp, 50000));
  store16(v4, 6, 0x2000);
  CHECK(filter.passes(v4));
  store16(v4, 6, 0x2001);
  CHECK_FALSE(filter.passes(v4));

  Bytes fragment(8);
  fragment.resize(24);
  CHECK(filter.passes(ip(Family::ipv6, 44, fragment)));
  store16(fragment, 2, 8);
  CHECK_FALSE(filter.passes(ip(Family::ipv6, 44, fragment)));
}

TEST_CASE("the filter passes IPv6 with extension headers, which it cannot walk", "[capture_filter]") {
  const Filter filter(ranges_for(Protocol::tcp));
  const std::uint8_t extension = GENERATE(as<std::uint8_t>{}, 0, 43, 60);
  CHECK(filter.passes(ip(Family::ipv6, extension, Bytes(48))));
  CHECK(filter.passes(error(Family::ipv6, 3, ip(Family::ipv6, extension, Bytes(48)))));
  CHECK_FALSE(filter.passes(ip(Family::ipv6, 59, Bytes(48))));
  Bytes multicast = ip(Family::ipv6, extension, Bytes(48));
  multicast[24] = 0xff;
  CHECK_FALSE(filter.passes(multicast));
}

TEST_CASE("the largest filter stays far below what the kernel takes", "[capture_filter]") {
  PortCensus census;
  std::mt19937 random(1);
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp})
    for (int i = 0; i < 5000; ++i)
      census.add(protocol, static_cast<std::uint16_t>(random()), static_cast<std::uint16_t>(random()));
  const WantedPorts wanted = census.wanted();
  // Five thousand ports of 64 thousand leave no block of 1,024 empty.
  for (const auto& of_protocol : wanted.own)
    CHECK(of_protocol == std::vector<PortRange>{{0, 65535}});
  WantedPorts ranges;
  for (auto* side : {&ranges.own, &ranges.remote})
    for (auto& of_protocol : *side)
      for (std::size_t i = 0; i < kMaximumRanges; ++i)
        of_protocol.push_back({static_cast<std::uint16_t>(i * 2048), static_cast<std::uint16_t>(i * 2048 + 1023)});
  const Filter filter(ranges);
  CHECK(filter.instructions() < 1024);
  CHECK(filter.passes(probe(Family::ipv4, Protocol::icmp, ranges.own[2][3].last)));
}

TEST_CASE("no ranges, no filter", "[capture_filter]") {
  CHECK(build_filter({}).empty());
}

TEST_CASE("ranges are merged over their smallest gaps", "[capture_filter]") {
  using Ranges = std::vector<PortRange>;
  const Ranges ranges = {{1, 2}, {10, 11}, {13, 13}, {100, 200}, {205, 210}, {60000, 65535}};
  CHECK(coarsen(ranges, 6) == ranges);
  CHECK(coarsen(ranges, 5) == Ranges{{1, 2}, {10, 13}, {100, 200}, {205, 210}, {60000, 65535}});
  CHECK(coarsen(ranges, 3) == Ranges{{1, 13}, {100, 210}, {60000, 65535}});
  CHECK(coarsen(ranges, 1) == Ranges{{1, 65535}});
  CHECK(coarsen(ranges, 0) == Ranges{{1, 65535}});
  CHECK(coarsen({}, 4).empty());
}

TEST_CASE("the census joins consecutive ports, and counts flows that share one", "[capture_filter]") {
  PortCensus census;
  for (const std::uint16_t port : std::to_array<std::uint16_t>({50001, 50000, 50002, 50000, 65535, 0}))
    census.add(Protocol::tcp, port, 443);
  CHECK(census.wanted().own[1] == std::vector<PortRange>{{0, 0}, {50000, 50002}, {65535, 65535}});
  census.remove(Protocol::tcp, 50000, 443);
  CHECK(census.contains(Protocol::tcp, 50000));
  CHECK_FALSE(census.contains(Protocol::udp, 50000));
  census.remove(Protocol::tcp, 50000, 443);
  census.remove(Protocol::tcp, 50000, 443);
  census.remove(Protocol::tcp, 65535, 443);
  CHECK(census.wanted().own[1] == std::vector<PortRange>{{0, 0}, {50001, 50002}});
}

TEST_CASE("on the loopback interface ports tell probes from replies", "[loopback]") {
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  PortCensus census;
  census.add(Protocol::udp, 50000, 33434);
  census.add(Protocol::udp, 50001, 33434);
  census.add(Protocol::tcp, 50000, 33434);
  census.add(Protocol::icmp, 50000, 33434);
  const LoopbackRole is_probe{true, false}, is_reply{false, true}, is_both{true, true};
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    const Bytes ours = probe(family, protocol, 50000);
    CHECK(loopback_role(ours, census) == is_probe);
    CHECK(loopback_role(answer_to(ours), census) == is_reply);
    CHECK(loopback_role(error(family, 3, ours), census) == is_reply);
  }
  CHECK(loopback_role(probe(family, Protocol::udp, 50000, 50001), census) == is_both);
  const Bytes whole = probe(family, Protocol::udp, 50000);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<long>(size));
    CHECK(loopback_role(cut, census).reply == (size < ip_size(whole) + 4));
  }
}

TEST_CASE("cooked headers tell direction, interface and loopback", "[capture]") {
  Bytes packet(SLL2_HDR_LEN + 20);
  store16(packet, 0, ETH_P_IP);
  store32(packet, 4, 77);
  store16(packet, 8, 1);
  CapturedFrame frame;
  REQUIRE(read_sll2(packet, frame));
  CHECK_FALSE(frame.outgoing);
  CHECK_FALSE(frame.loopback);
  CHECK(frame.interface == 77);
  CHECK(frame.datagram.size() == 20);
  packet[10] = LINUX_SLL_OUTGOING;
  store16(packet, 8, 772);
  REQUIRE(read_sll2(packet, frame));
  CHECK(frame.outgoing);
  CHECK(frame.loopback);
  for (const std::uint8_t type :
       std::to_array<std::uint8_t>({LINUX_SLL_BROADCAST, LINUX_SLL_MULTICAST, LINUX_SLL_OTHERHOST})) {
    packet[10] = type;
    CHECK_FALSE(read_sll2(packet, frame));
  }
  packet[10] = LINUX_SLL_HOST;
  store16(packet, 0, ETH_P_ARP);
  CHECK_FALSE(read_sll2(packet, frame));
  CHECK_FALSE(read_sll2(ByteView(packet).first(SLL2_HDR_LEN - 1), frame));
}

}  // namespace
}  // namespace ecmp::net
