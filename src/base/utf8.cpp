#include "base/utf8.hpp"

#include <cstdint>

namespace ecmp {

std::optional<char32_t> decode_utf8(std::string_view text, std::size_t& at) {
  const auto first = static_cast<std::uint8_t>(text[at++]);
  if (first < 0x80) return first;
  const std::size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < more) return std::nullopt;
  char32_t point = first & (0x3fu >> more);
  for (std::size_t i = 0; i < more; ++i) {
    const auto byte = static_cast<std::uint8_t>(text[at + i]);
    if ((byte & 0xc0) != 0x80) return std::nullopt;
    point = (point << 6) | (byte & 0x3fu);
  }
  const bool overlong = (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
  if (overlong || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return std::nullopt;
  at += more;
  return point;
}

bool is_deceptive(char32_t character) {
  if (character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0xad) return true;
  if (character >= 0x200b && character <= 0x200f) return true;
  if (character >= 0x2028 && character <= 0x202e) return true;
  if (character >= 0x2060 && character <= 0x206f) return true;
  if (character == 0x61c || character == 0xfeff || (character >= 0xfdd0 && character <= 0xfdef)) return true;
  if (character >= 0xe0000 && character <= 0xe0fff) return true;
  return (character & 0xfffe) == 0xfffe;
}

}  // namespace ecmp
