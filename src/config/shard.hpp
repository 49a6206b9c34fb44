#pragma once

#include <cstdint>
#include <string_view>

namespace ecmp::config {

/// Which of `count` agents (at least 1) traces the destination of this name: the one with the highest score of all, as
/// in rendezvous hashing (Thaler and Ravishankar, 1998). So every agent finds the same without asking, and one more
/// agent takes 1/(count + 1) of the destinations from the others, which exchange none among each other.
std::uint32_t shard_of(std::string_view name, std::uint32_t count);

}  // namespace ecmp::config
