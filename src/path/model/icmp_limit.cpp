#include "path/model/icmp_limit.hpp"

#include <algorithm>

#include "path/statistics/intervals.hpp"

namespace ecmp {
namespace {

/// Two-sided 99.9 %: a big fabric has thousands of hops, and each is judged again in every window.
constexpr double kDoubt = 3.29;

/// Neighbours whose shares were out of order, taken together.
struct Pool {
  AnsweredShare share;
  std::size_t hops = 1;  ///< nearest first
};

Interval doubtful(const AnsweredShare& share) {
  return wilson(static_cast<double>(share.answers), static_cast<double>(share.probes), kDoubt);
}

}  // namespace

std::vector<HopSuppression> take_apart(std::span<const AnsweredShare> hops) {
  std::vector<HopSuppression> found(hops.size());
  std::vector<Pool> pools;  // of what lies behind, the nearest last: its share is the highest
  for (std::size_t i = hops.size(); i-- > 0;) {
    const AnsweredShare& here = hops[i];
    const bool anchor = i + 1 == hops.size();
    if (here.probes == 0 && !pools.empty()) {
      ++pools.back().hops;
      continue;
    }
    // Who answers as large a share as what lies behind is not limited, as the intervals would say.
    if (!anchor && here.ratio() < pools.back().share.ratio() &&
        doubtful(here).high < doubtful(pools.back().share).low) {
      found[i].limited = true;
      ++pools.back().hops;  // what reaches it is at least what reaches the next
      continue;
    }
    pools.push_back({here, 1});
    while (pools.size() > 1 && pools.back().share.ratio() < pools[pools.size() - 2].share.ratio()) {
      const Pool nearer = pools.back();
      pools.pop_back();
      pools.back().share.probes += nearer.share.probes;
      pools.back().share.answers += nearer.share.answers;
      pools.back().hops += nearer.hops;
    }
  }
  std::size_t at = 0;
  for (auto pool = pools.rbegin(); pool != pools.rend(); ++pool) {
    const double come = pool->share.ratio();
    for (std::size_t i = 0; i < pool->hops; ++i, ++at) {
      found[at].loss = 1 - come;
      if (come > 0 && hops[at].probes > 0) found[at].suppression = std::max(0.0, 1 - hops[at].ratio() / come);
    }
  }
  return found;
}

void mark_limited(PathSnapshot& path) {
  if (!path.complete || path.statistics == nullptr || path.hops.empty()) return;
  // Where everybody has answered everything, which is nearly always, nobody is limited.
  const auto keeps_quiet = [](const HopSnapshot& hop) {
    return hop.statistics != nullptr && hop.statistics->window.rtts < hop.statistics->window.probes;
  };
  if (std::ranges::none_of(path.hops, keeps_quiet)) return;
  const WindowFigures& window = path.statistics->window;
  const std::size_t length = path.length;
  std::vector<AnsweredShare> shares(length);
  for (const HopSnapshot& hop : path.hops) {
    if (hop.statistics == nullptr || hop.ttl == 0 || hop.ttl >= length) continue;
    // Of a TTL that is balanced per packet all together: who should have answered, nobody knows.
    shares[hop.ttl - 1u].probes += hop.statistics->window.probes;
    shares[hop.ttl - 1u].answers += std::min(hop.statistics->window.rtts, hop.statistics->window.probes);
  }
  shares.back() = {window.probes, window.probes - std::min(window.losses, window.probes)};
  const std::vector<HopSuppression> found = take_apart(shares);
  for (HopSnapshot& hop : path.hops) {
    if (hop.ttl >= 1 && hop.ttl < length && found[hop.ttl - 1u].limited && hop.limiting == Limiting::none)
      hop.limiting = Limiting::suspected;
  }
}

}  // namespace ecmp
