#pragma once

// Private to the .cpp files of Localisation.

#include <chrono>
#include <cstdint>

#include "base/time.hpp"
#include "path/statistics/window.hpp"

namespace ecmp {

/// How far `part` is behind `now`. Numbers of parts wrap around.
inline std::uint32_t age(std::uint32_t part, std::uint32_t now) {
  return (now - part) & WindowScale::kPartMask;
}

inline bool is_live(std::uint32_t part, std::uint32_t now) {
  const std::uint32_t behind = age(part, now);
  return behind < WindowScale::kParts || behind > WindowScale::kPartMask / 2;
}

/// Moments of losses take four bytes: hundredths of a second, which wrap around after 497 days.
inline constexpr Duration kHundredth = std::chrono::milliseconds(10);
inline constexpr std::uint32_t kHalfOfTime = ~std::uint32_t{0} / 2;
inline std::uint32_t hundredths(Instant at) {
  return static_cast<std::uint32_t>(at.time_since_epoch() / kHundredth);
}

}  // namespace ecmp
