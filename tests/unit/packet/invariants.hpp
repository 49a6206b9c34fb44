#pragma once

#include <tuple>
#include <variant>

#include "packet/message.hpp"

/// What must hold of any answer of parse(), whatever the bytes were.
namespace ecmp::packet::samples {

inline bool inside(ByteView whole, ByteView part) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

inline bool sound(ByteView datagram, const Quote& quote) {
  return inside(datagram, quote.payload) && quote.tuple.source.family() == quote.tuple.destination.family() &&
         quote.flow_label <= 0xfffff && (quote.tuple.protocol != Protocol::icmp || quote.tuple.destination_port == 0);
}

inline bool same(const Quote& a, const Quote& b) {
  const auto numbers = [](const Quote& quote) {
    return std::tuple(quote.ttl, quote.traffic_class, quote.flow_label, quote.ip_id, quote.total_size, quote.checksum,
                      quote.sequence, quote.payload.data(), quote.payload.size());
  };
  return a.tuple == b.tuple && numbers(a) == numbers(b);
}

/// Whether two readings of the same bytes agree: in kind, and of an ICMP error in all that it says.
inline bool same(const Message& a, const Message& b) {
  const auto* one = std::get_if<IcmpError>(&a);
  const auto* other = std::get_if<IcmpError>(&b);
  if (one == nullptr || other == nullptr) return a.index() == b.index();
  return one->from == other->from && one->to == other->to && one->reply_ttl == other->reply_ttl &&
         one->type == other->type && one->code == other->code && one->mtu == other->mtu && one->mpls == other->mpls &&
         one->interfaces == other->interfaces && same(one->quote, other->quote);
}

inline bool sound(ByteView datagram, const Message& message) {
  if (const auto* error = std::get_if<IcmpError>(&message)) {
    if (error->mpls.depth > MplsStack::kMaximum) return false;
    for (const MplsLabel& label : error->mpls.view())
      if (label.label > 0xfffff || label.traffic_class > 7) return false;
    return sound(datagram, error->quote) && error->from.family() == error->quote.tuple.source.family() &&
           reply_kind(error->from.family(), error->type, error->code) != ReplyKind::none;
  }
  if (const auto* reply = std::get_if<EchoReply>(&message)) return inside(datagram, reply->payload);
  if (const auto* udp = std::get_if<UdpDatagram>(&message)) return inside(datagram, udp->payload);
  return true;
}

}  // namespace ecmp::packet::samples
