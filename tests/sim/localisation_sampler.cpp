#include "sim/localisation_sampler.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "path/localisation/localisation.hpp"
#include "path/localisation/loss_explanation.hpp"
#include "sim/random.hpp"

namespace ecmp::sim {
namespace {

constexpr std::uint32_t kAggregation = 4;
constexpr std::uint32_t kCores = 8;
constexpr std::uint32_t kLeaves = 5;

constexpr std::uint32_t kRouters = 1 + kAggregation + kCores + kLeaves;
constexpr Duration kInterval = std::chrono::seconds(10);

/// Of a router, or of a destination by its number behind them; the agent is the one before the first.
IpAddress address_of(std::uint32_t node) {
  return IpAddress::v4(0x0a000002u + node);
}

/// What the routers of a network with limits do, and what flows see of it.
class LimitedNetwork {
 public:
  LimitedNetwork(std::uint64_t seed, const LimitedOptions& options)
      : random_(seed), options_(options), answers_(kRouters, 1), paced_(kRouters) {
    const SampleOptions& sample = options.sample;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> links;
    const std::uint32_t core = 1 + kAggregation;
    const std::uint32_t leaf = core + kCores;
    for (std::uint32_t i = 0; i < kAggregation; ++i)
      links.emplace_back(0, 1 + i);
    for (std::uint32_t i = 0; i < kAggregation * kCores; ++i)
      links.emplace_back(1 + i / kCores, core + i % kCores);
    for (std::uint32_t i = 0; i < kCores * kLeaves; ++i)
      links.emplace_back(core + i / kLeaves, leaf + i % kLeaves);
    for (std::uint32_t i = 0; i < sample.destinations; ++i)
      links.emplace_back(leaf + i % kLeaves, kRouters + i);
    while (bad_.size() < sample.bad_links)
      bad_.insert(links[random_.below(links.size())]);
    for (std::uint32_t router = 0; router < kRouters; ++router) {
      if (random_.unit() >= options.limited_share) continue;
      answers_[router] = 0.05 + 0.55 * random_.unit();
      paced_[router] = random_.unit() < 0.5;
      ++limited;
    }
    for (std::uint32_t i = 0; i < sample.destinations; ++i) {
      auto facts = std::make_shared<DestinationFacts>();
      facts->name = "d" + std::to_string(i);
      facts->address = address_of(kRouters + i);
      facts->source_ports = 50000;
      facts->flows = static_cast<std::uint16_t>(sample.flows);
      facts->interval = kInterval;
      for (std::uint32_t flow = 0; flow < sample.flows; ++flow) {
        const auto a = static_cast<std::uint32_t>(random_.below(kAggregation));
        const auto c = static_cast<std::uint32_t>(random_.below(kCores));
        flows_.push_back({facts, flow, {0, 1 + a, core + c, leaf + i % kLeaves, kRouters + i}, {}, a * kCores + c + 1});
        auto& known = known_[{i, flows_.back().path}];
        if (known == nullptr) {
          auto responders = std::make_shared<std::vector<IpAddress>>();
          for (const std::uint32_t node : flows_.back().nodes)
            responders->push_back(address_of(node));
          known = std::move(responders);
        }
        flows_.back().responders = known;
      }
    }
  }

  /// A round of every flow.
  void round(std::uint32_t number, Localisation& localisation) {
    RoundRecord record;
    record.source = IpAddress::v4(0x0a000001u);
    for (const Flow& flow : flows_) {
      record.destination = flow.facts;
      record.flow_index = flow.index;
      record.source_port = flow.facts->source_ports[flow.index];
      record.verdict.path = record.verdict.ordinal = flow.path;
      record.verdict.responders = flow.responders;
      sweep(flow, number, record.round);
      localisation.on_round(record);
    }
  }

