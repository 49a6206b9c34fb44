#include "path/localisation/crosswise.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "path/statistics/intervals.hpp"

namespace ecmp {
namespace {

/// Of choices that are free by chance: less likely ones are held to depend on each other.
constexpr double kDependent = 1e-3;
/// Flows for each pair of next hops.
constexpr double kFlowsOfPair = 1;
/// Pairs in use, of those that free choices would use.
constexpr double kMostUnused = 0.25;

/// A path in use, as it passes responders: who at which TTL, unspecified where nobody or several are known.
struct Passage {
  std::vector<IpAddress> stops;  ///< by TTL, the agent at 0
  std::uint32_t flows = 0;
};

std::vector<Passage> passages_of(const DestinationSnapshot& snapshot) {
  std::vector<Passage> passages;
  for (const PathSnapshot& path : snapshot.paths) {
    if (path.flows == 0) continue;
    Passage& way = passages.emplace_back(
        Passage{.stops = std::vector<IpAddress>(path.length + std::size_t{1}), .flows = path.flows});
    std::uint8_t before = 0;
    for (const HopSnapshot& hop : path.hops) {
      if (hop.ttl == 0 || hop.ttl > path.length) continue;
      way.stops[hop.ttl] = hop.ttl == before ? IpAddress() : hop.responder;
      before = hop.ttl;
    }
    // The destination is where all ways end: no choice.
    if (path.complete) way.stops.pop_back();
  }
  return passages;
}

/// How the flows behind one responder combine their next hops at two TTLs.
struct FreeTable {
  std::map<std::pair<IpAddress, IpAddress>, std::uint32_t> pairs;
  std::map<IpAddress, std::uint32_t> near;
  std::map<IpAddress, std::uint32_t> far;
  double flows = 0;

  void add(const IpAddress& a, const IpAddress& b, std::uint32_t count) {
    pairs[{a, b}] += count;
    near[a] += count;
    far[b] += count;
    flows += count;
  }
  /// The chance of choices that depend so much on each other; 0 where they are not free.
  [[nodiscard]] double free() const {
    if (near.size() < 2 || near.size() != far.size() || pairs.size() <= near.size()) return 0;
    if (flows < kFlowsOfPair * static_cast<double>(near.size() * far.size())) return 0;
    double chi_square = 0;
    double used = 0;
    for (const auto& [a, of_a] : near) {
      for (const auto& [b, of_b] : far) {
        const double expected = of_a * static_cast<double>(of_b) / flows;
        const auto at = pairs.find({a, b});
        const double off = (at != pairs.end() ? at->second : 0) - expected;
        chi_square += off * off / expected;
        used += 1 - std::pow(1 - expected / flows, flows);
      }
    }
    if (static_cast<double>(pairs.size()) < (1 - kMostUnused) * used) return 0;
    const double chance = chi_square_tail(chi_square, static_cast<std::uint32_t>((near.size() - 1) * (far.size() - 1)));
    return chance < kDependent ? 0 : chance;
  }
};

}  // namespace

std::vector<Crosswise> crosswise_of(const DestinationSnapshot& snapshot) {
  const std::vector<Passage> passages = passages_of(snapshot);
  std::size_t longest = 0;
  for (const Passage& way : passages)
    longest = std::max(longest, way.stops.size());
  std::vector<Crosswise> found;
  for (std::size_t ttl = 0; ttl + 2 < longest; ++ttl) {
    // What is behind one of the hops of such a stretch is the rest of it.
    if (std::ranges::any_of(found,
                            [ttl](const Crosswise& of) { return of.first_ttl <= ttl && ttl + 2 <= of.last_ttl; }))
      continue;
    std::map<IpAddress, std::vector<const Passage*>> by_responder;
    for (const Passage& way : passages) {
      if (ttl + 2 < way.stops.size() && (ttl == 0 || !way.stops[ttl].is_unspecified()))
        by_responder[way.stops[ttl]].push_back(&way);
    }
    for (const auto& [at, over] : by_responder) {
      Crosswise crosswise{.ttl = static_cast<std::uint8_t>(ttl), .at = at};
      for (std::size_t next = ttl + 2; next < longest; ++next) {
        FreeTable table;
        for (const Passage* const way : over) {
          if (next >= way->stops.size()) continue;
          const IpAddress& a = way->stops[next - 1];
          const IpAddress& b = way->stops[next];
          if (!a.is_unspecified() && !b.is_unspecified()) table.add(a, b, way->flows);
        }
        const double chance = table.free();
        if (chance <= 0 || (crosswise.width != 0 && crosswise.width != table.far.size())) break;
        crosswise.last_ttl = static_cast<std::uint8_t>(next);
        if (crosswise.width != 0) continue;
        crosswise.first_ttl = static_cast<std::uint8_t>(next - 1);
        crosswise.width = static_cast<std::uint32_t>(table.far.size());
        crosswise.flows = static_cast<std::uint32_t>(table.flows);
        crosswise.pairs = static_cast<std::uint32_t>(table.pairs.size());
        crosswise.p_value = chance;
      }
      if (crosswise.width != 0) found.push_back(crosswise);
    }
  }
  return found;
}

}  // namespace ecmp
