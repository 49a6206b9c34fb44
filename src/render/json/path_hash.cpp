#include "render/json/path_hash.hpp"

#include <array>
#include <string>

#include "base/sha256.hpp"
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

/// The known addresses in TTL order, each followed by "|".
std::string text_of(std::span<const IpAddress> responders) {
  std::string text;
  text.reserve(responders.size() * 16);
  for (const IpAddress& responder : responders) {
    if (responder.is_unspecified()) continue;
    append_address(text, responder);
    text.push_back('|');
  }
  return text;
}

ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

std::uint32_t crc32(std::string_view text, std::uint32_t seed) {
  std::uint32_t value = ~seed;
  for (const char character : text) {
    value = (value >> 8) ^ kCrcTable[(value ^ static_cast<std::uint8_t>(character)) & 0xff];
  }
  return ~value;
}

std::uint32_t path_hash(std::span<const IpAddress> responders) {
  return crc32(text_of(responders));
}

void append_path_hash(std::string& out, std::span<const IpAddress> responders, PathHash hash) {
  const std::string text = text_of(responders);
  if (hash == PathHash::crc32) {
    append_hex8(out, crc32(text));
  } else if (text.empty()) {
    out.append(64, '0');
  } else {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (const std::uint8_t byte : sha256(as_bytes(text))) {
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    }
  }
}

}  // namespace ecmp::render
