#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "path/localisation/crossings.hpp"

namespace ecmp::sim {

/// What flows over a network of three tiers lost, drawn directly: for sweeps that packet by packet would take days.
///
/// One edge, 4 aggregation routers, 8 cores, 5 leaves, and destinations behind them: 1 + 4 + 32 + 40 links and one per
/// destination. Edge and aggregation balance by flow, each with a hash of its own.
struct SampleOptions {
  std::uint32_t destinations = 20;
  std::uint32_t flows = 32;
  std::uint32_t rounds = 60;  ///< of every flow
  std::uint32_t bad_links = 1;
  double loss = 0.02;            ///< of a bad link
  double background = 1e-5;      ///< of every other link
  bool on_the_way_back = false;  ///< the bad links are of the way back, which flows are dealt out over anew
};

struct Sample {
  Crossings crossings;          ///< one row for each flow
  std::set<std::uint32_t> bad;  ///< links; empty if they are on the way back
};

Sample sample_network(std::uint64_t seed, const SampleOptions& options);

/// The same networks with routers that limit their ICMP, taken in round by round as the agent does.
struct LimitedOptions {
  SampleOptions sample;
  double limited_share = 0.3;  ///< of the routers: answer 5 to 60 % of what they are asked
};

struct LimitedScore {
  std::uint64_t bad = 0;
  std::uint64_t found = 0;
  std::uint64_t blamed = 0;
  std::uint64_t right = 0;
  std::uint64_t limited_routers = 0;
  std::uint64_t at_limited = 0;  ///< blamed wrongly, with a router at an end of the link that limits

  void add(const LimitedScore& other);
};

/// Of half of the limited routers the probes that they would not answer are left out, as pacing does, of the others
/// they are silent. The score after each of these numbers of rounds, rising; the last is sample.rounds.
std::vector<LimitedScore> localise_limited(std::uint64_t seed, const LimitedOptions& options,
                                           const std::vector<std::uint32_t>& after);

/// How well links are found: a group counts as right if a bad link is in it.
struct Score {
  std::uint64_t bad = 0;
  std::uint64_t found = 0;
  std::uint64_t blamed = 0;
  std::uint64_t right = 0;
  std::uint64_t members = 0;  ///< links of the groups blamed

  void add(const Score& other);
  [[nodiscard]] double precision() const;  ///< 1 if nothing is blamed
  [[nodiscard]] double recall() const;
};

Score judge(const std::vector<Blame>& blamed, const LinkGroups& groups, const std::set<std::uint32_t>& bad);

/// The links that explain_losses() blames.
std::vector<Blame> blame_by_explanation(const Crossings& collapsed);

}  // namespace ecmp::sim
