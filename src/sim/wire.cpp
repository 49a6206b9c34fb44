#include "sim/wire.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "sim/checksums.hpp"
#include "sim/random.hpp"

namespace ecmp::sim {

namespace {

constexpr std::size_t kV4Header = 20, kV6Header = 40, kUdpHeader = 8, kTcpHeader = 20;

std::size_t checksum_offset(std::uint8_t protocol) {
  if (protocol == kUdp) return 6;
  return protocol == kTcp ? 16 : 2;
}

std::size_t smallest_transport(std::uint8_t protocol) {
  return protocol == kTcp ? kTcpHeader : kUdpHeader;
}

bool is_transport(Family family, std::uint8_t protocol) {
  return protocol == kUdp || protocol == kTcp || protocol == (family == Family::ipv4 ? kIcmp : kIcmpV6);
}

std::uint64_t load64(ByteView bytes, std::size_t at) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof word);
  return word;
}

void swap_ranges(MutableBytes bytes, std::size_t first, std::size_t second, std::size_t count) {
  const auto start = bytes.begin();
  std::swap_ranges(start + static_cast<std::ptrdiff_t>(first), start + static_cast<std::ptrdiff_t>(first + count),
                   start + static_cast<std::ptrdiff_t>(second));
}

void put(MutableBytes bytes, std::size_t at, const IpAddress& address) {
  const ByteView from = address.bytes();
  std::memcpy(bytes.data() + at, from.data(), from.size());
}

/// The IP header of a reply of `size` bytes in all; finish() adds TTL and checksum.
void write_header(MutableBytes out, const IpAddress& from, const IpAddress& to, std::uint8_t protocol,
                  std::uint8_t traffic_class, std::uint16_t ip_id) {
  if (from.is_v4()) {
    out[0] = 0x45;
    out[1] = traffic_class;
    store16(out, 2, static_cast<std::uint16_t>(out.size()));
    store16(out, 4, ip_id);
    store16(out, 6, 0);
    out[8] = 0;
    out[9] = protocol;
    store16(out, 10, 0);
    put(out, 12, from);
    put(out, 16, to);
  } else {
    store32(out, 0, 0x60000000u | std::uint32_t{traffic_class} << 20);
    store16(out, 4, static_cast<std::uint16_t>(out.size() - kV6Header));
    out[6] = protocol;
    out[7] = 0;
    put(out, 8, from);
    put(out, 24, to);
  }
}

/// Turns the IP header of a probe round for a reply of the same size.
void turn_header(Packet& packet, std::uint16_t ip_id) {
  const MutableBytes bytes = packet.bytes();
  if (packet.family == Family::ipv4) {
    bytes[1] = 0;
    store16(bytes, 4, ip_id);
    swap_ranges(bytes, 12, 16, 4);
  } else {
    bytes[0] = 0x60;
    bytes[1] = bytes[2] = bytes[3] = 0;
    swap_ranges(bytes, 8, 24, 16);
  }
}

/// Computes the transport checksum of a whole datagram anew.
void write_transport_checksum(Packet& packet, std::size_t header_size, std::uint8_t protocol) {
  const MutableBytes bytes = packet.bytes();
  const MutableBytes transport = bytes.subspan(header_size);
  const std::size_t at = checksum_offset(protocol);
  store16(transport, at, 0);
  const std::uint16_t initial = protocol == kIcmp ? std::uint16_t{0} : pseudo_sum(bytes, header_size, protocol);
  auto checksum = static_cast<std::uint16_t>(~sum16(transport, initial));
  if (protocol == kUdp && checksum == 0) checksum = 0xffff;
  store16(transport, at, checksum);
}

