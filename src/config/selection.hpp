#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/discovery.hpp"

namespace ecmp::config {

/// Why a destination that somebody wants is not traced.
enum class LeftOut : std::uint8_t {
  duplicate,  ///< another source has one of this name
  overlap,    ///< another source has one with flows whose replies could not be told from its own
  limit,      ///< limits.max_destinations
  count_
};
std::string_view to_string(LeftOut reason);

struct Selection {
  std::vector<Found> found;           ///< what this agent traces
  std::vector<std::string> problems;  ///< one line each; of many the first hundred, and how many there are
  std::array<std::uint64_t, static_cast<std::size_t>(LeftOut::count_)> left_out{};
  std::uint64_t elsewhere = 0;  ///< of another shard
};

/// Brings together what several sources have, the first before the others: of two destinations that cannot be traced
/// beside each other the later one is left out. Then takes the part of this shard, and of that as many as the limit
/// allows. Each source by itself has no such two. Sources are given as lists that are copied from.
Selection select_destinations(std::span<const std::vector<Found>* const> sources, const Shard& shard,
                              const Limits& limits);

}  // namespace ecmp::config
