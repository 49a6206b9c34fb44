#pragma once

#include <compare>
#include <cstdint>
#include <functional>

#include "base/ip_address.hpp"
#include "packet/protocol.hpp"

namespace ecmp {

/// The header values that equal-cost routers hash (RFC 2992, RFC 6438). For ICMP echo `source_port` is the identifier
/// and `destination_port` is 0.
struct FiveTuple {
  IpAddress source;
  IpAddress destination;
  Protocol protocol{};
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;

  friend auto operator<=>(const FiveTuple&, const FiveTuple&) = default;
  friend bool operator==(const FiveTuple&, const FiveTuple&) = default;
};

}  // namespace ecmp
