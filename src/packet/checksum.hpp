#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "packet/five_tuple.hpp"

namespace ecmp::packet {

/// The one's complement sum of 16-bit words that a sum of 16-bit or 32-bit words comes to: carries come round (RFC 1071
/// section 2 C).
inline std::uint16_t fold_sum(std::uint64_t sum) {
  sum = (sum & 0xffffffffu) + (sum >> 32);
  sum = (sum & 0xffffffffu) + (sum >> 32);
  sum = (sum & 0xffffu) + (sum >> 16);
  sum = (sum & 0xffffu) + (sum >> 16);
  return static_cast<std::uint16_t>((sum & 0xffffu) + (sum >> 16));
}

/// One's complement sum of 16-bit words (RFC 1071), not yet complemented; an odd last byte is padded with zero.
/// `initial` carries on from an earlier sum over an even number of bytes.
std::uint16_t ones_complement_sum(ByteView bytes, std::uint16_t initial = 0);

/// Sum of the pseudo header (RFC 768, RFC 9293 section 3.1, RFC 8200 section 8.1). `protocol` is the IP protocol
/// number.
std::uint16_t pseudo_header_sum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                std::uint32_t length);

}  // namespace ecmp::packet
