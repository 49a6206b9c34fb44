#include "path/localisation/link_estimators.hpp"

#include <algorithm>
#include <cmath>

namespace ecmp {

std::vector<Blame> blame_by_votes(const Crossings& crossings, const VoteOptions& options) {
  std::vector<double> votes(crossings.links());
  std::vector<bool> open(crossings.rows());
  double all = 0;
  for (std::size_t row = 0; row < crossings.rows(); ++row) {
    if (crossings.row(row).losses == 0 || crossings.links_of(row).empty()) continue;
    open[row] = true;
    const double vote = 1.0 / static_cast<double>(crossings.links_of(row).size());
    for (const std::uint32_t link : crossings.links_of(row))
      votes[link] += vote;
    all += 1;
  }
  std::vector<Blame> blamed;
  while (!votes.empty()) {
    const auto most = std::ranges::max_element(votes);
    if (*most <= 0 || *most < options.least_share * all) break;
    const auto link = static_cast<std::uint32_t>(most - votes.begin());
    Blame blame{.link = link, .loss = 0, .score = *most};
    double probes = 0;
    double losses = 0;
    for (const std::uint32_t row : crossings.rows_of(link)) {
      probes += static_cast<double>(crossings.row(row).probes);
      losses += static_cast<double>(crossings.row(row).losses);
      if (!open[row]) continue;
      open[row] = false;
      const double vote = 1.0 / static_cast<double>(crossings.links_of(row).size());
      for (const std::uint32_t other : crossings.links_of(row))
        votes[other] -= vote;
    }
    blame.loss = probes > 0 ? losses / probes : 0;
    votes[link] = 0;
    blamed.push_back(blame);
  }
  return blamed;
}

std::vector<Blame> blame_by_descent(const Crossings& crossings, const DescentOptions& options) {
  std::vector<double> success(crossings.links(), 1.0);
  const auto product = [&](std::uint32_t row, std::uint32_t but) {
    double all = 1;
    for (const std::uint32_t link : crossings.links_of(row))
      if (link != but) all *= success[link];
    return all;
  };
  const auto ratio = [&](std::uint32_t row) {
    const Crossings::Row& of = crossings.row(row);
    return 1 - static_cast<double>(of.losses) / static_cast<double>(std::max<std::uint64_t>(of.probes, 1));
  };
  for (int turn = 0; turn < options.most_turns; ++turn) {
    double change = 0;
    for (std::uint32_t link = 0; link < crossings.links(); ++link) {
      double with = 0;
      double squares = 0;
      for (const std::uint32_t row : crossings.rows_of(link)) {
        const double others = product(row, link);
        with += crossings.row(row).flows * others * ratio(row);
        squares += crossings.row(row).flows * others * others;
      }
      // Too few flows for a minimum: the penalty alone would decide, and it says 0 or 1.
      if (squares - options.lambda <= 0) continue;
      const double found = std::clamp((2 * with - options.lambda) / (2 * (squares - options.lambda)), 0.0, 1.0);
      change = std::max(change, std::abs(found - success[link]));
      success[link] = found;
    }
    if (change < options.least_change) break;
  }
  std::vector<Blame> blamed;
  for (std::uint32_t link = 0; link < crossings.links(); ++link) {
    const double loss = 1 - success[link];
    if (loss >= options.least_loss) blamed.push_back({.link = link, .loss = loss, .score = loss});
  }
  std::ranges::sort(blamed, std::greater{}, &Blame::score);
  return blamed;
}

}  // namespace ecmp
