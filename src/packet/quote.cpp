#include "packet/quote.hpp"

#include <algorithm>

#include "packet/ip_view.hpp"
#include "packet/wire.hpp"

namespace ecmp::packet {

std::optional<ParseError> read_quote(const IpView& view, Quote& quote) {
  // All that RFC 792 obliges a router to quote.
  constexpr std::size_t kSmallestTransport = 8;
  const ByteView transport = view.payload;
  const bool echo = view.protocol == wire::icmp(view.family);
  if (view.protocol != wire::kUdp && view.protocol != wire::kTcp && !echo) return ParseError::irrelevant;
  if (transport.size() < kSmallestTransport) return ParseError::truncated;

  quote.tuple.protocol = protocol_of(view.protocol);
  if (echo) {
    if (transport[0] != wire::echo_request(view.family) || transport[1] != 0) return ParseError::irrelevant;
    quote.checksum = load16(transport, 2);
    quote.tuple.source_port = load16(transport, 4);
    quote.sequence = load16(transport, 6);
    quote.payload = transport.subspan(wire::kIcmpHeader);
  } else {
    quote.tuple.source_port = load16(transport, 0);
    quote.tuple.destination_port = load16(transport, 2);
    if (view.protocol == wire::kTcp) {
      quote.sequence = load32(transport, 4);
    } else {
      quote.checksum = load16(transport, 6);
      quote.payload = transport.subspan(wire::kUdpHeader);
    }
  }
  quote.tuple.source = view.source();
  quote.tuple.destination = view.destination();
  quote.ttl = view.ttl;
  quote.traffic_class = view.traffic_class;
  quote.flow_label = view.flow_label;
  quote.ip_id = view.ip_id;
  // IPv6 can say 40 more than the field holds; no probe is as long.
  quote.total_size = static_cast<std::uint16_t>(std::min<std::uint32_t>(view.total_size, 0xffff));
  return std::nullopt;
}

}  // namespace ecmp::packet
