#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "path/model/snapshot.hpp"

namespace ecmp {

/// Probes of a hop and how many were answered.
struct AnsweredShare {
  std::uint64_t probes = 0;
  std::uint64_t answers = 0;
  [[nodiscard]] double ratio() const {
    return probes == 0 ? 0 : static_cast<double>(answers) / static_cast<double>(probes);
  }
};

/// What keeps a hop from answering, taken apart.
struct HopSuppression {
  double loss = 0;         ///< share of the probes (or of their answers) lost on the way up to this hop
  double suppression = 0;  ///< share of those that came so far that the hop itself did not answer
  bool limited = false;    ///< and that is beyond doubt
};

/// Of hops that are answered in the shares a_1 ... a_n, the destination last: a_i = (1 - loss up to i) * (1 -
/// suppression_i). What the network loses it loses for all that lies behind as well, so 1 - loss does not grow with the
/// distance, and the destination, whose answers nobody suppresses, anchors it: going from there towards us, a hop that
/// answers significantly less than what lies behind it is limited; through all others goes the isotonic regression
/// (pool adjacent violators, weighted by probes). A hop without probes says nothing, and gets what lies behind it.
std::vector<HopSuppression> take_apart(std::span<const AnsweredShare> hops);

/// Marks the hops of a complete path that are limited as far as its window can tell, and those which pacing knows.
void mark_limited(PathSnapshot& path);

}  // namespace ecmp