void append16(std::vector<std::uint8_t>& out, std::uint32_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
void append32(std::vector<std::uint8_t>& out, std::uint32_t value) {
  append16(out, value >> 16);
  append16(out, value & 0xffffu);
}

void append_labels(std::vector<std::uint8_t>& out, const std::vector<packet::MplsLabel>& stack) {
  append16(out, static_cast<std::uint32_t>(4 + 4 * stack.size()));
  out.push_back(1);  // MPLS label stack class
  out.push_back(1);  // incoming stack
  for (const packet::MplsLabel& entry : stack) {
    append32(out,
             entry.label << 12 | std::uint32_t{entry.traffic_class} << 9 | (entry.bottom ? 0x100u : 0u) | entry.ttl);
  }
}

/// An Interface Information Object (RFC 5837 section 4.1).
void append_interface(std::vector<std::uint8_t>& out, const packet::InterfaceInfo& told) {
  std::vector<std::uint8_t> parts;
  auto c_type = static_cast<std::uint8_t>(static_cast<unsigned>(told.role) << 6);
  if (told.index) {
    c_type |= 0x08;
    append32(parts, *told.index);
  }
  if (!told.address.is_unspecified()) {
    c_type |= 0x04;
    append32(parts, told.address.is_v4() ? 0x00010000u : 0x00020000u);
    const ByteView bytes = told.address.bytes();
    parts.insert(parts.end(), bytes.begin(), bytes.end());
  }
  if (!told.name.empty()) {
    c_type |= 0x02;
    const std::size_t size = (told.name.size() + 4) / 4 * 4;
    parts.push_back(static_cast<std::uint8_t>(size));
    parts.insert(parts.end(), told.name.begin(), told.name.end());
    parts.resize(parts.size() + size - 1 - told.name.size());
  }
  if (told.mtu) {
    c_type |= 0x01;
    append32(parts, *told.mtu);
  }
  append16(out, static_cast<std::uint32_t>(4 + parts.size()));
  out.push_back(2);  // interface information class
  out.push_back(c_type);
  out.insert(out.end(), parts.begin(), parts.end());
}

/// Appends labels (RFC 4950) and interfaces (RFC 5837) as RFC 4884 extension behind the quote, which it pads to 128
/// bytes. Returns the new size of the quote with all that follows.
std::size_t append_extension(MutableBytes quote, std::size_t quoted, const Node& node, bool labelled) {
  constexpr std::size_t kPadded = 128;
  std::vector<std::uint8_t> objects;
  if (labelled) append_labels(objects, node.mpls);
  for (const packet::InterfaceInfo& told : node.interfaces)
    append_interface(objects, told);
  if (quoted < kPadded) std::memset(quote.data() + quoted, 0, kPadded - quoted);
  const MutableBytes extension = quote.subspan(kPadded, 4 + objects.size());
  store32(extension, 0, 0x20000000u);
  std::memcpy(extension.data() + 4, objects.data(), objects.size());
  store16(extension, 2, static_cast<std::uint16_t>(~sum16(extension)));
  return kPadded + extension.size();
}

}  // namespace

bool read_headers(Packet& packet) {
  const ByteView bytes = packet.view();
  if (bytes.empty()) return false;
  if (bytes[0] >> 4 == 4) {
    if (bytes.size() < kV4Header) return false;
    const std::size_t header = std::size_t{bytes[0] & 0x0fu} * 4;
    if (header < kV4Header || header > bytes.size() || load16(bytes, 2) != bytes.size()) return false;
    if (sum16(bytes.first(header)) != 0xffff) return false;
    packet.family = Family::ipv4;
    packet.header_size = static_cast<std::uint8_t>(header);
    packet.protocol = bytes[9];
    packet.ttl = bytes[8];
  } else if (bytes[0] >> 4 == 6) {
    if (bytes.size() < kV6Header || load16(bytes, 4) != bytes.size() - kV6Header) return false;
    packet.family = Family::ipv6;
    packet.header_size = kV6Header;
    packet.protocol = bytes[6];
    packet.ttl = bytes[7];
  } else {
    return false;
  }
  return is_transport(packet.family, packet.protocol) &&
         bytes.size() >= packet.header_size + smallest_transport(packet.protocol);
}

