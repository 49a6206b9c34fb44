#include "path/localisation/flow_graph.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace ecmp {

namespace {

/// Less than any chance.
constexpr double kUnknownCoverage = -1;

}  // namespace

bool FlowGraph::Node::hides_silent() const {
  if (open.size() < 2) return false;  // a single one has lost its answers by chance
  // Those that told lost so many of their answers; a flow is open by chance if all of its were lost.
  const double lost = (tally.asked - tally.answered + 0.5) / (tally.asked + 1.0);
  double chance = 0;
  for (const std::uint32_t asked : open)
    chance += std::pow(lost, asked);
  const auto count = static_cast<double>(open.size());
  const double expected = passing * chance / count;
  if (count <= expected) return false;
  // Chernoff's bound on a Poisson count: searches come again and again, and one in so many may be wrong.
  constexpr double kOneIn = 10000;
  return count * std::log(count / expected) - count + expected > std::log(kOneIn);
}

FlowGraph::FlowGraph(std::span<const Trail> trails, std::uint32_t single) : single_(single), places_(trails.size()) {
  nodes_.emplace_back();
  std::size_t longest = 0;
  std::uint32_t responders = 0;
  reached_.reserve(trails.size());
  for (std::size_t i = 0; i < trails.size(); ++i) {
    longest = std::max(longest, trails[i].hops.size());
    for (const std::uint32_t responder : trails[i].hops)
      if (responder != Trail::kVarying) responders = std::max(responders, responder);
    places_[i].reserve(trails[i].hops.size() + 1);
    places_[i].push_back(0);
    reached_.push_back(trails[i].reached);
  }
  of_responder_.assign(responders + 1, kNone);
  for (std::size_t ttl = 0; ttl < longest; ++ttl)
    step(trails, ttl);
  std::ranges::sort(open_);
  const auto doubles = std::ranges::unique(open_);
  open_.erase(doubles.begin(), doubles.end());
}

/// From the nodes of one TTL to those of the next.
void FlowGraph::step(std::span<const Trail> trails, std::size_t ttl) {
  for (std::size_t i = 0; i < trails.size(); ++i) {
    if (ttl >= trails[i].hops.size() || places_[i][ttl] == kNone) continue;
    Node& from = nodes_[places_[i][ttl]];
    const std::uint32_t next = trails[i].hops[ttl];
    ++from.passing;
    if (next == Trail::kVarying) from.varying = true;
    if (next == Trail::kVarying || next == Trail::kNobody) continue;
    ++from.told;
    if (ttl < trails[i].tallies.size()) {
      from.tally.asked += trails[i].tallies[ttl].asked;
      from.tally.answered += trails[i].tallies[ttl].answered;
    }
    if (std::ranges::find(from.next, next) == from.next.end()) from.next.push_back(next);
  }
  silent_.assign(nodes_.size(), kNone);
  std::ranges::fill(of_responder_, kNone);
  for (std::size_t i = 0; i < trails.size(); ++i) {
    if (ttl >= trails[i].hops.size()) continue;
    const std::uint32_t next = trails[i].hops[ttl];
    const std::uint32_t from = places_[i][ttl];
    std::uint32_t to = kNone;
    if (next == Trail::kVarying) {
      // Nothing is known of where it was.
    } else if (next != Trail::kNobody) {
      to = node(ttl + 1, next);
    } else if (from != kNone && nodes_[from].told == 0 && !nodes_[from].varying) {
      to = silent_behind(ttl + 1, from);
    } else if (from != kNone && nodes_[from].width() == 1 && nodes_[from].told >= single_) {
      to = node(ttl + 1, nodes_[from].next.front());
    } else {
      open_.push_back(static_cast<std::uint32_t>(i));
      const std::uint32_t asked = ttl < trails[i].tallies.size() ? trails[i].tallies[ttl].asked : 0;
      if (from != kNone && asked > 0) nodes_[from].open.push_back(asked);
    }
    places_[i].push_back(to);
  }
  for (std::size_t parent = 0; parent < silent_.size(); ++parent) {
    if (silent_[parent] == kNone) continue;
    nodes_[parent].told = nodes_[parent].passing;
    nodes_[parent].next.assign(1, Trail::kNobody);
  }
}

