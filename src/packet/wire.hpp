#pragma once

#include <cstddef>
#include <cstdint>

#include "packet/five_tuple.hpp"

/// Numbers of the protocols as they stand on the wire.
namespace ecmp::packet::wire {

inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kIcmpV6 = 58;

inline constexpr std::size_t kIpv4Header = 20;
inline constexpr std::size_t kIpv6Header = 40;
inline constexpr std::size_t kUdpHeader = 8;
inline constexpr std::size_t kTcpHeader = 20;
/// Of echo messages and of errors alike (RFC 792, RFC 4443).
inline constexpr std::size_t kIcmpHeader = 8;

inline constexpr std::uint16_t kDontFragment = 0x4000;

constexpr std::uint8_t icmp(Family family) {
  return family == Family::ipv4 ? kIcmp : kIcmpV6;
}
constexpr std::uint8_t echo_request(Family family) {
  return family == Family::ipv4 ? 8 : 128;
}
constexpr std::uint8_t echo_reply(Family family) {
  return family == Family::ipv4 ? 0 : 129;
}
constexpr std::size_t ip_header(Family family) {
  return family == Family::ipv4 ? kIpv4Header : kIpv6Header;
}

}  // namespace ecmp::packet::wire