bool transport_checksum_right(const Packet& packet) {
  const ByteView transport = packet.view().subspan(packet.header_size);
  if (packet.protocol == kUdp) {
    if (load16(transport, 4) != transport.size()) return false;
    if (load16(transport, 6) == 0) return packet.family == Family::ipv4;
  }
  const std::uint16_t initial =
      packet.protocol == kIcmp ? std::uint16_t{0} : pseudo_sum(packet.view(), packet.header_size, packet.protocol);
  return sum16(transport, initial) == 0xffff;
}

IpAddress source_of(const Packet& packet) {
  const ByteView bytes = packet.view();
  return packet.family == Family::ipv4 ? IpAddress::v4(bytes.subspan<12, 4>()) : IpAddress::v6(bytes.subspan<8, 16>());
}

IpAddress destination_of(const Packet& packet) {
  const ByteView bytes = packet.view();
  return packet.family == Family::ipv4 ? IpAddress::v4(bytes.subspan<16, 4>()) : IpAddress::v6(bytes.subspan<24, 16>());
}

std::uint16_t destination_port_of(const Packet& packet) {
  return load16(packet.view(), packet.header_size + std::size_t{2});
}

void hash_headers(Packet& packet) {
  const ByteView bytes = packet.view();
  std::uint64_t addresses = packet.protocol;
  std::uint64_t flow_label = 0;
  if (packet.family == Family::ipv4) {
    addresses = mix(load64(bytes, 12) ^ mix(addresses));
  } else {
    for (const std::size_t at : {8u, 16u, 24u, 32u})
      addresses = mix(load64(bytes, at) ^ mix(addresses + at));
    flow_label = load32(bytes, 0) & 0xfffffu;
  }
  packet.hashes[static_cast<std::size_t>(HashPolicy::l3)] = addresses;
  packet.hashes[static_cast<std::size_t>(HashPolicy::l4)] =
      mix(addresses ^ (std::uint64_t{1} << 32) ^ load32(bytes, packet.header_size));
  packet.hashes[static_cast<std::size_t>(HashPolicy::flow_label)] =
      packet.family == Family::ipv4 ? addresses : mix(addresses ^ (std::uint64_t{2} << 32) ^ flow_label);
  packet.hashed = true;
}

bool translate(Packet& packet, NodeId at, const Nat& nat) {
  const IpAddress& address = nat.address.of(packet.family);
  if (address.is_unspecified()) return true;
  if (packet.translations_made == Packet::kMaximumNats) return false;
  const MutableBytes bytes = packet.bytes();
  const bool v4 = packet.family == Family::ipv4;
  const std::size_t port_at = packet.header_size + (packet.protocol == kUdp || packet.protocol == kTcp ? 0u : 4u);
  const std::size_t checksum_at = packet.header_size + checksum_offset(packet.protocol);

  Packet::Translation& made = packet.translations[packet.translations_made++];
  made = {at, source_of(packet), load16(bytes, port_at), load16(bytes, checksum_at)};
  const auto port = static_cast<std::uint16_t>(made.port + nat.port_offset);

  std::uint16_t checksum = made.checksum;
  const ByteView before = made.source.bytes();
  const ByteView after = address.bytes();
  for (std::size_t i = 0; i < before.size(); i += 2) {
    if (packet.protocol != kIcmp) checksum = adjusted(checksum, load16(before, i), load16(after, i));
    if (v4) store16(bytes, 10, adjusted(load16(bytes, 10), load16(before, i), load16(after, i)));
  }
  checksum = adjusted(checksum, made.port, port);
  if (packet.protocol == kUdp) {
    if (checksum == 0) checksum = 0xffff;
    if (made.checksum == 0) checksum = 0;  // it had none (RFC 768)
  }
  put(bytes, v4 ? 12 : 8, address);
  store16(bytes, port_at, port);
  store16(bytes, checksum_at, checksum);
  packet.hashed = false;
  return true;
}

