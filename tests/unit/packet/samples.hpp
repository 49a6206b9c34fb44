#pragma once

#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include "packet/message.hpp"
#include "packet/probe_datagram.hpp"

/// Datagrams for the tests of this directory, built byte by byte and summed with a checksum of their own, so that the
/// code under test is not measured with itself.
namespace ecmp::packet::samples {

using Bytes = std::vector<std::uint8_t>;

inline constexpr Family kFamilies[] = {Family::ipv4, Family::ipv6};
inline constexpr Protocol kProtocols[] = {Protocol::udp, Protocol::tcp, Protocol::icmp};

/// "4500 003c 00*4": spaces are only for the eye, *4 stands behind a byte that comes four times.
Bytes hex(std::string_view text);
Bytes operator+(Bytes a, const Bytes& b);

/// RFC 1071 as it is written there, 16 bits at a time.
std::uint16_t plain_sum(ByteView bytes, std::uint32_t sum = 0);
std::uint16_t plain_pseudo_sum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                               std::size_t length);

/// 198.51.100.1 to 192.0.2.1, or the same in 2001:db8::/32; ports 50000 and 33434, 443 for TCP, 0 for ICMP.
FiveTuple tuple(Family family, Protocol protocol);
ProbeDatagram probe(Family family, Protocol protocol, std::uint16_t total_size = 0);
ProbeDatagram random_probe(Family family, Protocol protocol, std::mt19937_64& random);
Bytes written(const ProbeDatagram& probe);

/// An IP datagram to our host with right lengths and header checksum.
Bytes ip(Family family, std::uint8_t protocol, const Bytes& payload, std::uint8_t ttl = 64);
/// Type, code, the four bytes behind the checksum, body; with the right checksum, in IP from a router.
Bytes icmp(Family family, std::uint8_t type, std::uint8_t code, std::uint32_t rest, const Bytes& body);
Bytes time_exceeded(Family family, const Bytes& quote, std::uint32_t rest = 0);

/// An extension structure (RFC 4884 section 7) with a right checksum around these objects.
Bytes extension(const Bytes& objects);
/// Objects of RFC 4950 with labels 16004 and 24005.
Bytes mpls_objects();
MplsStack mpls_stack();
/// Cut or filled with zeros.
Bytes padded(Bytes bytes, std::size_t size);

}  // namespace ecmp::packet::samples
