#include "packet/probe_datagram.hpp"

#include <algorithm>
#include <cstring>

#include "packet/checksum.hpp"
#include "packet/wire.hpp"
#include "packet/words.hpp"
#include "stamp/own_tlv.hpp"
#include "stamp/tlv.hpp"

namespace ecmp::packet {
namespace {

constexpr std::size_t kSteering = 2;
constexpr std::size_t kTag = 8;

// The options of a SYN as Linux sends it (RFC 9293 section 3.2, RFC 7323, RFC 2018), so that no firewall finds ours
// odd. The timestamp must be the same in every probe of a flow, and not 0: some stacks take that for "no timestamps".
constexpr std::array<std::uint8_t, 20> kSynOptions = {
    2, 4,  0, 0,                    // maximum segment size, filled in per IP version
    4, 2,                           // SACK permitted
    8, 10, 0, 0, 0, 1, 0, 0, 0, 0,  // timestamp 1, echo 0
    1,                              // no operation
    3, 3,  7,                       // window scale
};
constexpr std::size_t kSynHeader = wire::kTcpHeader + kSynOptions.size();
constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint16_t kEthernetMtu = 1500;

/// The sum of an address' words, of 32 bits each: one's complement sums do not depend on the width.
std::uint64_t sum_of(const IpAddress& address) {
  const std::uint8_t* const bytes = address.bytes().data();
  const std::uint64_t first = words::load(bytes);
  if (address.is_v4()) return first;
  return first + words::load(bytes + 4) + words::load(bytes + 8) + words::load(bytes + 12);
}

void write_ipv4(const ProbeDatagram& probe, MutableBytes out) {
  const std::uint32_t first =
      0x45000000u | std::uint32_t{static_cast<std::uint8_t>(probe.dscp << 2)} << 16 | probe.total_size;
  const std::uint32_t second = std::uint32_t{probe.ip_id} << 16 | wire::kDontFragment;
  const std::uint32_t third =
      std::uint32_t{probe.ttl} << 24 | std::uint32_t{wire_number(Family::ipv4, probe.tuple.protocol)} << 16;
  const std::uint32_t source = words::load(probe.tuple.source.bytes().data());
  const std::uint32_t destination = words::load(probe.tuple.destination.bytes().data());
  const std::uint16_t sum = fold_sum(std::uint64_t{first} + second + third + source + destination);
  words::store(out.data(), first);
  words::store(out.data() + 4, second);
  words::store(out.data() + 8, third | static_cast<std::uint16_t>(~sum));
  words::store(out.data() + 12, source);
  words::store(out.data() + 16, destination);
}

void write_ipv6(const ProbeDatagram& probe, MutableBytes out) {
  const std::uint32_t traffic_class = static_cast<std::uint8_t>(probe.dscp << 2);
  store32(out, 0, (6u << 28) | (traffic_class << 20) | (probe.flow_label & 0xfffffu));
  store16(out, 4, static_cast<std::uint16_t>(probe.total_size - wire::kIpv6Header));
  out[6] = wire_number(Family::ipv6, probe.tuple.protocol);
  out[7] = probe.ttl;
  std::memcpy(out.data() + 8, probe.tuple.source.bytes().data(), 16);
  std::memcpy(out.data() + 24, probe.tuple.destination.bytes().data(), 16);
}

/// The IP header, in the first `probe.total_size` bytes of `out`, what is behind it as it was; empty if these are fewer
/// than `least`, too many, not there, or if source and destination are of two families.
MutableBytes begin_datagram(const ProbeDatagram& probe, std::size_t least, MutableBytes out) {
  const Family family = probe.tuple.source.family();
  if (probe.tuple.destination.family() != family || probe.total_size < least || probe.total_size > kMaximumProbeSize ||
      out.size() < probe.total_size)
    return {};
  const MutableBytes datagram = out.first(probe.total_size);
  if (family == Family::ipv4) {
    write_ipv4(probe, datagram);
  } else {
    write_ipv6(probe, datagram);
  }
  return datagram;
}

void clear(MutableBytes bytes) {
  std::fill(bytes.begin(), bytes.end(), std::uint8_t{0});
}

/// Of the pseudo header, which ICMPv4 alone does without.
std::uint64_t pseudo_sum(const ProbeDatagram& probe, std::size_t transport_size) {
  const Family family = probe.tuple.source.family();
  const std::uint8_t number = wire_number(family, probe.tuple.protocol);
  if (number == wire::kIcmp) return 0;
  return sum_of(probe.tuple.source) + sum_of(probe.tuple.destination) + number + transport_size;
}

/// Of the whole transport part, which is zero behind its first `filled` bytes.
std::uint16_t transport_sum(const ProbeDatagram& probe, MutableBytes transport, std::size_t filled) {
  return ones_complement_sum(transport.first(filled), fold_sum(pseudo_sum(probe, transport.size())));
}

/// UDP and ICMP: the 8 bytes of header, then the two bytes that bring the sum of all to 0xffff with the wanted checksum
/// in place, and the tag. That makes any checksum a right one.
void write_steered(const ProbeDatagram& probe, std::uint32_t first, std::uint32_t second, MutableBytes transport) {
  static_assert(wire::kUdpHeader == wire::kIcmpHeader);
  constexpr std::size_t kPayload = wire::kUdpHeader;
  const std::uint32_t tag_begin = words::load(probe.tag.data()), tag_end = words::load(probe.tag.data() + 4);
  const std::uint16_t sum = fold_sum(pseudo_sum(probe, transport.size()) + first + second + tag_begin + tag_end);
  words::store(transport.data(), first);
  words::store(transport.data() + 4, second);
  store16(transport, kPayload, static_cast<std::uint16_t>(~sum));
  words::store(transport.data() + kPayload + kSteering, tag_begin);
  words::store(transport.data() + kPayload + kSteering + 4, tag_end);
  clear(transport.subspan(kPayload + kSteering + kTag));
}

void write_udp(const ProbeDatagram& probe, MutableBytes transport) {
  write_steered(probe, std::uint32_t{probe.tuple.source_port} << 16 | probe.tuple.destination_port,
                static_cast<std::uint32_t>(transport.size()) << 16 | probe.checksum, transport);
}

void write_echo(const ProbeDatagram& probe, MutableBytes transport) {
  const std::uint32_t type = wire::echo_request(probe.tuple.source.family());
  write_steered(probe, type << 24 | probe.checksum,
                std::uint32_t{probe.tuple.source_port} << 16 | (probe.sequence & 0xffffu), transport);
}

void write_syn(const ProbeDatagram& probe, MutableBytes transport) {
  clear(transport);
  store16(transport, 0, probe.tuple.source_port);
  store16(transport, 2, probe.tuple.destination_port);
  store32(transport, 4, probe.sequence);
  transport[12] = static_cast<std::uint8_t>((kSynHeader / 4) << 4);
  transport[13] = kSyn;
  store16(transport, 14, 0xffff);
  std::copy(kSynOptions.begin(), kSynOptions.end(), transport.begin() + wire::kTcpHeader);
  const std::size_t headers = wire::ip_header(probe.tuple.source.family()) + wire::kTcpHeader;
  store16(transport, wire::kTcpHeader + 2, static_cast<std::uint16_t>(kEthernetMtu - headers));
  store16(transport, 16, static_cast<std::uint16_t>(~transport_sum(probe, transport, kSynHeader)));
}

/// How the probes of a protocol are written, and the least size of their transport part.
struct Writer {
  void (*write)(const ProbeDatagram& probe, MutableBytes transport);
  std::size_t least;
};

/// By Protocol.
constexpr std::array<Writer, kProtocols.size()> kWriters{{{write_udp, wire::kUdpHeader + kSteering + kTag},
                                                          {write_syn, kSynHeader},
                                                          {write_echo, wire::kIcmpHeader + kSteering + kTag}}};

const Writer& writer_of(Protocol protocol) {
  return kWriters[static_cast<std::size_t>(protocol)];
}

}  // namespace

std::size_t minimum_size(Family family, Protocol protocol) {
  return wire::ip_header(family) + writer_of(protocol).least;
}

ByteView write_probe(const ProbeDatagram& probe, MutableBytes out) {
  const FiveTuple& tuple = probe.tuple;
  const Family family = tuple.source.family();
  const MutableBytes datagram = begin_datagram(probe, minimum_size(family, tuple.protocol), out);
  if (datagram.empty()) return {};

  const MutableBytes transport = datagram.subspan(wire::ip_header(family));
  writer_of(tuple.protocol).write(probe, transport);
  return datagram;
}

namespace {

/// Of the payload of a datagram of STAMP.
struct StampLayout {
  stamp::Mode mode = stamp::Mode::open;
  std::size_t own = 0;  ///< size of the value of the TLV of ours; 0: it is not in
  bool sealed = false;  ///< and an HMAC over it
  std::size_t padding_at = 0;
};

constexpr std::size_t kLeastPadding = stamp::kTlvHeader + kTag + 4;

/// The TLV of ours with all that it can say, and in authenticated mode the HMAC that covers it.
std::size_t own_bytes(bool authenticated) {
  return stamp::kTlvHeader + stamp::kOwnTlvLong + (authenticated ? stamp::kTlvHeader + stamp::kHmacSize : 0);
}

StampLayout layout_of(bool authenticated, std::size_t payload) {
  StampLayout layout;
  layout.mode = authenticated ? stamp::Mode::authenticated : stamp::Mode::open;
  const std::size_t base = stamp::base_size(layout.mode);
  const std::size_t more = stamp::kTlvHeader + (authenticated ? stamp::kTlvHeader + stamp::kHmacSize : 0);
  for (const std::size_t size : {stamp::kOwnTlvSize, stamp::kOwnTlvLong})
    if (payload >= base + more + size + kLeastPadding) layout.own = size;
  layout.sealed = layout.own > 0 && authenticated;
  layout.padding_at = base + (layout.own > 0 ? more + layout.own : 0);
  return layout;
}

}  // namespace

std::size_t minimum_stamp_size(Family family, bool authenticated) {
  const stamp::Mode mode = authenticated ? stamp::Mode::authenticated : stamp::Mode::open;
  return wire::ip_header(family) + wire::kUdpHeader + stamp::base_size(mode) + kLeastPadding;
}

std::size_t own_stamp_size(Family family, bool authenticated) {
  return minimum_stamp_size(family, authenticated) + own_bytes(authenticated);
}

std::size_t stamp_tag_at(Family family, bool authenticated, std::size_t total_size) {
  return layout_of(authenticated, total_size - wire::ip_header(family) - wire::kUdpHeader).padding_at +
         stamp::kTlvHeader;
}

ByteView write_stamp(const ProbeDatagram& probe, const StampContent& content, MutableBytes out) {
  const FiveTuple& tuple = probe.tuple;
  const Family family = tuple.source.family();
  const bool authenticated = !content.key.empty();
  const MutableBytes datagram = begin_datagram(probe, minimum_stamp_size(family, authenticated), out);
  if (datagram.empty()) return {};
  const MutableBytes transport = datagram.subspan(wire::ip_header(family));
  clear(transport);
  store16(transport, 0, tuple.source_port);
  store16(transport, 2, tuple.destination_port);
  store16(transport, 4, static_cast<std::uint16_t>(transport.size()));

  const MutableBytes payload = transport.subspan(wire::kUdpHeader);
  const StampLayout layout = layout_of(authenticated, payload.size());
  stamp::write(layout.mode, content.request, payload);
  const std::size_t base = stamp::base_size(layout.mode);
  stamp::TlvWriter tlvs(payload.subspan(base));
  if (layout.own > 0) stamp::write(stamp::OwnTlv{.routers = content.routers}, tlvs.add(stamp::tlv::kOwn, layout.own));
  const std::size_t seal_at = base + tlvs.size();
  if (layout.sealed) tlvs.add(stamp::tlv::kHmac, stamp::kHmacSize);
  const MutableBytes padding = tlvs.add(stamp::tlv::kPadding, payload.size() - layout.padding_at - stamp::kTlvHeader);
  std::copy(probe.tag.begin(), probe.tag.end(), padding.begin());
  if (authenticated) stamp::seal(content.key, payload);
  if (layout.sealed) stamp::seal_extensions(content.key, payload, base, seal_at);

  store16(transport, 6, probe.checksum);
  const std::uint16_t sum = transport_sum(probe, transport, transport.size());
  if (probe.checksum != 0) {
    store16(transport, (transport.size() - kSteering) & ~std::size_t{1}, static_cast<std::uint16_t>(~sum));
  } else {
    const auto checksum = static_cast<std::uint16_t>(~sum);
    store16(transport, 6, checksum == 0 ? std::uint16_t{0xffff} : checksum);  // RFC 768: 0 would be none
  }
  return datagram;
}

ByteView write_reset(const ProbeDatagram& like, MutableBytes out) {
  constexpr std::uint8_t kRst = 0x04;
  constexpr std::uint8_t kUsualTtl = 64;
  const FiveTuple& tuple = like.tuple;
  const Family family = tuple.source.family();
  const std::size_t size = wire::ip_header(family) + wire::kTcpHeader;
  if (tuple.destination.family() != family || out.size() < size) return {};
  const ProbeDatagram reset{.tuple = tuple,
                            .ttl = kUsualTtl,
                            .dscp = like.dscp,
                            .flow_label = like.flow_label,
                            .total_size = static_cast<std::uint16_t>(size)};
  const MutableBytes datagram = out.first(size);
  std::fill(datagram.begin(), datagram.end(), std::uint8_t{0});
  if (family == Family::ipv4) {
    write_ipv4(reset, datagram);
  } else {
    write_ipv6(reset, datagram);
  }
  const MutableBytes transport = datagram.subspan(wire::ip_header(family));
  store16(transport, 0, tuple.source_port);
  store16(transport, 2, tuple.destination_port);
  store32(transport, 4, like.sequence);
  transport[12] = static_cast<std::uint8_t>((wire::kTcpHeader / 4) << 4);
  transport[13] = kRst;
  store16(transport, 16, static_cast<std::uint16_t>(~transport_sum(reset, transport, wire::kTcpHeader)));
  return datagram;
}

}  // namespace ecmp::packet
