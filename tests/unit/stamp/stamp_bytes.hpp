#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

/// Bytes as tests write them.
namespace ecmp::stamp::test {

using Bytes = std::vector<std::uint8_t>;

/// "0000 0007 00*4": spaces are only for the eye, *4 stands behind a byte that comes four times.
Bytes hex(std::string_view text);
Bytes operator+(Bytes a, const Bytes& b);
Bytes text(std::string_view characters);
std::string to_hex(ByteView bytes);

}  // namespace ecmp::stamp::test