void undo_translation(Packet& packet, NatQuote quote) {
  const Packet::Translation& made = packet.translations[--packet.translations_made];
  const MutableBytes bytes = packet.bytes();
  const bool v4 = packet.family == Family::ipv4;
  const std::size_t header = v4 ? std::size_t{bytes[0] & 0x0fu} * 4 : kV6Header;
  const std::uint8_t protocol = v4 ? bytes[9] : bytes[6];
  const MutableBytes transport = bytes.subspan(header);
  put(bytes, v4 ? 16 : 24, made.source);

  const bool error =
      (v4 && protocol == kIcmp && transport[0] != 0) || (!v4 && protocol == kIcmpV6 && transport[0] < 128);
  if (error && quote != NatQuote::untouched) {
    const MutableBytes quoted = transport.subspan(8);
    const std::size_t inner = packet.header_size;
    put(quoted, v4 ? 12 : 8, made.source);
    if (v4) {
      store16(quoted, 10, 0);
      store16(quoted, 10, static_cast<std::uint16_t>(~sum16(quoted.first(inner))));
    }
    const std::size_t port_at = inner + (packet.protocol == kUdp || packet.protocol == kTcp ? 0u : 4u);
    const std::size_t checksum_at = inner + checksum_offset(packet.protocol);
    store16(quoted, port_at, made.port);
    if (quote == NatQuote::restored && checksum_at + 2 <= quoted.size()) store16(quoted, checksum_at, made.checksum);
  } else if (!error) {
    store16(transport, protocol == kUdp || protocol == kTcp ? 2 : 4, made.port);
  }
  write_transport_checksum(packet, header, protocol);
}

void rewrite_class(Packet& packet, std::uint8_t bits, std::uint8_t mask) {
  const MutableBytes bytes = packet.bytes();
  if (packet.family == Family::ipv4) {
    const std::uint16_t before = load16(bytes, 0);
    bytes[1] = static_cast<std::uint8_t>((bytes[1] & ~mask) | (bits & mask));
    store16(bytes, 10, adjusted(load16(bytes, 10), before, load16(bytes, 0)));
  } else {
    const std::uint32_t word = load32(bytes, 0);
    store32(bytes, 0, (word & ~(std::uint32_t{mask} << 20)) | static_cast<std::uint32_t>(bits & mask) << 20);
  }
}

IcmpCode icmp_code(Family family, packet::ReplyKind kind) {
  using packet::ReplyKind;
  const bool v4 = family == Family::ipv4;
  switch (kind) {
    case ReplyKind::time_exceeded:
      return v4 ? IcmpCode{11, 0} : IcmpCode{3, 0};
    case ReplyKind::port_unreachable:
      return v4 ? IcmpCode{3, 3} : IcmpCode{1, 4};
    case ReplyKind::host_unreachable:
      return v4 ? IcmpCode{3, 1} : IcmpCode{1, 3};
    case ReplyKind::protocol_unreachable:  // IPv6: unrecognised next header
      return v4 ? IcmpCode{3, 2} : IcmpCode{4, 1};
    case ReplyKind::fragmentation_needed:
      return v4 ? IcmpCode{3, 4} : IcmpCode{2, 0};
    case ReplyKind::source_route_failed:
      return v4 ? IcmpCode{3, 5} : IcmpCode{1, 7};
    case ReplyKind::admin_prohibited:
      return v4 ? IcmpCode{3, 13} : IcmpCode{1, 1};
    case ReplyKind::reject_route:
      return v4 ? IcmpCode{3, 0} : IcmpCode{1, 6};
    case ReplyKind::parameter_problem:
      return v4 ? IcmpCode{12, 0} : IcmpCode{4, 0};
    default:
      return v4 ? IcmpCode{3, 0} : IcmpCode{1, 0};
  }
}

