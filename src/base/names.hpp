#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace ecmp {

/// The name of an enumerator, where `names` has one for each of the enumeration in its order. "" for any other value.
template <typename Enumeration, std::size_t kCount>
constexpr std::string_view name_at(const std::array<std::string_view, kCount>& names, Enumeration value) {
  if constexpr (requires { Enumeration::count_; })
    static_assert(kCount == static_cast<std::size_t>(Enumeration::count_), "a name for each");
  const auto at = static_cast<std::size_t>(value);
  return at < kCount ? names[at] : std::string_view();
}

}  // namespace ecmp
