#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/utf8.hpp"

namespace ecmp::config {

[[nodiscard]] bool is_utf8(std::string_view text);

/// Whether a terminal or a log reader may take this code point for an instruction: C0 and C1 controls, DEL, line and
/// paragraph separators, and the marks that turn the direction of text.
[[nodiscard]] bool is_control(char32_t point);

[[nodiscard]] bool has_control(std::string_view text);

/// Text for a message: one line, without control characters (they become \n, \t or \u{1b}; bytes that are not UTF-8
/// become \xff), cut with "..." after so many characters.
[[nodiscard]] std::string printable(std::string_view text, std::size_t longest = 80);

/// printable() in double quotes.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// The text without passwords in URLs and without bcrypt hashes, for lines that are quoted because they could not be
/// read.
[[nodiscard]] std::string without_secrets(std::string_view text);

/// The candidate that `word` was probably meant to be; empty if none is near.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace ecmp::config
