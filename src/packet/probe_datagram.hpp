#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "packet/five_tuple.hpp"
#include "stamp/packet.hpp"

namespace ecmp::packet {

/// Every header value we choose for one probe. What routers hash (tuple, dscp, flow_label, for ICMP the checksum) and
/// total_size are the same for all probes of a flow; ttl, ip_id, sequence, for UDP the checksum, and the tag tell
/// probes apart: no router hashes those.
struct ProbeDatagram {
  FiveTuple tuple;
  std::uint8_t ttl = 1;
  std::uint8_t dscp = 0;         ///< 0..63; the ECN bits are always 0
  std::uint32_t flow_label = 0;  ///< IPv6 only, 20 bits
  std::uint16_t ip_id = 0;       ///< IPv4 only; DF is always set, so the field is free for us (RFC 6864 section 4.1)
  std::uint16_t total_size = 0;  ///< of the IP datagram in bytes, at least minimum_size()
  /// UDP and ICMP: the checksum this datagram shall carry and be valid with, steered by two payload bytes. UDP: never
  /// 0 (that means "no checksum", RFC 768). Ignored for TCP, whose checksum is computed.
  std::uint16_t checksum = 0;
  std::uint32_t sequence = 0;         ///< TCP sequence number; ICMP echo: low 16 bits, the sequence
  std::array<std::uint8_t, 8> tag{};  ///< UDP and ICMP: payload bytes 2..9, after the two steering bytes
};

/// Largest probe we build.
inline constexpr std::size_t kMaximumProbeSize = 9000;

/// The least total_size: headers, and for UDP and ICMP the steering bytes and the tag. TCP: 60 on IPv4 and 80 on
/// IPv6, since the SYN carries the options of a real one (MSS, window scale, timestamps, SACK permitted).
std::size_t minimum_size(Family family, Protocol protocol);

/// Writes the datagram, IP header first, into `out` (which holds at least total_size bytes) and returns its view.
/// All checksums are right. Bytes after the tag are zero. Writes nothing and returns an empty view if the addresses
/// are not of one family, or total_size is below minimum_size(), above kMaximumProbeSize or larger than `out`.
ByteView write_probe(const ProbeDatagram& probe, MutableBytes out);

/// What a datagram of STAMP says (RFC 8762, 8972), a packet of a stream or a probe of its trace.
struct StampContent {
  stamp::Request request;
  ByteView key;              ///< of authenticated mode; empty: open mode
  std::uint8_t routers = 0;  ///< on the way back, as replies show; 0: not known
};

/// The least total_size of a datagram of STAMP: the base and a padding of 12 bytes, which holds the tag and, last, the
/// steering bytes: behind what an HMAC covers. 88 over IPv4 and 108 over IPv6, in authenticated mode 156 and 176.
std::size_t minimum_stamp_size(Family family, bool authenticated);
/// From which size on the TLV of stamp/own_tlv.hpp is in with room for a router: 144 over IPv4 and 164 over IPv6, in
/// authenticated mode 232 and 252. It takes 20 bytes less without.
std::size_t own_stamp_size(Family family, bool authenticated);
/// Where the tag stands in the UDP payload.
std::size_t stamp_tag_at(Family family, bool authenticated, std::size_t total_size);

/// Writes a datagram of STAMP as write_probe() writes others. `probe.checksum` of 0: it is computed, nothing is
/// steered. Where total_size leaves room for it the TLV of stamp/own_tlv.hpp is in, empty, and in authenticated mode
/// the HMAC that covers it. Empty and nothing written also below minimum_stamp_size().
ByteView write_stamp(const ProbeDatagram& probe, const StampContent& content, MutableBytes out);

/// Room that any RST of write_reset() fits into.
inline constexpr std::size_t kResetSize = 60;

/// The RST with which a host refuses a segment of a connection that it does not know: without ACK, with the number
/// that the segment acknowledges (RFC 9293 section 3.10.7.1). Everything that routers hash is as in the flow's probes;
/// only `tuple`, `dscp`, `flow_label` and `sequence` of `like` are used. Empty as for write_probe().
ByteView write_reset(const ProbeDatagram& like, MutableBytes out);

}  // namespace ecmp::packet
