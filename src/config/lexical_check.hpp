#pragma once

#include <optional>
#include <string_view>

#include "config/config.hpp"

namespace ecmp::config {

/// Largest configuration we read, in bytes: room for some 300,000 destinations.
inline constexpr std::size_t kLargestText = 64u << 20;

/// What must not reach toml++, found by walking the text once with the lexical rules of TOML 1.0 (strings, comments,
/// brackets, dots of keys):
/// - text that is too long, or not UTF-8: told with an exact place;
/// - keys of hundreds of thousands of dotted parts, or brackets nested as deep: toml++ builds a tree of that depth and
///   overflows the stack when it destroys it;
/// - characters beyond ASCII where only white space may stand: some of them (the bytes EF BB BE) lead toml++ 3.3 into
///   __builtin_unreachable.
/// Text that is merely bad TOML passes: toml++ says better what is wrong with it, and stops at that place.
std::optional<Problem> find_unsafe(std::string_view text);

}  // namespace ecmp::config
