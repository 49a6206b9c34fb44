#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/ip_address.hpp"
#include "path/localisation/flow_graph.hpp"
#include "path/search/search_progress.hpp"
#include "probe/round.hpp"

namespace ecmp {

struct SearchRules {
  SearchAim aim;
  std::uint32_t max_flows = 512;         ///< that may be asked, those included that are probed anyway
  std::uint32_t min_flows_per_path = 2;  ///< to be kept
};

/// Finds the paths to one destination: asks flow after flow where it goes, until further ones are not likely to show
/// anything new, and says which few of them go over all that was found. Pure: whoever owns it sends the probes.
///
/// Flows are asked in batches (Vermeulen et al.: Diamond-Miner, 2020): of one batch as many as the router that is short
/// of most asks for. What was not answered, though something beyond it was, is asked again a few times first.
class PathSearch {
 public:
  /// `steady`: flows that are probed anyway. They are never asked, but their rounds are taken in.
  PathSearch(const SearchRules& rules, const std::vector<std::uint32_t>& steady);

  struct Ask {
    std::uint32_t flow = 0;
    std::uint32_t rounds = 1;
  };
  /// What to ask next. Empty while answers are awaited, and when the search is over.
  std::vector<Ask> plan();

  /// A round of any flow.
  void on_round(std::uint32_t flow, const Round& round);

  [[nodiscard]] bool awaiting() const { return awaited_ > 0; }
  /// What was asked and has not been answered will not be.
  void stop_waiting();
  [[nodiscard]] bool over() const { return over_; }

  [[nodiscard]] const SearchProgress& progress() const { return progress_; }
  /// Once it is over: the flows to be probed from now on, rising. Empty when nobody has answered at all.
  [[nodiscard]] const std::vector<std::uint16_t>& keep() const { return kept_; }
  /// Whether any flow has reached the destination.
  [[nodiscard]] bool reached() const;

 private:
  static constexpr std::uint32_t kFirst = 6;      ///< flows of the first batch: as many as tell one branch from two
  static constexpr std::uint32_t kMostAsked = 4;  ///< times that a hop without an answer is asked
  static constexpr std::size_t kMostRounds = 16;  ///< kept of a flow

  struct Seen {
    bool steady = false;
    std::uint32_t awaited = 0;                       ///< rounds
    std::uint32_t asked = 0;                         ///< rounds
    std::vector<std::vector<std::uint32_t>> rounds;  ///< responders by TTL - 1
    std::vector<Trail::Tally> tallies;               ///< by TTL - 1
    bool reached = false;
    std::size_t distance = 0;  ///< 0: it was not reached
    bool lost = false;         ///< a round that asked the destination was not answered
    std::size_t presumed = 0;  ///< where other flows reach it, which was left out of this one's rounds; 0: unknown
  };
  /// A balancer per packet: behind this router (at TTL `ttl`, 0 for ourselves) these TTLs vary.
  struct Varying {
    std::size_t ttl = 0;
    std::uint32_t responder = 0;
    std::vector<bool> hops;  ///< by TTL - 1
  };

  std::uint32_t number_of(const IpAddress& responder);
  void end_at(Trail& trail, std::size_t distance) const;
  [[nodiscard]] Trail trail_of(const Seen& seen) const;
  void find_varying();
  void judge();
  std::vector<Ask> ask_again();
  [[nodiscard]] std::uint32_t flows_missing() const;
  void ask(std::vector<Ask>& asks, std::uint32_t flow, std::uint32_t rounds);
  void settle();

  SearchRules rules_;
  std::map<std::uint32_t, Seen> seen_;  ///< by flow
  std::unordered_map<IpAddress, std::uint32_t> numbers_;
  std::vector<IpAddress> addresses_;    ///< by number
  std::uint32_t end_ = Trail::kNobody;  ///< who answered as the destination last
  std::vector<Varying> varying_;
  std::vector<std::uint32_t> flows_;  ///< of the trails of the graph
  std::optional<FlowGraph> graph_;
  StoppingRule rule_;
  std::uint32_t rule_for_ = 1;  ///< dividing hops
  std::uint32_t awaited_ = 0;
  std::uint32_t next_flow_ = 0;
  bool over_ = false;
  std::vector<std::uint16_t> kept_;
  SearchProgress progress_;
};

}  // namespace ecmp
