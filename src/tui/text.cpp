#include "tui/text.hpp"

#include <algorithm>
#include <array>

#include "base/utf8.hpp"

namespace ecmp::tui {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

/// Scripts and signs that stand alone, run from left to right, and are one column wide in every terminal: those that
/// host names are written in, and what we draw with ourselves.
constexpr std::array kNarrow = {
    Range{0x20, 0x7e},     Range{0xa1, 0xac},     Range{0xae, 0x2ff},    Range{0x370, 0x377},   Range{0x37a, 0x37f},
    Range{0x384, 0x38a},   Range{0x38c, 0x38c},   Range{0x38e, 0x3a1},   Range{0x3a3, 0x482},   Range{0x48a, 0x52f},
    Range{0x531, 0x556},   Range{0x559, 0x58a},   Range{0x10d0, 0x10ff}, Range{0x1e00, 0x1eff}, Range{0x2010, 0x2027},
    Range{0x2030, 0x205e}, Range{0x20a0, 0x20bf}, Range{0x2190, 0x21ff}, Range{0x2500, 0x259f}, Range{0x25a0, 0x25cf},
};

/// Two columns wide (Unicode Standard Annex 11, "W" and "F"), as far as host names are written in them.
constexpr std::array kWide = {
    Range{0x2e80, 0x2e99}, Range{0x2e9b, 0x2ef3}, Range{0x3001, 0x3029},   Range{0x3041, 0x3096}, Range{0x309b, 0x30ff},
    Range{0x3105, 0x312f}, Range{0x3131, 0x3163}, Range{0x3400, 0x4dbf},   Range{0x4e00, 0x9ffc}, Range{0xac00, 0xd7a3},
    Range{0xf900, 0xfa6d}, Range{0xff01, 0xff60}, Range{0x20000, 0x2a6dd},
};

template <std::size_t size>
bool in(const std::array<Range, size>& ranges, char32_t code) {
  const auto above = std::upper_bound(ranges.begin(), ranges.end(), code,
                                      [](char32_t value, const Range& range) { return value < range.first; });
  return above != ranges.begin() && code <= std::prev(above)->last;
}

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

}  // namespace

Symbol take_symbol(std::string_view& text) {
  std::size_t length = 0;
  const auto code = decode_utf8(text, length);
  text.remove_prefix(length);
  if (code && in(kNarrow, *code)) return {*code, 1};
  if (code && in(kWide, *code)) return {*code, 2};
  return {U'?', 1};
}

std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty())
    width += take_symbol(text).width;
  return width;
}

void append_utf8(std::string& to, char32_t code) {
  const auto push = [&](char32_t byte) { to.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    push(code);
  } else if (code < 0x800) {
    push(0xc0 | (code >> 6));
    push(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    push(0xe0 | (code >> 12));
    push(0x80 | ((code >> 6) & 0x3f));
    push(0x80 | (code & 0x3f));
  } else {
    push(0xf0 | (code >> 18));
    push(0x80 | ((code >> 12) & 0x3f));
    push(0x80 | ((code >> 6) & 0x3f));
    push(0x80 | (code & 0x3f));
  }
}

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty())
    append_utf8(result, take_symbol(text).code);
  return result;
}

bool contains(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char a, char b) { return lower(a) == lower(b); }) != text.end();
}

}  // namespace ecmp::tui
