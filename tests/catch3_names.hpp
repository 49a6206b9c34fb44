#pragma once

// The names that Catch2 2 (Debian 12) has at the top, for tests that are compiled with Catch2 3 (Debian 13).
#include "catch.hpp"

using Catch::Approx;

namespace Catch {
using Matchers::EndsWith;
using Matchers::Matches;
using Matchers::StartsWith;
inline auto Contains(const std::string& text) {
  return Matchers::ContainsSubstring(text);
}
}  // namespace Catch
