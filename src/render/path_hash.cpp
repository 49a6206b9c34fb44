#include "render/path_hash.hpp"

#include <array>
#include <string>

#include "render/append.hpp"

namespace ecmp::render {

namespace {

constexpr auto kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320u : 0u);
    }
    table[byte] = value;
  }
  return table;
}();

}  // namespace

std::uint32_t crc32(std::string_view text, std::uint32_t seed) {
  std::uint32_t value = ~seed;
  for (const char character : text) {
    value = (value >> 8) ^ kCrcTable[(value ^ static_cast<std::uint8_t>(character)) & 0xff];
  }
  return ~value;
}

std::uint32_t path_hash(std::span<const IpAddress> responders) {
  std::uint32_t hash = 0;
  std::string text;
  text.reserve(48);
  for (const IpAddress& responder : responders) {
    if (responder.is_unspecified()) continue;
    text.clear();
    append_address(text, responder);
    text.push_back('|');
    hash = crc32(text, hash);
  }
  return hash;
}

}  // namespace ecmp::render
