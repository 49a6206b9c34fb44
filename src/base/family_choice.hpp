#pragma once

#include <cstdint>

namespace ecmp {

/// Which address family a name is wanted in.
enum class FamilyChoice : std::uint8_t { any, ipv4, ipv6 };

}  // namespace ecmp