  LimitedScore judge(const LocalisationReport& report) const {
    LimitedScore score{.bad = bad_.size(), .limited_routers = limited};
    std::set<std::pair<std::uint32_t, std::uint32_t>> found;
    for (const LinkVerdict& verdict : report.links) {
      if (!verdict.blamed) continue;
      ++score.blamed;
      bool right = false;
      bool at_limited = false;
      for (const LinkEnds& ends : verdict.links) {
        for (const auto& bad : bad_) {
          if (ends != LinkEnds{address_of(bad.first), address_of(bad.second)}) continue;
          right = true;
          found.insert(bad);
        }
        for (std::uint32_t router = 0; router < kRouters; ++router)
          at_limited = at_limited ||
                       (answers_[router] < 1 && (ends.from == address_of(router) || ends.to == address_of(router)));
      }
      score.right += right ? 1u : 0u;
      score.at_limited += !right && at_limited ? 1u : 0u;
    }
    score.found = found.size();
    return score;
  }

  std::uint64_t limited = 0;

 private:
  struct Flow {
    std::shared_ptr<const DestinationFacts> facts;
    std::uint32_t index = 0;
    std::array<std::uint32_t, 5> nodes{};
    std::shared_ptr<const std::vector<IpAddress>> responders;
    std::uint32_t path = 0;
  };

  /// Each probe by itself: what the one to the destination meets says nothing about those to the routers.
  void sweep(const Flow& flow, std::uint32_t number, Round& round) {
    round.number = number;
    round.started = round.finished = Instant(kInterval * (number + 1));
    round.distance = static_cast<std::uint8_t>(flow.nodes.size());
    round.hops.assign(flow.nodes.size(), {});
    bool later = false;
    for (std::size_t i = flow.nodes.size(); i-- > 0;) {
      const std::uint32_t node = flow.nodes[i];
      HopResult& hop = round.hops[i];
      hop.ttl = static_cast<std::uint8_t>(i + 1);
      bool passes = random_.unit() >= options_.sample.background;  // the agent's own link
      for (std::size_t link = 0; link < i; ++link) {
        const bool bad = bad_.contains({flow.nodes[link], flow.nodes[link + 1]});
        passes = passes && random_.unit() >= (bad ? options_.sample.loss : options_.sample.background);
      }
      const bool router = node < kRouters;
      if (router && random_.unit() >= answers_[node]) {
        hop.outcome = paced_[node] ? HopOutcome::left_out : HopOutcome::silent;
      } else {
        hop.outcome = passes ? HopOutcome::replied : HopOutcome::silent;
      }
      if (hop.outcome == HopOutcome::silent && !later) hop.outcome = HopOutcome::lost;
      later = later || hop.outcome == HopOutcome::replied;
      if (hop.outcome != HopOutcome::replied) continue;
      hop.responder = address_of(node);
      hop.rtt = std::chrono::milliseconds(2 * (i + 1));
    }
    round.end_to_end = round.hops.back().outcome == HopOutcome::replied ? EndToEnd::reached : EndToEnd::lost;
  }

  Random random_;
  LimitedOptions options_;
  std::vector<double> answers_;  ///< share, by router
  std::vector<bool> paced_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> bad_;
  std::vector<Flow> flows_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::shared_ptr<const std::vector<IpAddress>>> known_;
};

}  // namespace

void LimitedScore::add(const LimitedScore& other) {
  bad += other.bad;
  found += other.found;
  blamed += other.blamed;
  right += other.right;
  limited_routers += other.limited_routers;
  at_limited += other.at_limited;
}

std::vector<LimitedScore> localise_limited(std::uint64_t seed, const LimitedOptions& options,
                                           const std::vector<std::uint32_t>& after) {
  LimitedNetwork network(seed, options);
  Localisation localisation({.window = kInterval * (options.sample.rounds + 6)});
  std::vector<LimitedScore> scores;
  for (std::uint32_t number = 0; number < options.sample.rounds && scores.size() < after.size(); ++number) {
    network.round(number, localisation);
    if (number + 1 != after[scores.size()]) continue;
    scores.push_back(network.judge(*localisation.pass(Instant(kInterval * (number + 1)), {})));
  }
  return scores;
}

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
