#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "path/statistics/intervals.hpp"

namespace ecmp {

/// How many probes stayed unanswered at a place, for whatever reason. A probe that is lost on the way to a hop counts
/// as that hop's silence when the round's other probes came through, so that silence and loss are looked at as one.
///
/// This is the evidence of hops, and the rules by which it speaks: a hop that answers clears what is before it, for
/// nothing gets to it but over that; a hop that keeps quiet proves nothing, for it may limit its ICMP.
struct Unanswered {
  double unanswered = 0;
  double probes = 0;

  void add(const Unanswered& other) {
    unanswered += other.unanswered;
    probes += other.probes;
  }
  /// 0 without probes.
  [[nodiscard]] double ratio() const { return probes > 0 ? unanswered / probes : 0; }
  /// Whether at least half of a loss can be seen here, beyond what this place leaves unanswered anyway.
  [[nodiscard]] bool shows(double loss, double usual = 0) const { return probes > 0 && ratio() - usual >= loss / 2; }
  /// By how much of log-likelihood what is answered here rather says that a loss of that ratio is not before here than
  /// that it is: a tenth of it against all of it. 0 of a place that keeps quiet by itself, which says nothing.
  [[nodiscard]] double against(double loss) const {
    if (probes <= 0 || loss <= 0 || wilson(unanswered, probes).low > loss) return 0;
    const double all = std::min(loss, 0.99);
    const double tenth = all / 10;
    return unanswered * std::log(tenth / all) + (probes - unanswered) * std::log((1 - tenth) / (1 - all));
  }
  /// Whether so much more is answered here that a loss of that ratio must begin behind: by Wilson's interval.
  [[nodiscard]] bool clears(double loss) const { return probes > 0 && wilson(unanswered, probes).high < loss / 2; }
};

}  // namespace ecmp
