// How well lossy links are found, over many seeds: docs/localisation.md has the table.
//   localisation_sweep [SEEDS]
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "path/localisation/link_estimators.hpp"
#include "path/localisation/loss_explanation.hpp"
#include "sim/localisation_sampler.hpp"

using namespace ecmp;
using namespace ecmp::sim;

namespace {

constexpr std::array kNames = {"votes", "descent 0.2 %", "descent 1 %", "explanation"};

struct Cell {
  std::array<Score, kNames.size()> scores;
  std::array<double, kNames.size()> seconds{};
};

Cell sweep(std::uint64_t seeds, const SampleOptions& options, std::uint32_t bad_links) {
  Cell cell;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SampleOptions drawn = options;
    drawn.bad_links = bad_links != 0 ? bad_links : 1 + static_cast<std::uint32_t>(seed % 2);
    const Sample sample = sample_network(seed, drawn);
    const LinkGroups groups = group_links(sample.crossings);
    const Crossings collapsed = collapse(sample.crossings, groups);
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const auto begun = std::chrono::steady_clock::now();
      const auto blamed = i == 0   ? blame_by_votes(collapsed)
                          : i == 1 ? blame_by_descent(collapsed)
                          : i == 2 ? blame_by_descent(collapsed, {.least_loss = 0.01})
                                   : blame_by_explanation(collapsed);
      cell.seconds[i] += std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
      cell.scores[i].add(judge(blamed, groups, sample.bad));
    }
  }
  return cell;
}

void tell(const char* what, double loss, double minutes, std::uint64_t seeds, const Cell& cell) {
  std::printf("%-8s %5.1f %% %3.0f min", what, loss * 100, minutes);
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const Score& score = cell.scores[i];
    std::printf("  | %-13s P %.3f R %.3f size %.2f %6.2f ms", kNames[i], score.precision(), score.recall(),
                score.blamed > 0 ? static_cast<double>(score.members) / static_cast<double>(score.blamed) : 0.0,
                cell.seconds[i] / static_cast<double>(seeds) * 1e3);
  }
  std::printf("\n");
  std::fflush(stdout);
}

/// As the agent does it, over rounds of networks in which about a third of the routers limit their ICMP.
void sweep_limited(std::uint64_t seeds) {
  const std::vector<std::uint32_t> after{12, 30, 60};
  for (const double loss : {0.005, 0.01, 0.02, 0.05, 0.2, 1e-5}) {
    std::vector<LimitedScore> sums(after.size());
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      LimitedOptions options;
      options.sample.loss = loss;
      options.sample.bad_links = loss <= 1e-5 ? 0 : 1 + static_cast<std::uint32_t>(seed % 2);
      const auto scores = localise_limited(seed, options, after);
      for (std::size_t i = 0; i < sums.size(); ++i)
        sums[i].add(scores[i]);
    }
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const LimitedScore& sum = sums[i];
      const auto ratio = [](std::uint64_t part, std::uint64_t whole) {
        return whole == 0 ? 1.0 : static_cast<double>(part) / static_cast<double>(whole);
      };
      std::printf("limited  %5.1f %% %3.0f min  | P %.3f R %.3f  blamed %llu  of %llu limited routers wrongly %llu\n",
                  loss * 100, after[i] / 6.0, ratio(sum.right, sum.blamed), ratio(sum.found, sum.bad),
                  static_cast<unsigned long long>(sum.blamed), static_cast<unsigned long long>(sum.limited_routers),
                  static_cast<unsigned long long>(sum.at_limited));
      std::fflush(stdout);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 500;
  sweep_limited(seeds);
  for (const double loss : {0.005, 0.01, 0.02, 0.05, 0.2}) {
    for (const std::uint32_t rounds : {12u, 30u, 60u})
      tell("forward", loss, rounds / 6.0, seeds, sweep(seeds, {.rounds = rounds, .loss = loss}, 0));
  }
  // Nothing to find: whatever is blamed is wrong.
  for (const double background : {1e-5, 1e-4}) {
    const Cell cell = sweep(seeds, {.rounds = 60, .loss = background, .background = background}, 1);
    std::printf("no bad link, %.3f %% on each:", background * 100);
    for (std::size_t i = 0; i < kNames.size(); ++i)
      std::printf("  %s blamed %llu", kNames[i], static_cast<unsigned long long>(cell.scores[i].blamed));
    std::printf(" in %llu networks\n", static_cast<unsigned long long>(seeds));
  }
  for (const double loss : {0.02, 0.05, 0.2}) {
    const Cell cell = sweep(seeds, {.rounds = 60, .loss = loss, .on_the_way_back = true}, 1);
    std::printf("%.0f %% on one of 8 ways back:", loss * 100);
    for (std::size_t i = 0; i < kNames.size(); ++i)
      std::printf("  %s blamed %llu", kNames[i], static_cast<unsigned long long>(cell.scores[i].blamed));
    std::printf(" in %llu networks\n", static_cast<unsigned long long>(seeds));
  }
  return 0;
}
