#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace ecmp::sim {

/// One's complement sum of 16-bit big-endian words (RFC 1071), on top of `initial`; not complemented.
std::uint16_t sum16(ByteView bytes, std::uint16_t initial = 0);

/// Of the pseudo header of the datagram `bytes`, whose transport starts at `header_size`.
std::uint16_t pseudo_sum(ByteView bytes, std::size_t header_size, std::uint8_t protocol);

/// A checksum after one word under it has changed (RFC 1624, equation 3).
std::uint16_t adjusted(std::uint16_t checksum, std::uint16_t before, std::uint16_t after);

}  // namespace ecmp::sim
