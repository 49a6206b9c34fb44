#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace ecmp {

/// The character that begins at `at`, which moves behind it: Unicode 15, table 3-7, so no overlong forms, no
/// surrogates, nothing above U+10FFFF. nullopt if no well-formed one begins there; then `at` moves by one byte.
std::optional<char32_t> decode_utf8(std::string_view text, std::size_t& at);

/// Whether a character of a name that anyone may have chosen must not be shown: controls (XML 1.0 section 2.2 forbids
/// most of them, even as references), noncharacters, and what hides or turns around the text beside it (Unicode TR 36
/// section 2.10.2).
bool is_deceptive(char32_t character);

}  // namespace ecmp
