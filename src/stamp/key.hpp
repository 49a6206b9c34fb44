#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace ecmp::stamp {

/// Below this a key could be found by trying (RFC 2104 section 3: not less than the digest, here what is kept of it).
inline constexpr std::size_t kShortestKey = 16;

/// The key in a key file: what its first line says in hexadecimal, or, when that is not an even number of hexadecimal
/// digits, the bytes of the line as they are. The error follows "FILE: ".
Result<std::vector<std::uint8_t>> read_key(std::string_view text);

}  // namespace ecmp::stamp
