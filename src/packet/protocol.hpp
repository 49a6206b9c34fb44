#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/ip_address.hpp"

namespace ecmp {

/// What carries a probe.
enum class Protocol : std::uint8_t { udp, tcp, icmp };

/// What differs from protocol to protocol and is no behaviour. How probes are written and answers read stands in
/// packet/probe_datagram.cpp, packet/quote.cpp and packet/message.cpp.
struct ProtocolTraits {
  std::string_view name;         ///< in the configuration, in JSON and in labels
  std::string_view upper_name;   ///< for people, and in recordings of ecmp_trace
  std::string_view option;       ///< of ecmp_trace
  std::uint8_t number_v4 = 0;    ///< IANA's, in the header of IPv4
  std::uint8_t number_v6 = 0;    ///< and as the next header of IPv6
  std::uint16_t usual_port = 0;  ///< where none is configured; 0: it has none
};

/// By Protocol.
inline constexpr std::array<ProtocolTraits, 3> kProtocols{
    {{"udp", "UDP", "-U", 17, 17, 33434}, {"tcp", "TCP", "-T", 6, 6, 443}, {"icmp", "ICMP", "-I", 1, 58, 0}}};

/// Of STAMP packets (RFC 8762).
inline constexpr Protocol kStampProtocol = Protocol::udp;

constexpr const ProtocolTraits& traits(Protocol protocol) {
  return kProtocols[static_cast<std::size_t>(protocol)];
}

constexpr std::uint8_t wire_number(Family family, Protocol protocol) {
  return family == Family::ipv4 ? traits(protocol).number_v4 : traits(protocol).number_v6;
}

/// Protocols by number: no number is one of two of them.
inline constexpr std::array<Protocol, 256> kProtocolByNumber = [] {
  std::array<Protocol, 256> by_number{};
  for (std::size_t i = 0; i < kProtocols.size(); ++i)
    by_number[kProtocols[i].number_v4] = by_number[kProtocols[i].number_v6] = static_cast<Protocol>(i);
  return by_number;
}();

/// The protocol of a number that is known to be of one of these.
constexpr Protocol protocol_of(std::uint8_t number) {
  return kProtocolByNumber[number];
}

/// ICMP has an identifier instead, which is used as the source port.
constexpr bool has_ports(Protocol protocol) {
  return protocol != Protocol::icmp;
}

/// The destination port that a protocol makes of this one: 0 where it has none.
constexpr std::uint16_t port_of(Protocol protocol, std::uint16_t port) {
  return has_ports(protocol) ? port : std::uint16_t{0};
}

}  // namespace ecmp
