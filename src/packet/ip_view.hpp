#pragma once

#include <optional>

#include "packet/message.hpp"

namespace ecmp::packet {

/// Where the bytes of a datagram come from: how far its own header is to be believed.
enum class Origin : std::uint8_t {
  received,  ///< from the network: the length binds, an IPv4 header checksum must be right
  sent,      ///< ours: the length binds
  quoted,    ///< inside an ICMP error: TTL, checksum and even length are as some router or host left them
};

/// A checked look at the IP header of a datagram, of either version: everything in it lies inside the bytes it was
/// made from. IPv4 options and IPv6 extension headers are stepped over.
struct IpView {
  ByteView bytes;
  Family family = Family::ipv4;
  std::uint8_t ttl = 0;
  std::uint8_t traffic_class = 0;
  std::uint8_t protocol = 0;     ///< of the payload
  std::uint32_t flow_label = 0;  ///< IPv6
  std::uint16_t ip_id = 0;       ///< IPv4
  std::uint32_t total_size = 0;  ///< as the header says
  ByteView payload;              ///< what is there of it; bytes behind the IP length are cut off, except when quoted
  bool complete = false;         ///< the whole payload is there: neither cut off nor a first fragment

  /// Fills in this view, or says what is wrong. In place and not by value: a copy would cost as much as the look.
  std::optional<ParseError> look_at(ByteView datagram, Origin origin);

  [[nodiscard]] IpAddress source() const;
  [[nodiscard]] IpAddress destination() const;
};

}  // namespace ecmp::packet
