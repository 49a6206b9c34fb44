#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "packet/message.hpp"
#include "path/model/snapshot.hpp"

namespace ecmp::render {

/// The paths in use to one destination as a layered graph: what the diagrams and views draw. A column for each TTL, the
/// agent in column 0, the destination always in the last. Deterministic: the same snapshot gives the same fan, and rows
/// do not depend on the order in which paths were found.
///
/// Cost: paths x hops for the graph, and sweeps over the columns to untangle the links; a fan of 64 branches takes less
/// than a millisecond. Bounded by what the snapshot holds.

/// What was observed, over the rolling window; since the start where there is no window.
struct FanFigures {
  std::uint64_t probes = 0;  ///< finished
  std::uint64_t losses = 0;
  std::uint64_t silences = 0;
  std::uint64_t rtts = 0;  ///< 0: there are no quantiles
  Duration p50{};          ///< where several paths meet: the median of theirs, by number of replies
  Duration p95{};          ///< where several paths meet: the largest of theirs, and so is p99
  Duration p99{};

  [[nodiscard]] double loss_ratio() const;     ///< 0 without probes
  [[nodiscard]] double silence_ratio() const;  ///< 0 without probes
};

struct FanNode {
  enum class Kind : std::uint8_t {
    agent,        ///< us, in column 0
    responder,    ///< answered at this TTL
    silent,       ///< a hop of which no responder is known, one node for each pair of known hops that it lies between
    dead_end,     ///< where flows end that never reached the destination: nothing beyond the hop before answers
    destination,  ///< exactly one, also if nobody reached it
  };

  Kind kind = Kind::responder;
  std::uint8_t ttl = 0;       ///< of a destination at several distances, the least; 0 if it was not reached
  std::uint8_t last_ttl = 0;  ///< the same, but for a destination at several distances
  IpAddress address;          ///< unspecified for silent and dead_end, and for an agent without a route
  std::uint32_t flows = 0;    ///< that pass here now
  std::uint32_t paths = 0;
  bool balanced = false;  ///< one of several responders that packets of one flow alternate over
  FanFigures figures;     ///< none for agent, silent and dead_end
  packet::KeptMpls mpls;
  std::size_t column = 0;
  double row = 0;  ///< from 0 down; two places of a column are at least 1 apart
};

/// Where a link crosses a column without a node.
struct FanBend {
  std::size_t column = 0;
  double row = 0;
};

struct FanLink {
  std::size_t from = 0;  ///< nodes of Fan::nodes
  std::size_t to = 0;
  std::uint32_t flows = 0;
  std::uint32_t paths = 0;
  bool per_packet = false;  ///< packets of the same flow take this link and others
  double loss_before = 0;   ///< of the flows over it, until its near end: at least
  double loss_behind = 0;   ///< until its far end: at most
  /// Loss that begins on this link, as a ratio: the difference, or 0 if it may be chance. Where a hop between two
  /// others keeps silent, the links on both sides have it.
  double begun = 0;
  std::vector<FanBend> bends;  ///< by column
};

struct FanStop {
  std::size_t node = 0;
  FanFigures figures;  ///< of this path alone
};

/// How much of a path's probes is lost on the way to a stop. A hop that answers all is proof that nothing is lost
/// before it, whatever is lost behind; one that answers less than the hops behind it keeps silent, and proves nothing.
/// The destination's loss is the loss of all. So a hop says how far probes get even when loss, as it is counted
/// (nothing at this hop or beyond answered), is met with for certain at the destination only.
struct FanLoss {
  double least = 0;  ///< as the hops before know it
  double most = 0;   ///< as the hops behind know it; the same for a hop that knows
};

struct FanPath {
  std::uint32_t id = 0;       ///< 0 for flows of which no path is known
  std::uint32_t ordinal = 0;  ///< 0 as well
  std::uint8_t length = 0;
  bool complete = false;
  std::uint32_t flows = 0;
  std::vector<std::uint16_t> source_ports;  ///< rising
  FanFigures figures;                       ///< end to end
  /// By TTL, the agent first; more than one where packets are balanced one by one. A path that is not complete ends in
  /// a dead_end.
  std::vector<std::vector<FanStop>> stops;
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

Fan make_fan(const DestinationSnapshot& snapshot);

/// Figures of several paths at one place, as one.
FanFigures combined(std::span<const FanFigures> figures);

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
