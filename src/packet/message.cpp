#include "packet/message.hpp"

#include <algorithm>

#include "base/names.hpp"
#include "packet/checksum.hpp"
#include "packet/icmp_extension.hpp"
#include "packet/ip_view.hpp"
#include "packet/parse_closely.hpp"
#include "packet/quote.hpp"
#include "packet/wire.hpp"
#include "packet/words.hpp"

namespace ecmp::packet {
namespace {

/// Makes the wanted message in place (they are large) and fills in what all of them have.
template <typename T>
T& start(Message& message, const IpView& view) {
  T& value = message.emplace<T>();
  value.from = view.source();
  value.to = view.destination();
  value.reply_ttl = view.ttl;
  return value;
}

bool has_right_checksum(const IpView& view) {
  std::uint16_t sum = 0;
  if (view.family == Family::ipv6) {
    const auto length = static_cast<std::uint32_t>(view.payload.size());
    sum = pseudo_header_sum(view.source(), view.destination(), wire::kIcmpV6, length);
  }
  return ones_complement_sum(view.payload, sum) == 0xffff;
}

std::uint32_t mtu_of(Family family, ByteView message) {
  if (family == Family::ipv4) return message[0] == 3 && message[1] == 4 ? load16(message, 6) : 0;
  return message[0] == 2 ? load32(message, 4) : 0;
}

void parse_icmp_error(const IpView& view, Message& message) {
  IcmpErrorBody body = split_icmp_error(view.family, view.payload);
  IpView inside;
  if (const auto wrong = inside.look_at(body.quote, Origin::quoted)) {
    message = *wrong;
    return;
  }
  if (inside.family != view.family) {
    message = ParseError::malformed;
    return;
  }
  auto& error = start<IcmpError>(message, view);
  error.type = view.payload[0];
  error.code = view.payload[1];
  error.mtu = mtu_of(view.family, view.payload);
  error.mpls = body.mpls;
  error.interfaces = std::move(body.interfaces);
  if (const auto wrong = read_quote(inside, error.quote)) message = *wrong;
}

void parse_icmp(const IpView& view, Message& message) {
  const ByteView icmp = view.payload;
  if (icmp.size() < wire::kIcmpHeader) {
    message = ParseError::truncated;
    return;
  }
  const bool echo_reply = icmp[0] == wire::echo_reply(view.family) && icmp[1] == 0;
  if (!echo_reply && reply_kind(view.family, icmp[0], icmp[1]) == ReplyKind::none) {
    message = ParseError::irrelevant;
    return;
  }
  if (view.complete && !has_right_checksum(view)) {
    message = ParseError::bad_checksum;
    return;
  }
  if (!echo_reply) {
    parse_icmp_error(view, message);
    return;
  }
  auto& reply = start<EchoReply>(message, view);
  reply.identifier = load16(icmp, 4);
  reply.sequence = load16(icmp, 6);
  reply.payload = icmp.subspan(wire::kIcmpHeader);
}

/// Understands what nearly all answers are, and nothing else: time exceeded or port unreachable over IPv4, whole,
/// without options or an extension, that quotes UDP or TCP likewise. False, and nothing done, for all that parse() must
/// look at more closely; what it makes of this one is the same.
bool parse_usual_error(ByteView datagram, Message& message) {
  constexpr std::size_t kInside = wire::kIpv4Header + wire::kIcmpHeader;
  constexpr std::size_t kTransport = kInside + wire::kIpv4Header;
  constexpr std::size_t kLeast = kTransport + 8;
  constexpr std::size_t kMost = kInside + 128;  // where a quote may end and an old extension begin
  constexpr std::uint16_t kFragment = 0x3fff;   // offset, and that more follow
  if (datagram.size() < kLeast) return false;
  const std::size_t size = load16(datagram, 2);
  if (size < kLeast || size > kMost || size > datagram.size()) return false;
  const std::uint32_t head = words::load(datagram.data() + wire::kIpv4Header);
  const std::uint32_t kind = head >> 16;  // type and code
  const bool usual = datagram[0] == 0x45 && datagram[9] == wire::kIcmp && (load16(datagram, 6) & kFragment) == 0 &&
                     (kind == 0x0b00 || kind == 0x0303) && datagram[wire::kIpv4Header + 5] == 0 &&
                     datagram[kInside] == 0x45 && load16(datagram, kInside + 6) == wire::kDontFragment;
  const std::uint8_t protocol = datagram[kInside + 9];
  if (!usual || (protocol != wire::kUdp && protocol != wire::kTcp)) return false;
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < wire::kIpv4Header; at += 4)
    sum += words::load(datagram.data() + at);
  if (fold_sum(sum) != 0xffff) return false;
  if (ones_complement_sum(datagram.subspan(wire::kIpv4Header, size - wire::kIpv4Header)) != 0xffff) return false;

