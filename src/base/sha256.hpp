#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"

namespace ecmp {

/// SHA-256 (FIPS 180-4). For naming things the way others name them; secrets are SipHash's.
std::array<std::uint8_t, 32> sha256(ByteView message);

}  // namespace ecmp
