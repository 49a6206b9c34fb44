#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/ip_address.hpp"
#include "path/model/snapshot.hpp"

namespace ecmp {

/// The paths in use to one destination as a graph. /topology (and with it the page), the diagrams, the terminal's tree,
/// the search for where loss begins and the verdicts on balance read it, so that all of them agree on what a hop, a
/// link and a gap are. It points into the snapshot, which must outlive it.
///
/// Deterministic: nodes do not depend on the order in which paths were found. Cost: paths x hops.
struct PathGraph {
  enum class Ends : std::uint8_t {
    apart,     ///< the source addresses and the distances of the destination are nodes of their own, like all hops
    together,  ///< one agent and one destination, which is there even if nothing reached it
  };

  /// What one path has observed at one place: at a hop, or end to end.
  struct Observed {
    HopCounters counters;
    const Statistics* statistics = nullptr;  ///< null: nothing
  };

  struct Place {
    std::uint8_t ttl = 0;
    IpAddress address;

    friend auto operator<=>(const Place&, const Place&) = default;
  };

  struct Node {
    enum class Kind : std::uint8_t {
      agent,        ///< this host, at TTL 0
      responder,    ///< answered at this TTL
      silent,       ///< no responder is known; one node for each pair of known hops that it lies between
      dead_end,     ///< where flows end that never reached the destination: nothing beyond the hop before answers
      destination,  ///< with Ends::apart a hop that has the destination's address
    };

    Kind kind = Kind::responder;
    std::uint8_t ttl = 0;       ///< of a destination at several distances, the least; 0 if it was not reached
    std::uint8_t last_ttl = 0;  ///< the same, but for a destination at several distances
    IpAddress address;          ///< unspecified for silent and dead_end, and for an agent without a route
    std::uint32_t flows = 0;    ///< that pass here now
    std::uint32_t paths = 0;
    bool balanced = false;                   ///< one of several responders that packets of one flow alternate over
    bool limited = false;                    ///< it limits its ICMP errors
    const packet::KeptMpls* mpls = nullptr;  ///< null: none
    std::vector<Observed> observed;          ///< by path; empty for agent, silent and dead_end
    Place before;                            ///< of a gap: what answers next to it, or the agent
    Place behind;                            ///< the same; TTL 0: nothing does

    [[nodiscard]] bool answers() const { return kind == Kind::responder || kind == Kind::destination; }
    [[nodiscard]] bool is_gap() const { return kind == Kind::silent || kind == Kind::dead_end; }
  };

  struct Link {
    std::size_t from = 0;  ///< of `nodes`
    std::size_t to = 0;
    std::uint32_t flows = 0;
    std::uint32_t paths = 0;
    bool per_packet = false;                  ///< packets of the same flow take this link and others
    std::vector<std::uint16_t> source_ports;  ///< rising
    // Of the probes to `to` within the window, and of those to `from` on the same paths: what is lost at the far end
    // and not at the near one is lost on the link (or on the ways back from them).
    std::uint64_t probes = 0;
    std::uint64_t losses = 0;
    std::uint64_t near_probes = 0;
    std::uint64_t near_losses = 0;
  };

  struct Stop {
    std::size_t node = 0;
    Observed observed;  ///< of this path alone
  };

  /// The flows on one path.
  struct Strand {
    const PathSnapshot* path = nullptr;  ///< null: no path is known of these flows
    std::uint32_t id = 0;                ///< 0 without a path, and so is the ordinal
    std::uint32_t ordinal = 0;
    std::uint8_t length = 0;
    bool complete = false;
    std::uint32_t flows = 0;
    std::vector<std::uint16_t> source_ports;  ///< rising
    Observed observed;                        ///< end to end
    /// By TTL, the agent first; more than one where packets are balanced one by one. A path that is not complete ends
    /// in a dead end.
    std::vector<std::vector<Stop>> stops;
  };

  std::vector<Node> nodes;      ///< with Ends::together the agent is the first and the destination the second
  std::vector<Link> links;      ///< by `from`, then by `to`
  std::vector<Strand> strands;  ///< of paths in use, by ordinal; the one without a path last
};

PathGraph path_graph(const DestinationSnapshot& snapshot, PathGraph::Ends ends);

/// The window over all of them.
WindowFigures window_of(std::span<const PathGraph::Observed> observed);
/// The same, where what has nothing in its window counts since its begin; then there are no quantiles of it (they are
/// 0).
WindowFigures figures_of(std::span<const PathGraph::Observed> observed);

}  // namespace ecmp
