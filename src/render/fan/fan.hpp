#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "path/model/path_graph.hpp"

namespace ecmp::render {

/// The graph of the paths in use (path/path_graph.hpp), laid out: what the diagrams draw. A column for each TTL, the
/// agent in column 0, the destination always in the last. Deterministic: the same snapshot gives the same fan, and rows
/// do not depend on the order in which paths were found.
///
/// Cost: paths x hops for the graph, and sweeps over the columns to untangle the links; a fan of 64 branches takes less
/// than a millisecond. Bounded by what the snapshot holds.

struct FanNode : PathGraph::Node {
  WindowFigures figures;  ///< see figures_of(); nothing for agent, silent and dead_end
  std::size_t column = 0;
  double row = 0;  ///< from 0 down; two places of a column are at least 1 apart
};

/// Where a link crosses a column without a node.
struct FanBend {
  std::size_t column = 0;
  double row = 0;
};

struct FanLink : PathGraph::Link {
  double loss_before = 0;  ///< of the flows over it, until its near end: at least
  double loss_behind = 0;  ///< until its far end: at most
  /// Loss that begins on this link, as a ratio: the difference, or 0 if it may be chance. Where a hop between two
  /// others keeps silent, the links on both sides have it.
  double begun = 0;
  std::vector<FanBend> bends;  ///< by column
};

/// How much of a path's probes is lost on the way to a stop. A hop that answers all is proof that nothing is lost
/// before it, whatever is lost behind; one that answers less than the hops behind it keeps silent, and proves nothing.
/// The destination's loss is the loss of all. So a hop says how far probes get even when loss, as it is counted
/// (nothing at this hop or beyond answered), is met with for certain at the destination only.
struct FanLoss {
  double least = 0;  ///< as the hops before know it
  double most = 0;   ///< as the hops behind know it; the same for a hop that knows
};

struct FanPath : PathGraph::Strand {
  WindowFigures figures;        ///< end to end
  std::vector<FanLoss> losses;  ///< by stop
};

struct Fan {
  std::vector<FanNode> nodes;  ///< by column, and from the top down in it
  std::vector<FanLink> links;  ///< by `from`, then by `to`
  std::vector<FanPath> paths;  ///< in use, by ordinal; the one without id last
  std::size_t columns = 0;     ///< the destination's column + 1
  double rows = 0;             ///< the lowest place's row + 1
  std::uint32_t flows = 0;
  std::size_t crossings = 0;  ///< of links, as drawn

  [[nodiscard]] const FanNode& destination() const { return nodes.back(); }
};

/// Points into the snapshot, which must outlive it.
Fan make_fan(const DestinationSnapshot& snapshot);

/// Loss that begins between two stops, over paths that all go over both: each path's bounds and end-to-end probes are
/// put in, one by one.
class FanLossBetween {
 public:
  void add(const FanPath& path, std::size_t near, std::size_t far);
  [[nodiscard]] double before() const;
  [[nodiscard]] double behind() const;
  /// All of what is lost behind if nothing is lost before; else the difference if it is more than two standard errors.
  [[nodiscard]] double begun() const;

 private:
  double probes_ = 0;
  double before_ = 0;
  double behind_ = 0;
};

}  // namespace ecmp::render
