#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.hpp"

/// The functions by which real routers choose among equal next hops, as their vendors and standards publish them. They
/// matter since most of them are linear: what they do with ports that follow each other is nothing like chance.
namespace ecmp::sim {

enum class HashFunction : std::uint8_t {
  ideal,         ///< as good as random
  crc16_bisync,  ///< polynomial x^16 + x^15 + x^2 + 1 (CRC-16/ARC)
  crc16_ccitt,   ///< polynomial x^16 + x^12 + x^5 + 1 (CRC-16/XMODEM)
  crc32_upper,   ///< upper 16 bits of the CRC-32 of IEEE 802.3
  crc32_lower,   ///< lower 16 bits of it
  xor16,         ///< all 16-bit words of the headers, added without carry
  toeplitz,      ///< Microsoft's RSS, with the key of its verification suite
  siphash,       ///< SipHash-2-4, upper 32 bits: what Linux has since 5.17
};

/// The CRCs of Ross Williams' model, without the seed that a router begins with.
std::uint16_t crc16_arc(ByteView bytes, std::uint16_t begin = 0);
std::uint16_t crc16_xmodem(ByteView bytes, std::uint16_t begin = 0);
std::uint32_t crc32_ieee(ByteView bytes, std::uint32_t begin = 0);
std::uint16_t xor16(ByteView bytes);
/// Of at most 36 bytes: addresses and ports of IPv6.
std::uint32_t toeplitz(ByteView bytes);

/// The number a router of this seed gets for these header bytes, and by which it picks one of `count` next hops.
/// Merchant silicon takes the remainder, hosts and the ideal one a share of the range (RFC 2992).
std::uint32_t choose_by_hash(HashFunction function, std::uint64_t seed, ByteView headers, std::uint32_t count);

}  // namespace ecmp::sim