  auto& error = message.emplace<IcmpError>();
  error.from = IpAddress::v4(datagram.subspan<12, 4>());
  error.to = IpAddress::v4(datagram.subspan<16, 4>());
  error.reply_ttl = datagram[8];
  error.type = static_cast<std::uint8_t>(kind >> 8);
  error.code = static_cast<std::uint8_t>(kind);
  Quote& quote = error.quote;
  quote.tuple.source = IpAddress::v4(datagram.subspan<kInside + 12, 4>());
  quote.tuple.destination = IpAddress::v4(datagram.subspan<kInside + 16, 4>());
  quote.tuple.source_port = load16(datagram, kTransport);
  quote.tuple.destination_port = load16(datagram, kTransport + 2);
  quote.ttl = datagram[kInside + 8];
  quote.traffic_class = datagram[kInside + 1];
  quote.total_size = load16(datagram, kInside + 2);
  quote.ip_id = load16(datagram, kInside + 4);
  quote.tuple.protocol = protocol_of(protocol);
  if (protocol == wire::kTcp) {
    quote.sequence = load32(datagram, kTransport + 4);
  } else {
    quote.checksum = load16(datagram, kTransport + 6);
    quote.payload = datagram.subspan(kTransport + wire::kUdpHeader, size - kTransport - wire::kUdpHeader);
  }
  return true;
}

void parse_tcp(const IpView& view, Message& message) {
  const ByteView tcp = view.payload;
  if (tcp.size() < wire::kTcpHeader) {
    message = ParseError::truncated;
    return;
  }
  const std::size_t header = std::size_t{static_cast<std::uint8_t>(tcp[12] >> 4)} * 4;
  if (header < wire::kTcpHeader || header > tcp.size()) {
    message = header > tcp.size() && !view.complete ? ParseError::truncated : ParseError::malformed;
    return;
  }
  auto& segment = start<TcpSegment>(message, view);
  segment.source_port = load16(tcp, 0);
  segment.destination_port = load16(tcp, 2);
  segment.sequence = load32(tcp, 4);
  segment.acknowledgement = load32(tcp, 8);
  segment.payload_size = static_cast<std::uint16_t>(tcp.size() - header);
  const std::uint8_t flags = tcp[13];
  segment.fin = (flags & 0x01u) != 0;
  segment.syn = (flags & 0x02u) != 0;
  segment.rst = (flags & 0x04u) != 0;
  segment.ack = (flags & 0x10u) != 0;
}

void parse_udp(const IpView& view, Message& message) {
  const ByteView udp = view.payload;
  if (udp.size() < wire::kUdpHeader) {
    message = ParseError::truncated;
    return;
  }
  const std::size_t length = load16(udp, 4);
  if (length < wire::kUdpHeader || (view.complete && length > udp.size())) {
    message = ParseError::malformed;
    return;
  }
  auto& datagram = start<UdpDatagram>(message, view);
  datagram.source_port = load16(udp, 0);
  datagram.destination_port = load16(udp, 2);
  datagram.payload = udp.first(std::min(length, udp.size())).subspan(wire::kUdpHeader);
}

}  // namespace

std::string_view to_string(InterfaceInfo::Role role) {
  constexpr auto kNames = std::to_array<std::string_view>({"incoming", "sub_ip", "outgoing", "next_hop"});
  return name_at(kNames, role);
}

KeptMpls::KeptMpls(const MplsStack& stack) : kept_(stack.depth == 0 ? nullptr : new Kept({.mpls = stack})) {}

KeptMpls::KeptMpls(ReplyNotes notes) : kept_(notes.empty() ? nullptr : new Kept(std::move(notes))) {}

void KeptMpls::let_go() noexcept {
  if (kept_->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) delete kept_;
}

Message parse(ByteView datagram) {
  Message message;
  if (!parse_usual_error(datagram, message)) message = parse_closely(datagram);
  return message;
}

Message parse_closely(ByteView datagram) {
  Message message;
  IpView view;
  if (const auto wrong = view.look_at(datagram, Origin::received)) {
    message = *wrong;
  } else if (view.protocol == wire::icmp(view.family)) {
    parse_icmp(view, message);
  } else if (view.protocol == wire::kTcp) {
    parse_tcp(view, message);
  } else if (view.protocol == wire::kUdp) {
    parse_udp(view, message);
  } else {
    message = ParseError::irrelevant;
  }
  return message;
}

std::variant<ParseError, Quote> parse_probe(ByteView datagram) {
  std::variant<ParseError, Quote> result;
  IpView view;
  if (const auto wrong = view.look_at(datagram, Origin::sent)) {
    result = *wrong;
  } else if (const auto unknown = read_quote(view, result.emplace<Quote>())) {
    result = *unknown;
  }
  return result;
}

}  // namespace ecmp::packet