void make_icmp_error(Packet& packet, const Node& node, const IpAddress& from, IcmpCode code, std::uint16_t ip_id) {
  const bool v4 = packet.family == Family::ipv4;
  const IpAddress to = source_of(packet);
  {
    const MutableBytes probe = packet.bytes();
    const std::uint8_t quoted_ttl = node.quoted_ttl.value_or(packet.ttl);
    if (v4) {
      store16(probe, 10,
              adjusted(load16(probe, 10), load16(probe, 8), static_cast<std::uint16_t>(quoted_ttl << 8 | probe[9])));
      probe[8] = quoted_ttl;
    } else {
      probe[7] = quoted_ttl;
    }
  }
  // RFC 1812 section 4.3.2.3 and RFC 4443 section 2.4: as much as fits, in all no more than 576 and 1280 bytes. Old
  // routers do what RFC 792 says: header and 8 bytes.
  const std::size_t header = v4 ? kV4Header : kV6Header;
  std::size_t quoted = std::min(packet.size, (v4 ? std::size_t{576} : std::size_t{1280}) - header - 8);
  if (v4 && node.quote_bytes) quoted = std::min(quoted, std::size_t{packet.header_size} + *node.quote_bytes);

  const MutableBytes storage(packet.storage);
  const std::size_t quote_at = packet.begin;
  const bool exceeded = code.type == (v4 ? 11 : 3);
  const bool labelled = !node.mpls.empty() && exceeded;
  const bool extended = labelled || (!node.interfaces.empty() && (exceeded || code.type == (v4 ? 3 : 1)));
  const std::size_t all = extended ? append_extension(storage.subspan(quote_at), quoted, node, labelled) : quoted;
  packet.begin -= header + 8;
  packet.size = header + 8 + all;

  const MutableBytes out = packet.bytes();
  // Control traffic leaves routers with precedence 6 (RFC 1812 section 4.3.2.5).
  write_header(out, from, to, v4 ? kIcmp : kIcmpV6, 0xc0, ip_id);
  const MutableBytes message = out.subspan(header);
  message[0] = code.type;
  message[1] = code.code;
  store16(message, 2, 0);
  constexpr std::uint16_t kNextMtu = 1280;
  const bool too_big = v4 ? code.type == 3 && code.code == 4 : code.type == 2;
  store32(message, 4, too_big ? node.mtu.value_or(kNextMtu) : 0);
  if (extended) message[v4 ? 5 : 4] = v4 ? 128 / 4 : 128 / 8;
  write_transport_checksum(packet, header, v4 ? kIcmp : kIcmpV6);
  packet.reply = true;
}

void make_echo_reply(Packet& packet, std::uint16_t ip_id) {
  turn_header(packet, ip_id);
  const MutableBytes transport = packet.bytes().subspan(packet.header_size);
  const std::uint16_t before = load16(transport, 0);
  transport[0] = packet.family == Family::ipv4 ? 0 : 129;
  store16(transport, 2, adjusted(load16(transport, 2), before, load16(transport, 0)));
  packet.reply = true;
}

void make_udp_reply(Packet& packet, const std::string& answer, std::uint16_t ip_id) {
  turn_header(packet, ip_id);
  const MutableBytes transport = packet.bytes().subspan(packet.header_size);
  swap_ranges(transport, 0, 2, 2);  // the checksum does not see what is swapped
  packet.reply = true;
  if (answer.empty()) return;

  packet.size = packet.header_size + kUdpHeader + answer.size();
  if (packet.storage.size() < packet.begin + packet.size) packet.storage.resize(packet.begin + packet.size);
  const MutableBytes out = packet.bytes();
  if (packet.family == Family::ipv4) {
    store16(out, 2, static_cast<std::uint16_t>(packet.size));
  } else {
    store16(out, 4, static_cast<std::uint16_t>(packet.size - kV6Header));
  }
  store16(out, packet.header_size + std::size_t{4}, static_cast<std::uint16_t>(kUdpHeader + answer.size()));
  std::memcpy(out.data() + packet.header_size + kUdpHeader, answer.data(), answer.size());
  write_transport_checksum(packet, packet.header_size, kUdp);
}

