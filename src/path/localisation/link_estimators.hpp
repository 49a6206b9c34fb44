#pragma once

#include <vector>

#include "path/localisation/crossings.hpp"

namespace ecmp {

struct VoteOptions {
  double least_share = 0.01;  ///< of all votes, that a link needs to be blamed
};

/// The vote of 007 (Arzani et al., NSDI 2018): every flow with loss gives 1/h of a vote to each of its h links. The
/// link with the most is blamed, the flows that it explains are taken out, and so on. The loss ratio is that of the
/// flows over it. `crossings` is indexed.
std::vector<Blame> blame_by_votes(const Crossings& crossings, const VoteOptions& options = {});

struct DescentOptions {
  double lambda = 0.01;
  double least_change = 1e-6;
  int most_turns = 100;
  double least_loss = 0.002;  ///< from which a link is blamed
};

/// NetBouncer (Tan et al., NSDI 2019): the success ratios x of links that minimise
/// sum_j (y_j - prod_{i in j} x_i)^2 + lambda sum_i x_i (1 - x_i), by coordinate descent. Every flow counts alike.
std::vector<Blame> blame_by_descent(const Crossings& crossings, const DescentOptions& options = {});

}  // namespace ecmp
