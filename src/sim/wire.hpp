#pragma once

#include <cstdint>
#include <utility>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "packet/message.hpp"
#include "sim/packet_pool.hpp"
#include "sim/topology.hpp"

/// Reading and writing of bytes by the simulated nodes. On purpose it shares nothing with src/packet: an error there
/// must not be met by the same error here.
namespace ecmp::sim {

inline constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpV6 = 58;

/// Reads what routers look at into `packet`. False if no host would forward these bytes: contradicting lengths, a wrong
/// IPv4 header checksum, too short for its transport header.
bool read_headers(Packet& packet);

/// What a host checks before it answers. UDP over IPv4 may do without (RFC 768).
bool transport_checksum_right(const Packet& packet);

IpAddress source_of(const Packet& packet);
IpAddress destination_of(const Packet& packet);
/// Of UDP and TCP.
std::uint16_t destination_port_of(const Packet& packet);

/// Fills in `hashes`, one for each HashPolicy that looks at something.
void hash_headers(Packet& packet);

/// Rewrites source address and port and remembers how to undo it. False if it could not be remembered.
bool translate(Packet& packet, NodeId at, const Nat& nat);
/// Undoes the newest translation in a reply.
void undo_translation(Packet& packet, NatQuote quote);

/// Replaces the bits of `mask` in the traffic class: 0xfc is DSCP, 0x03 ECN.
void rewrite_class(Packet& packet, std::uint8_t bits, std::uint8_t mask);

/// ICMP type and code of an answer.
struct IcmpCode {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
};
IcmpCode icmp_code(Family family, packet::ReplyKind kind);

/// These turn the probe into the reply of a node; finish() has still to be called when its TTL is known.
void make_icmp_error(Packet& packet, const Node& node, const IpAddress& from, IcmpCode code, std::uint16_t ip_id);
void make_echo_reply(Packet& packet, std::uint16_t ip_id);
void make_udp_reply(Packet& packet, const std::string& answer, std::uint16_t ip_id);
/// SYN-ACK, or RST if the port is closed or this is no SYN.
void make_tcp_reply(Packet& packet, bool open, std::uint16_t ip_id);
void make_tcp_answer(Packet& packet, std::uint8_t flags, std::uint32_t acknowledgement, std::uint16_t ip_id);
inline constexpr std::uint8_t kSyn = 0x02, kRst = 0x04, kAck = 0x10;
std::uint8_t tcp_flags_of(const Packet& packet);
std::uint32_t tcp_sequence_of(const Packet& packet);
/// A hash of addresses and ports.
std::uint64_t connection_of(const Packet& packet);
/// What a kernel answers to a segment that no socket of it knows: a RST with the number that it acknowledges.
std::vector<std::uint8_t> reset_of(const Packet& segment);

/// Writes the TTL (and with it, on IPv4, the header checksum).
void finish(Packet& packet);

bool is_echo_request(const Packet& packet);

}  // namespace ecmp::sim
