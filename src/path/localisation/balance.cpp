#include "path/localisation/balance.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "path/model/path_graph.hpp"
#include "path/statistics/intervals.hpp"

namespace ecmp {
namespace {

constexpr double kUnevenChance = 1e-3;
constexpr double kPolarisedChance = 1e-4;
/// Flows expected on each next hop, so that chi-square is what the statistic follows.
constexpr double kLeastExpected = 5;
/// The same of a pair of next hops on average: their number is judged, and not one of them.
constexpr double kLeastOfPair = 1;

using Place = std::pair<std::uint8_t, IpAddress>;

/// A path as it passes responders: the one at each TTL, unspecified where none or several are known.
struct Way {
  std::vector<IpAddress> stops;  ///< by TTL, the agent first
  std::uint32_t flows = 0;
};

std::vector<Way> ways_of(const PathGraph& graph) {
  std::vector<Way> ways;
  for (const PathGraph::Strand& strand : graph.strands) {
    Way& way = ways.emplace_back(Way{{}, strand.flows});
    for (const auto& stops : strand.stops)
      way.stops.push_back(stops.size() == 1 ? graph.nodes[stops.front().node].address : IpAddress());
  }
  return ways;
}

/// Next hops of a responder, with the flows to each.
using Choices = std::map<IpAddress, std::uint32_t>;

void judge(Branching& branching, const Choices& choices) {
  double flows = 0;
  for (const auto& [address, count] : choices) {
    branching.next_hops.push_back({address, count});
    flows += count;
  }
  const double expected = flows / static_cast<double>(choices.size());
  for (const auto& [address, count] : choices)
    branching.chi_square += (count - expected) * (count - expected) / expected;
  branching.p_value = chi_square_tail(branching.chi_square, static_cast<std::uint32_t>(choices.size() - 1));
  branching.decided = expected >= kLeastExpected;
  branching.uneven = branching.decided && branching.p_value < kUnevenChance;
}

/// Independence of two choices by chi-square. With the shares as they are: an uneven stage is not a polarised one.
void judge(Polarisation& pair, const std::map<std::pair<IpAddress, IpAddress>, std::uint32_t>& table) {
  Choices first;
  Choices second;
  double flows = 0;
  for (const auto& [choice, count] : table) {
    first[choice.first] += count;
    second[choice.second] += count;
    flows += count;
  }
  pair.flows = static_cast<std::uint32_t>(flows);
  pair.pairs = static_cast<std::uint32_t>(table.size());
  pair.possible = static_cast<std::uint32_t>(first.size() * second.size());
  double chi_square = 0;
  for (const auto& [a, of_a] : first) {
    for (const auto& [b, of_b] : second) {
      const double expected = of_a * static_cast<double>(of_b) / flows;
      const auto at = table.find({a, b});
      const double off = (at != table.end() ? at->second : 0) - expected;
      chi_square += off * off / expected;
      pair.expected += 1 - std::pow(1 - expected / flows, flows);
    }
  }
  const auto degrees = static_cast<std::uint32_t>((first.size() - 1) * (second.size() - 1));
  pair.p_value = chi_square_tail(chi_square, degrees);
  pair.polarised = pair.p_value < kPolarisedChance && pair.pairs <= 0.75 * pair.expected;
}

}  // namespace

Balance balance_of(const DestinationSnapshot& snapshot) {
  const std::vector<Way> ways = ways_of(path_graph(snapshot, PathGraph::Ends::apart));
  std::map<Place, Choices> branchings;
  for (const Way& way : ways) {
    for (std::size_t ttl = 0; ttl + 1 < way.stops.size(); ++ttl) {
      if (way.stops[ttl].is_unspecified() || way.stops[ttl + 1].is_unspecified()) continue;
      branchings[{static_cast<std::uint8_t>(ttl), way.stops[ttl]}][way.stops[ttl + 1]] += way.flows;
    }
  }
  std::erase_if(branchings, [](const auto& entry) { return entry.second.size() < 2; });
  Balance balance;
  for (const auto& [place, choices] : branchings) {
    if (balance.branchings.size() == kMostBranchings) break;
    Branching& branching = balance.branchings.emplace_back();
    branching.ttl = place.first;
    branching.at = place.second;
    judge(branching, choices);
  }
  for (const Branching& later : balance.branchings) {
    // The nearest one before: who is polarised against a stage further up is so against one between as well.
    std::map<Place, std::map<std::pair<IpAddress, IpAddress>, std::uint32_t>> tables;
    for (const Way& way : ways) {
      const std::size_t at = later.ttl;
      if (at + 1 >= way.stops.size() || way.stops[at] != later.at || way.stops[at + 1].is_unspecified()) continue;
      for (std::size_t ttl = at; ttl-- > 0;) {
        const Place place{static_cast<std::uint8_t>(ttl), way.stops[ttl]};
        if (!branchings.contains(place) || way.stops[ttl + 1].is_unspecified()) continue;
        tables[place][{way.stops[ttl + 1], way.stops[at + 1]}] += way.flows;
        break;
      }
    }
    for (const auto& [place, table] : tables) {
      Polarisation pair{.first_ttl = place.first, .first = place.second, .second_ttl = later.ttl, .second = later.at};
      judge(pair, table);
      if (pair.flows >= kLeastOfPair * pair.possible && pair.possible >= 4 &&
          balance.polarisations.size() < kMostBranchings)
        balance.polarisations.push_back(pair);
    }
  }
  return balance;
}

}  // namespace ecmp
