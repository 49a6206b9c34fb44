#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "path/localisation/loss_begin.hpp"
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
  double loss_before = 0;  ///< ratio of the probes of the paths over it: lost on links before it
  double loss_behind = 0;  ///< the same, with what may be lost on it
  /// Loss that begins on this link, as a ratio: the difference. Where a hop between two others keeps silent, the links
  /// on both sides have it.
  double begun = 0;
  std::vector<FanBend> bends;  ///< by column
};

struct FanPath : PathGraph::Strand {
  WindowFigures figures;                 ///< end to end
  std::optional<LossBegin> loss_begins;  ///< none: it loses nothing
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

/// Loss that begins between two stops, over paths that all go over both: these are put in one by one.
class FanLossBetween {
 public:
  void add(const FanPath& path, std::size_t near, std::size_t far);
  // Ratios of the paths' probes.
  [[nodiscard]] double before() const { return ratio(before_); }
  [[nodiscard]] double behind() const { return ratio(before_ + begun_); }
  [[nodiscard]] double begun() const { return ratio(begun_); }

 private:
  [[nodiscard]] double ratio(std::uint64_t losses) const;

  std::uint64_t probes_ = 0;
  std::uint64_t before_ = 0;
  std::uint64_t begun_ = 0;
};

}  // namespace ecmp::render
