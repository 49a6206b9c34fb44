#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"

namespace ecmp {

/// A secret of 128 bits.
using SipKey = std::array<std::uint64_t, 2>;

/// SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012): a keyed pseudo-random function, so
/// that whoever does not know the key cannot foretell what we write into probes.
std::uint64_t siphash(const SipKey& key, ByteView message);

/// The same for a message of one or two 64-bit words (little endian).
std::uint64_t siphash(const SipKey& key, std::uint64_t first, std::uint64_t second = 0);

}  // namespace ecmp
