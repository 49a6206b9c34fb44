#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ecmp::tui {

/// What stands in one cell of a terminal, or in two.
struct Symbol {
  char32_t code = U' ';
  std::uint8_t width = 1;  ///< 1 or 2
};

/// Takes the first symbol off a text that must not be empty. Whatever a terminal might obey, reorder or disagree with
/// us on the width of comes back as '?': controls, escapes, bytes that are no UTF-8, combining and invisible
/// characters, scripts written from right to left, unassigned and private code points. Names come from the network.
Symbol take_symbol(std::string_view& text);

/// Columns that the text takes.
std::size_t width_of(std::string_view text);

void append_utf8(std::string& to, char32_t code);

/// Without what take_symbol() would not let through.
std::string printable(std::string_view text);

/// Whether `part` is in `text`; ASCII letters are compared without case. An empty part is in everything.
bool contains(std::string_view text, std::string_view part);

}  // namespace ecmp::tui
