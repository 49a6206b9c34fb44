#include "sim/localisation_sampler.hpp"

#include <algorithm>
#include <array>

#include "path/loss_explanation.hpp"
#include "sim/random.hpp"

namespace ecmp::sim {
namespace {

constexpr std::uint32_t kAggregation = 4;
constexpr std::uint32_t kCores = 8;
constexpr std::uint32_t kLeaves = 5;

}  // namespace

Sample sample_network(std::uint64_t seed, const SampleOptions& options) {
  Random random(seed);
  const std::uint32_t to_core = 1 + kAggregation;
  const std::uint32_t to_leaf = to_core + kAggregation * kCores;
  const std::uint32_t to_destination = to_leaf + kCores * kLeaves;
  const std::uint32_t links = to_destination + options.destinations;
  std::vector<double> loss(links, options.background);
  std::vector<double> loss_back(kCores, 0);
  Sample sample;
  for (std::uint32_t made = 0; made < options.bad_links;) {
    if (options.on_the_way_back) {
      loss_back[random.below(kCores)] = options.loss;
      ++made;
    } else if (const auto link = static_cast<std::uint32_t>(random.below(links)); sample.bad.insert(link).second) {
      loss[link] = options.loss;
      ++made;
    }
  }
  for (std::uint32_t destination = 0; destination < options.destinations; ++destination) {
    const std::uint32_t leaf = destination % kLeaves;
    for (std::uint32_t flow = 0; flow < options.flows; ++flow) {
      const auto aggregation = static_cast<std::uint32_t>(random.below(kAggregation));
      const auto core = static_cast<std::uint32_t>(random.below(kCores));
      const std::array<std::uint32_t, 5> crossed{0, 1 + aggregation, to_core + aggregation * kCores + core,
                                                 to_leaf + core * kLeaves + leaf, to_destination + destination};
      double passes = 1 - loss_back[random.below(kCores)];
      for (const std::uint32_t link : crossed)
        passes *= 1 - loss[link];
      Crossings::Row row{.probes = options.rounds, .losses = 0, .flows = 1};
      for (std::uint32_t round = 0; round < options.rounds; ++round)
        row.losses += random.unit() >= passes ? 1u : 0u;
      sample.crossings.add(row, crossed);
    }
  }
  sample.crossings.index();
  return sample;
}

void Score::add(const Score& other) {
  bad += other.bad;
  found += other.found;
  blamed += other.blamed;
  right += other.right;
  members += other.members;
}

double Score::precision() const {
  return blamed == 0 ? 1 : static_cast<double>(right) / static_cast<double>(blamed);
}

double Score::recall() const {
  return bad == 0 ? 1 : static_cast<double>(found) / static_cast<double>(bad);
}

Score judge(const std::vector<Blame>& blamed, const LinkGroups& groups, const std::set<std::uint32_t>& bad) {
  Score score{.bad = bad.size()};
  std::set<std::uint32_t> found;
  for (const Blame& blame : blamed) {
    const auto& members = groups.members[blame.link];
    ++score.blamed;
    score.members += members.size();
    bool right = false;
    for (const std::uint32_t link : members) {
      if (!bad.contains(link)) continue;
      right = true;
      found.insert(link);
    }
    score.right += right ? 1u : 0u;
  }
  score.found = found.size();
  return score;
}

std::vector<Blame> blame_by_explanation(const Crossings& collapsed) {
  std::vector<Blame> blamed;
  for (const ExplainedLink& link : explain_losses(collapsed).links)
    if (link.blamed) blamed.push_back({.link = link.link, .loss = link.loss, .score = link.suspicion});
  return blamed;
}

}  // namespace ecmp::sim