void make_tcp_reply(Packet& packet, bool open, std::uint16_t ip_id) {
  const bool syn = (tcp_flags_of(packet) & (kSyn | kAck)) == kSyn;
  const std::uint8_t flags = syn && open ? kSyn | kAck : kRst | kAck;
  make_tcp_answer(packet, flags, tcp_sequence_of(packet) + 1, ip_id);  // a SYN counts as one byte (RFC 9293, 3.4)
}

void make_tcp_answer(Packet& packet, std::uint8_t flags, std::uint32_t acknowledgement, std::uint16_t ip_id) {
  const ByteView segment = packet.view().subspan(packet.header_size);
  const std::uint16_t from_port = load16(segment, 2);
  const std::uint16_t to_port = load16(segment, 0);
  const IpAddress from = destination_of(packet);
  const IpAddress to = source_of(packet);
  const bool syn = (flags & kSyn) != 0;
  const std::uint32_t sequence = (flags & kRst) != 0 ? 0 : static_cast<std::uint32_t>(mix(acknowledgement - 1));

  const std::size_t header = packet.family == Family::ipv4 ? kV4Header : kV6Header;
  packet.size = header + kTcpHeader + (syn ? 4 : 0);
  const MutableBytes out = packet.bytes();
  write_header(out, from, to, kTcp, 0, ip_id);
  const MutableBytes tcp = out.subspan(header);
  store16(tcp, 0, from_port);
  store16(tcp, 2, to_port);
  store32(tcp, 4, sequence);
  store32(tcp, 8, acknowledgement);
  tcp[12] = static_cast<std::uint8_t>(tcp.size() / 4 << 4);
  tcp[13] = flags;
  store16(tcp, 14, (flags & kRst) != 0 ? 0 : 65535);
  store32(tcp, 16, 0);
  if (syn) store32(tcp, 20, 0x020405b4);  // MSS 1460
  write_transport_checksum(packet, header, kTcp);
  packet.reply = true;
}

std::uint8_t tcp_flags_of(const Packet& packet) {
  return packet.view()[packet.header_size + std::size_t{13}];
}

std::uint32_t tcp_sequence_of(const Packet& packet) {
  return load32(packet.view(), packet.header_size + std::size_t{4});
}

std::uint64_t connection_of(const Packet& packet) {
  std::uint64_t sum = load32(packet.view(), packet.header_size);
  const auto mix_in = [&sum](const IpAddress& address) {
    for (const std::uint8_t byte : address.bytes())
      sum = mix(sum ^ byte);
  };
  mix_in(source_of(packet));
  mix_in(destination_of(packet));
  return sum | 1;
}

std::vector<std::uint8_t> reset_of(const Packet& segment) {
  constexpr std::size_t kPorts = 4;
  const std::size_t header = segment.family == Family::ipv4 ? kV4Header : kV6Header;
  const ByteView tcp = segment.view().subspan(header);
  Packet reset;
  std::vector<std::uint8_t> room(header + kTcpHeader);
  write_header(room, destination_of(segment), source_of(segment), kTcp, 0, 0);
  store16(room, header, load16(tcp, 2));
  store16(room, header + kPorts / 2, load16(tcp, 0));
  store32(room, header + kPorts, load32(tcp, 8));
  room[header + 12] = kTcpHeader / 4 << 4;
  room[header + 13] = kRst;
  reset.assign(room);
  reset.family = segment.family;
  reset.ttl = 64;
  write_transport_checksum(reset, header, kTcp);
  finish(reset);
  return {reset.view().begin(), reset.view().end()};
}

void finish(Packet& packet) {
  const MutableBytes bytes = packet.bytes();
  if (packet.family == Family::ipv6) {
    bytes[7] = packet.ttl;
    return;
  }
  bytes[8] = packet.ttl;
  store16(bytes, 10, 0);
  store16(bytes, 10, static_cast<std::uint16_t>(~sum16(bytes.first(std::size_t{bytes[0] & 0x0fu} * 4))));
}

bool is_echo_request(const Packet& packet) {
  return packet.view()[packet.header_size] == (packet.family == Family::ipv4 ? 8 : 128);
}

}  // namespace ecmp::sim
