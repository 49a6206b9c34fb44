#pragma once

#include <cstdint>
#include <vector>

#include "path/localisation/flow_graph.hpp"

namespace ecmp {

/// Chooses few trails that go over every path, each at least `per_path` times as far as there are so many, and over
/// every link. Of those that do equally well the ones in `preferred` (by trail) are taken; they all stay, but for those
/// that have become useless, where that costs not many more. Returns the numbers of the trails, rising.
std::vector<std::uint32_t> cover(const FlowGraph& graph, const std::vector<bool>& preferred, std::uint32_t per_path);

}  // namespace ecmp
