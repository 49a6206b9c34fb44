#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace ecmp::sim {

/// Cables drawn as text: "agent - r1 - (b1 b2 b3) - r2 - dst". `-` connects everything on its left with everything on
/// its right, `=` one to one; "(b1..b16)" is a range. Returns the pairs in the order in which they are written.
Result<std::vector<std::pair<std::string, std::string>>> parse_wires(std::string_view text);

/// Letters, digits and `_`, beginning with a letter.
bool is_node_name(std::string_view text);

}  // namespace ecmp::sim
