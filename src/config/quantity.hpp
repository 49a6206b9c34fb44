#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace ecmp::config {

/// Bytes: a number, whole or decimal, and a unit: B, KB MB GB TB (powers of 1000) or KiB MiB GiB TiB (powers of 1024).
/// nullopt for anything else and for what does not fit.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// What is wrong with a host name or address to trace, in words that follow "expected"; empty if nothing is. Host
/// names as in RFC 1123 section 2.1, with '_' allowed, since DNS and people do use it.
std::string_view wrong_with_host_name(std::string_view name);

}  // namespace ecmp::config
