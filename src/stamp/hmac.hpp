#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "base/bytes.hpp"

namespace ecmp::stamp {

/// What STAMP keeps of an HMAC-SHA-256: its first 128 bits (RFC 8762 section 4.4).
using Tag = std::array<std::uint8_t, 16>;

/// HMAC-SHA-256 (RFC 2104) of the parts, one behind the other. A key may have any length.
std::array<std::uint8_t, 32> hmac_sha256(ByteView key, std::initializer_list<ByteView> parts);

/// The same, cut to what STAMP carries.
Tag hmac_tag(ByteView key, std::initializer_list<ByteView> parts);

/// Whether both hold the same bytes. How long it takes depends on their sizes alone, so that nobody finds out by trying
/// how many bytes of a guess were right.
bool same_in_constant_time(ByteView a, ByteView b);

}  // namespace ecmp::stamp
