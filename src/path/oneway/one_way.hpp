#pragma once

#include <cstdint>
#include <string_view>

namespace ecmp {

/// Of packets to a reflector.
enum class OneWay : std::uint8_t { forward, reverse };

constexpr std::string_view to_string(OneWay direction) {
  return direction == OneWay::forward ? "forward" : "reverse";
}

}  // namespace ecmp
