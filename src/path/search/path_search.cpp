#include "path/search/path_search.hpp"

#include <algorithm>
#include <cmath>

#include "path/search/flow_cover.hpp"

namespace ecmp {
namespace {

/// Whether a flow goes to and fro: one that has moved once, or a few times to somewhere new, does not.
bool alternates(const std::vector<std::vector<std::uint32_t>>& rounds, std::size_t hop) {
  std::vector<std::uint32_t> distinct;
  std::uint32_t before = Trail::kNobody;
  std::size_t switches = 0;
  for (const auto& round : rounds) {
    if (hop >= round.size() || round[hop] == Trail::kNobody) continue;
    switches += before != Trail::kNobody && before != round[hop] ? 1u : 0u;
    before = round[hop];
    if (std::ranges::find(distinct, before) == distinct.end()) distinct.push_back(before);
  }
  return switches >= 2 && (switches >= distinct.size() || switches >= 3);
}

}  // namespace

PathSearch::PathSearch(const SearchRules& rules, const std::vector<std::uint32_t>& steady)
    : rules_(rules), addresses_(1), rule_(error_per_hop(rules.aim.confidence, 1), rules.aim.p_min) {
  for (const std::uint32_t flow : steady) {
    if (flow < rules_.max_flows) seen_[flow].steady = true;
  }
  progress_.searching = true;
  progress_.flows_asked = static_cast<std::uint32_t>(seen_.size());
}

std::uint32_t PathSearch::number_of(const IpAddress& responder) {
  const auto [at, is_new] = numbers_.try_emplace(responder, static_cast<std::uint32_t>(addresses_.size()));
  if (is_new) addresses_.push_back(responder);
  return at->second;
}

void PathSearch::on_round(std::uint32_t flow, const Round& round) {
  const auto found = seen_.find(flow);
  if (found == seen_.end() || over_) return;
  Seen& seen = found->second;
  if (seen.awaited > 0) {
    --seen.awaited;
    --awaited_;
  }
  std::vector<std::uint32_t> responders;
  responders.reserve(round.hops.size());
  if (seen.tallies.size() < round.hops.size()) seen.tallies.resize(round.hops.size());
  for (const HopResult& hop : round.hops) {
    // Who refuses to forward says that the flow was there, as good as any other answer.
    const bool answered = hop.outcome == HopOutcome::replied || hop.outcome == HopOutcome::unreachable;
    Trail::Tally& tally = seen.tallies[responders.size()];
    tally.asked += says_nothing(hop.outcome) ? 0u : 1u;
    tally.answered += answered ? 1u : 0u;
    responders.push_back(answered && !hop.responder.is_unspecified() ? number_of(hop.responder) : Trail::kNobody);
  }
  if (round.reached()) {
    seen.reached = true;
    seen.distance = round.distance;
    if (round.distance > 0 && round.distance <= responders.size()) end_ = responders[round.distance - 1u];
  } else if (round.presumed != 0) {
    seen.lost = seen.lost || round.doubted || !is_unjudged(round.end_to_end);
    seen.presumed = round.presumed;
    seen.tallies.resize(std::max<std::size_t>(seen.tallies.size(), round.presumed));
  }
  if (seen.rounds.size() == kMostRounds) seen.rounds.erase(seen.rounds.begin());
  seen.rounds.push_back(std::move(responders));
  ++progress_.rounds;
  progress_.probes += round.hops.size();
}

void PathSearch::stop_waiting() {
  for (auto& [flow, seen] : seen_)
    seen.awaited = 0;
  awaited_ = 0;
}

/// A destination that limits its answers is asked over few flows: the others end where these do, unless they lose it
/// and do not even get to the hop before.
void PathSearch::end_at(Trail& trail, std::size_t distance) const {
  if (end_ == Trail::kNobody || distance <= trail.hops.size()) return;
  trail.hops.resize(distance, Trail::kNobody);
  trail.hops.back() = end_;
  trail.reached = true;
}

/// The newest answer of each hop.
Trail PathSearch::trail_of(const Seen& seen) const {
  Trail trail;
  trail.reached = seen.reached;
  for (const auto& round : seen.rounds) {
    if (trail.hops.size() < round.size()) trail.hops.resize(round.size(), Trail::kNobody);
    for (std::size_t hop = 0; hop < round.size(); ++hop)
      if (round[hop] != Trail::kNobody) trail.hops[hop] = round[hop];
  }
  if (seen.distance != 0 && seen.distance < trail.hops.size()) trail.hops.resize(seen.distance);
  while (!trail.hops.empty() && trail.hops.back() == Trail::kNobody)
    trail.hops.pop_back();
  if (!seen.reached && (!seen.lost || trail.hops.size() + 1 == seen.presumed)) end_at(trail, seen.presumed);
  const std::vector<std::uint32_t> known = trail.hops;
  // What steady flows said last is put together with what they said before: it is no measure of what gets lost.
  if (!seen.steady)
    trail.tallies.assign(seen.tallies.begin(), seen.tallies.begin() + static_cast<std::ptrdiff_t>(known.size()));
  for (std::size_t hop = 0; hop < known.size(); ++hop)
    if (alternates(seen.rounds, hop)) trail.hops[hop] = Trail::kVarying;
  for (const Varying& varying : varying_) {
    const bool passes =
        varying.ttl == 0 || (varying.ttl <= known.size() && known[varying.ttl - 1] == varying.responder);
    for (std::size_t hop = varying.ttl; passes && hop < std::min(known.size(), varying.hops.size()); ++hop)
      if (varying.hops[hop]) trail.hops[hop] = Trail::kVarying;
  }
  return trail;
}

/// Looks for flows that go to and fro. What varies for one of them varies for all that pass the same router.
void PathSearch::find_varying() {
  for (const auto& [flow, seen] : seen_) {
    if (seen.rounds.size() < 3) continue;
    const Trail trail = trail_of(seen);
    Varying found;
    for (std::size_t hop = 0; hop < trail.hops.size(); ++hop) {
      if (!alternates(seen.rounds, hop)) continue;
      if (found.hops.empty()) {
        found.ttl = hop;
        found.responder = hop > 0 ? trail.hops[hop - 1] : Trail::kNobody;
        found.hops.resize(trail.hops.size());
      }
      found.hops[hop] = true;
    }
    if (found.hops.empty()) continue;
    const auto known = std::ranges::find_if(
        varying_, [&](const Varying& other) { return other.ttl == found.ttl && other.responder == found.responder; });
    if (known == varying_.end()) {
      IpAddress one;
      for (const auto& round : seen.rounds)
        if (found.ttl < round.size() && round[found.ttl] != Trail::kNobody) one = addresses_[round[found.ttl]];
      progress_.per_packet.push_back({static_cast<std::uint8_t>(found.ttl + 1), one});
      varying_.push_back(std::move(found));
      continue;
    }
    if (known->hops.size() < found.hops.size()) known->hops.resize(found.hops.size());
    for (std::size_t hop = 0; hop < found.hops.size(); ++hop)
      if (found.hops[hop]) known->hops[hop] = true;
  }
}

/// Puts together what is known by now.
void PathSearch::judge() {
  find_varying();
  std::vector<Trail> trails;
  flows_.clear();
  for (const auto& [flow, seen] : seen_) {
    Trail trail = trail_of(seen);
    if (trail.hops.empty()) continue;
    flows_.push_back(flow);
    trails.push_back(std::move(trail));
  }
  // How many hops divide decides how sure each must be, and that who passes where.
  for (int turn = 0; turn < 3; ++turn) {
    graph_.emplace(trails, rule_.needed(1));
    const std::uint32_t hops = graph_->dividing() + 1;
    if (hops == rule_for_) break;
    rule_for_ = hops;
    rule_ = StoppingRule(error_per_hop(rules_.aim.confidence, hops), rules_.aim.p_min);
  }
  progress_.paths = FlowGraph::count(graph_->paths());
  progress_.coverage = graph_->coverage(rules_.aim.p_min);  // below 0: nothing can be said
}

void PathSearch::ask(std::vector<Ask>& asks, std::uint32_t flow, std::uint32_t rounds) {
  Seen& seen = seen_[flow];
  seen.awaited += rounds;
  seen.asked += rounds;
  awaited_ += rounds;
  asks.push_back({flow, rounds});
}

/// Flows that left a hop open, and for each dividing router one that is to show whether it keeps flows together.
std::vector<PathSearch::Ask> PathSearch::ask_again() {
  std::vector<Ask> asks;
  const auto askable = [&](std::uint32_t flow) {
    const Seen& seen = seen_.at(flow);
    return !seen.steady && seen.awaited == 0;
  };
  // Flows that have no trail: nobody has ever answered them.
  const bool any_reached = reached();
  for (const auto& [flow, seen] : seen_) {
    if (!askable(flow) || seen.asked >= kMostAsked) continue;
    const bool lost = any_reached ? !seen.reached && (seen.presumed == 0 || seen.lost) : seen.rounds.size() < 2;
    if (lost) ask(asks, flow, 1);
  }
  for (const std::uint32_t trail : graph_->open()) {
    const std::uint32_t flow = flows_[trail];
    if (askable(flow) && seen_.at(flow).asked < kMostAsked) ask(asks, flow, 1);
  }
  const auto nodes = graph_->nodes();
  const auto repeats = static_cast<std::size_t>(std::min<std::uint32_t>(rule_.needed(1), kMostRounds));
  std::vector<std::size_t> most(nodes.size());                      // rounds of a flow that passes, if it is not enough
  std::vector<std::uint32_t> best(nodes.size(), FlowGraph::kNone);  // that flow
  for (std::size_t trail = 0; trail < flows_.size(); ++trail) {
    const Seen& seen = seen_.at(flows_[trail]);
    if (seen.steady) continue;
    for (const std::uint32_t node : graph_->nodes_of(trail)) {
      if (node == FlowGraph::kNone || seen.rounds.size() + seen.awaited <= most[node]) continue;
      most[node] = seen.rounds.size() + seen.awaited;
      best[node] = flows_[trail];
    }
  }
  for (std::size_t node = 0; node < nodes.size(); ++node) {
    if (nodes[node].width() < 2 || nodes[node].varying || best[node] == FlowGraph::kNone) continue;
    const Seen& seen = seen_.at(best[node]);
    const std::size_t have = seen.rounds.size() + seen.awaited;
    if (have >= repeats || seen.asked >= kMostRounds + kMostAsked) continue;
    ask(asks, best[node], static_cast<std::uint32_t>(repeats - have));
  }
  return asks;
}

/// How many flows more the router that is short of most would need, as far as its share of the flows tells.
std::uint32_t PathSearch::flows_missing() const {
  double missing = 0;
  for (const FlowGraph::Node& node : graph_->nodes()) {
    if (node.width() == 0 || node.varying || node.told == 0) continue;
    const std::uint32_t needed = rule_.needed(node.width());
    if (node.told >= needed) continue;
    missing =
        std::max(missing, static_cast<double>(needed - node.told) * static_cast<double>(flows_.size()) / node.told);
  }
  return static_cast<std::uint32_t>(std::min(std::ceil(missing), 65535.0));
}

std::vector<PathSearch::Ask> PathSearch::plan() {
  if (over_ || awaited_ > 0) return {};
  std::uint32_t wanted = kFirst;
  const bool begun = std::ranges::any_of(seen_, [](const auto& each) { return !each.second.steady; });
  if (begun) {
    judge();
    std::vector<Ask> again = ask_again();
    const std::uint32_t missing = flows_missing();
    const auto asked = static_cast<std::uint32_t>(seen_.size());
    progress_.flows_wanted = std::min(asked + missing, rules_.max_flows);
    if (!again.empty()) return again;
    // The share of a router that few flows pass is a guess: no batch is larger than all before it.
    wanted = std::min(missing, std::max(kFirst, asked));
    if (wanted == 0) {
      settle();
      return {};
    }
  }
  std::vector<Ask> asks;
  for (; asks.size() < wanted && next_flow_ < rules_.max_flows; ++next_flow_)
    if (!seen_.contains(next_flow_)) ask(asks, next_flow_, 1);
  if (asks.empty()) {
    if (!begun) judge();
    progress_.bounded = true;
    settle();
  }
  progress_.flows_asked = static_cast<std::uint32_t>(seen_.size());
  progress_.flows_wanted = std::max(progress_.flows_wanted, progress_.flows_asked);
  return asks;
}

void PathSearch::settle() {
  over_ = true;
  progress_.searching = false;
  std::vector<bool> preferred;
  preferred.reserve(flows_.size());
  for (const std::uint32_t flow : flows_)
    preferred.push_back(seen_.at(flow).steady);
  for (const std::uint32_t trail : cover(*graph_, preferred, rules_.min_flows_per_path))
    kept_.push_back(static_cast<std::uint16_t>(flows_[trail]));
  progress_.flows_kept = static_cast<std::uint32_t>(kept_.size());
}

bool PathSearch::reached() const {
  return std::ranges::any_of(seen_, [](const auto& each) { return each.second.reached; });
}

}  // namespace ecmp
