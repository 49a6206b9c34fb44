#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "render/fan/fan.hpp"

namespace ecmp::render {

/// A line of the fan drawn as a tree: for views that have rows and no plane.
///
/// Hops that every path goes through stand on the trunk, each once. Between two of them the ways part: each branch is
/// a group of lines one deeper, and a branch that parts again has branches of its own. So two stages of four branches
/// are four and four lines, not sixteen paths.
struct FanLine {
  std::size_t node = 0;  ///< of Fan::nodes
  std::uint8_t ttl = 0;  ///< on the paths of this line
  std::size_t depth = 0;
  bool begins = false;      ///< the first hop of a branch
  bool also = false;        ///< a further responder of the per-packet hop of the line before
  std::vector<bool> rails;  ///< for each depth from 0 to this one (without it): whether it goes on below this line
  std::uint32_t flows = 0;  ///< of the paths of this line
  WindowFigures figures;    ///< of the paths of this line
  /// Loss that begins on the link to this hop, as FanLink::begun. On the trunk below branches there is none: each
  /// branch tells of its own.
  double begun_before = 0;
  double begun_behind = 0;  ///< on the link from the end of a branch back to the trunk
};

/// From the agent to the destination.
std::vector<FanLine> fan_tree(const Fan& fan);

}  // namespace ecmp::render