std::uint32_t FlowGraph::node(std::size_t ttl, std::uint32_t responder) {
  std::uint32_t& number = of_responder_[responder];
  if (number == kNone) {
    number = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back({.ttl = static_cast<std::uint32_t>(ttl), .responder = responder});
  }
  return number;
}

std::uint32_t FlowGraph::silent_behind(std::size_t ttl, std::uint32_t parent) {
  if (silent_[parent] == kNone) {
    silent_[parent] = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back({.ttl = static_cast<std::uint32_t>(ttl), .responder = Trail::kNobody});
  }
  return silent_[parent];
}

std::uint32_t FlowGraph::dividing() const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(nodes_, [](const Node& node) { return node.width() > 1 && !node.varying; }));
}

double FlowGraph::coverage(double p_min) const {
  if (nodes_.size() < 2) return 0;
  // Where a router never answers nobody knows how many of them there are: no number of flows is evidence of it.
  const auto answers_nothing = [](const Node& node) { return node.width() == 1 && node.next[0] == Trail::kNobody; };
  if (std::ranges::any_of(nodes_, answers_nothing)) return kUnknownCoverage;
  double nothing_hidden = 1;
  double worst = 0;
  for (const Node& node : nodes_) {
    if (node.width() == 0 || node.varying) continue;
    const double chance = StoppingRule::chance_of_another(node.width(), node.told, p_min);
    if (node.width() > 1) {
      nothing_hidden *= 1 - chance;
    } else {
      worst = std::max(worst, chance);
    }
  }
  return nothing_hidden * (1 - worst);
}

std::vector<FlowGraph::PathOf> FlowGraph::paths() const {
  // Those that are known throughout, then the others: each to the first one that it agrees with.
  std::map<std::vector<std::uint32_t>, std::uint32_t> exact;
  std::vector<const std::vector<std::uint32_t>*> known;
  std::vector<PathOf> paths(places_.size());
  std::vector<std::size_t> rough;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (!reached_[i] || std::ranges::find(places_[i], kNone) != places_[i].end()) {
      rough.push_back(i);
      continue;
    }
    const auto [at, is_new] = exact.try_emplace(places_[i], static_cast<std::uint32_t>(known.size()));
    if (is_new) known.push_back(&places_[i]);
    paths[i].path = at->second;
  }
  const auto agree = [&](std::size_t trail, const std::vector<std::uint32_t>& path, bool whole) {
    const auto& own = places_[trail];
    if (whole ? own.size() != path.size() : own.size() > path.size()) return false;
    for (std::size_t at = 0; at < own.size(); ++at)
      if (own[at] != path[at] && own[at] != kNone && path[at] != kNone) return false;
    return true;
  };
  // The longest first: a trail that ends early is of no path but that which it begins.
  std::ranges::stable_sort(rough, std::ranges::greater{}, [&](std::size_t i) { return places_[i].size(); });
  for (const std::size_t i : rough) {
    const auto agrees = [&](const auto* path) { return agree(i, *path, reached_[i]); };
    const auto found = std::ranges::find_if(known, agrees);
    paths[i].path = static_cast<std::uint32_t>(found - known.begin());
    if (found == known.end()) {
      known.push_back(&places_[i]);
    } else {
      paths[i].sure = std::none_of(found + 1, known.end(), agrees);
    }
  }
  return paths;
}

std::uint32_t FlowGraph::count(const std::vector<PathOf>& paths) {
  return paths.empty() ? 0 : std::ranges::max_element(paths, {}, &PathOf::path)->path + 1;
}

}  // namespace ecmp
