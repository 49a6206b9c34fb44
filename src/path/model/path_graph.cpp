#include "path/model/path_graph.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.hpp"

namespace ecmp {
namespace {

using Kind = PathGraph::Node::Kind;
using Observed = PathGraph::Observed;
using Stop = PathGraph::Stop;
using Strand = PathGraph::Strand;

/// The hops of a path with the responders of each TTL; none for an unknown one.
using Slots = std::vector<std::vector<const HopSnapshot*>>;

Slots slots_of(const PathSnapshot& path) {
  Slots slots(path.length);
  for (const HopSnapshot& hop : path.hops) {
    if (hop.ttl >= 1 && hop.ttl <= path.length) slots[hop.ttl - 1u].push_back(&hop);
  }
  for (auto& slot : slots)
    std::ranges::sort(slot, {}, [](const HopSnapshot* hop) { return hop->responder; });
  return slots;
}

Observed observed_at(const HopSnapshot& hop) {
  return {hop.counters, hop.statistics.get()};
}

bool in_window(const Observed& observed) {
  return observed.statistics != nullptr && observed.statistics->window.probes > 0;
}

class Builder {
 public:
  Builder(const DestinationSnapshot& snapshot, PathGraph::Ends ends)
      : snapshot_(snapshot), together_(ends == PathGraph::Ends::together) {}

  PathGraph build();

 private:
  /// What makes two hops the same node. Silent ones by the known hops around them.
  struct Key {
    Kind kind{};
    std::uint8_t ttl = 0;
    IpAddress address;
    PathGraph::Place before;
    PathGraph::Place behind;

    friend auto operator<=>(const Key&, const Key&) = default;
  };

  std::size_t node(const Key& key);
  std::size_t agent(const IpAddress& source);
  void place_ends();
  Stop responder_stop(const HopSnapshot& hop, bool balanced);
  std::vector<Stop> destination_stop(const Strand& strand, const Slots& slots);
  std::size_t silent_node(const Slots& slots, std::size_t ttl, std::size_t before);
  [[nodiscard]] PathGraph::Place place(std::size_t node) const {
    return {graph_.nodes[node].ttl, graph_.nodes[node].address};
  }
  Strand trace(const PathSnapshot& path);
  void trace_all();
  void take_flows();
  void add_pathless();
  void sum_up();
  void link_up();

  const DestinationSnapshot& snapshot_;
  bool together_;
  PathGraph graph_;
  std::map<Key, std::size_t> known_;
  std::map<std::uint32_t, IpAddress> sources_;  ///< by path
};

std::size_t Builder::node(const Key& key) {
  const auto [at, is_new] = known_.try_emplace(key, graph_.nodes.size());
  if (is_new) {
    PathGraph::Node node;
    node.kind = key.kind;
    node.ttl = node.last_ttl = key.ttl;
    node.address = key.address;
    node.before = key.before;
    node.behind = key.behind;
    if (!together_ && key.kind == Kind::responder && key.address == snapshot_.facts->address)
      node.kind = Kind::destination;
    graph_.nodes.push_back(std::move(node));
  }
  return at->second;
}

std::size_t Builder::agent(const IpAddress& source) {
  return together_ ? 0 : node({.kind = Kind::agent, .address = source});
}

void Builder::place_ends() {
  for (const FlowSnapshot& flow : snapshot_.flows)
    if (flow.path != 0 && !flow.source.is_unspecified()) sources_[flow.path] = flow.source;
  if (!together_) return;
  IpAddress source;
  for (const FlowSnapshot& flow : snapshot_.flows)
    if (source.is_unspecified()) source = flow.source;
  node({.kind = Kind::agent, .address = source});
  node({.kind = Kind::destination, .address = snapshot_.facts->address});
}

Stop Builder::responder_stop(const HopSnapshot& hop, bool balanced) {
  const std::size_t at = node({.kind = Kind::responder, .ttl = hop.ttl, .address = hop.responder});
  PathGraph::Node& node = graph_.nodes[at];
  node.balanced = node.balanced || balanced;
  node.limited = node.limited || hop.limiting != Limiting::none;
  if (!hop.mpls.empty()) node.mpls = &hop.mpls;
  return {at, observed_at(hop)};
}

/// The one destination, whoever else answered at the same TTL.
std::vector<Stop> Builder::destination_stop(const Strand& strand, const Slots& slots) {
  PathGraph::Node& destination = graph_.nodes[1];
  destination.ttl = destination.ttl == 0 ? strand.length : std::min(destination.ttl, strand.length);
  destination.last_ttl = std::max(destination.last_ttl, strand.length);
  // A destination that labels what it answers is the last router before it, in disguise: its labels are shown.
  for (const HopSnapshot* const hop : slots.back())
    if (!hop->mpls.empty()) destination.mpls = &hop->mpls;
  return {{1, strand.observed}};
}

std::size_t Builder::silent_node(const Slots& slots, std::size_t ttl, std::size_t before) {
  Key key{.kind = Kind::silent, .ttl = static_cast<std::uint8_t>(ttl), .before = place(before)};
  for (std::size_t next = ttl + 1; next <= slots.size(); ++next) {
    if (slots[next - 1].empty()) continue;
    key.behind = {static_cast<std::uint8_t>(next), slots[next - 1].front()->responder};
    break;
  }
  return node(key);
}

Strand Builder::trace(const PathSnapshot& path) {
  Strand strand;
  strand.path = &path;
  strand.id = path.id;
  strand.ordinal = path.ordinal;
  strand.length = path.length;
  strand.complete = path.complete;
  strand.flows = path.flows;
  strand.observed = {{path.probes, path.replies, path.probes - std::min(path.probes, path.replies), 0},
                     path.statistics.get()};
  const auto source = sources_.find(path.id);
  std::size_t before = agent(source != sources_.end() ? source->second : IpAddress());
  strand.stops.push_back({{before, {}}});
  const Slots slots = slots_of(path);
  for (std::size_t ttl = 1; ttl <= slots.size(); ++ttl) {
    const auto& slot = slots[ttl - 1];
    std::vector<Stop> stops;
    if (together_ && path.complete && ttl == slots.size()) {
      stops = destination_stop(strand, slots);
    } else if (slot.empty()) {
      stops.push_back({silent_node(slots, ttl, before), {}});
    } else {
      for (const HopSnapshot* const hop : slot)
        stops.push_back(responder_stop(*hop, slot.size() > 1));
      before = stops.front().node;
    }
    strand.stops.push_back(std::move(stops));
  }
  if (!path.complete || slots.empty()) {
    const auto ttl = static_cast<std::uint8_t>(std::min<std::size_t>(slots.size() + 1, 255));
    strand.stops.push_back({{node({.kind = Kind::dead_end, .ttl = ttl, .before = place(before)}), strand.observed}});
  }
  return strand;
}

void Builder::trace_all() {
  std::vector<const PathSnapshot*> in_use;
  for (const PathSnapshot& path : snapshot_.paths)
    if (path.flows > 0) in_use.push_back(&path);
  // Not as they were found: that depends on which reply came first.
  std::ranges::sort(in_use, [](const PathSnapshot* a, const PathSnapshot* b) {
    return std::ranges::lexicographical_compare(a->hops, b->hops, {}, &HopSnapshot::responder, &HopSnapshot::responder);
  });
  for (const PathSnapshot* const path : in_use)
    graph_.strands.push_back(trace(*path));
  std::ranges::stable_sort(graph_.strands, {}, &Strand::ordinal);
}

void Builder::take_flows() {
  std::map<std::uint32_t, Strand*> by_path;
  for (Strand& strand : graph_.strands)
    by_path[strand.id] = &strand;
  for (const FlowSnapshot& flow : snapshot_.flows) {
    const auto strand = by_path.find(flow.path);
    if (flow.path != 0 && strand != by_path.end()) strand->second->source_ports.push_back(flow.source_port);
  }
  for (Strand& strand : graph_.strands)
    std::ranges::sort(strand.source_ports);
}

/// Flows of which nothing is known but that they were sent. Those that were answered, and are on no path yet, end
/// somewhere else: they are drawn once it is known where they pass.
void Builder::add_pathless() {
  Strand pathless;
  HopCounters& counters = pathless.observed.counters;
  for (const FlowSnapshot& flow : snapshot_.flows) {
    if (flow.path != 0 || flow.replies > 0) continue;
    ++pathless.flows;
    pathless.source_ports.push_back(flow.source_port);
    counters.probes += flow.probes;
    counters.losses += flow.probes - std::min(flow.probes, flow.replies);
  }
  if (pathless.flows == 0) return;
  pathless.stops = {{{0, {}}}, {{node({.kind = Kind::dead_end, .ttl = 1, .before = place(0)}), pathless.observed}}};
  graph_.strands.push_back(std::move(pathless));
}

void Builder::sum_up() {
  for (const Strand& strand : graph_.strands) {
    for (const auto& stops : strand.stops) {
      for (const Stop& stop : stops) {
        PathGraph::Node& node = graph_.nodes[stop.node];
        node.flows += strand.flows;
        ++node.paths;
        if (node.answers()) node.observed.push_back(stop.observed);
      }
    }
  }
}

void Builder::link_up() {
  std::map<std::pair<std::size_t, std::size_t>, PathGraph::Link> links;
  for (const Strand& strand : graph_.strands) {
    for (std::size_t i = 0; i + 1 < strand.stops.size(); ++i) {
      for (const Stop& from : strand.stops[i]) {
        for (const Stop& to : strand.stops[i + 1]) {
          PathGraph::Link& link = links[{from.node, to.node}];
          link.from = from.node;
          link.to = to.node;
          link.flows += strand.flows;
          ++link.paths;
          link.per_packet = link.per_packet || strand.stops[i].size() * strand.stops[i + 1].size() > 1;
          link.source_ports.insert(link.source_ports.end(), strand.source_ports.begin(), strand.source_ports.end());
          if (to.observed.statistics != nullptr) {
            link.probes += to.observed.statistics->window.probes;
            link.losses += to.observed.statistics->window.losses;
          }
          if (from.observed.statistics != nullptr) {
            link.near_probes += from.observed.statistics->window.probes;
            link.near_losses += from.observed.statistics->window.losses;
          }
        }
      }
    }
  }
  graph_.links.reserve(links.size());
  for (auto& [ends, link] : links) {
    std::ranges::sort(link.source_ports);
    link.source_ports.erase(std::ranges::unique(link.source_ports).begin(), link.source_ports.end());
    graph_.links.push_back(std::move(link));
  }
}

PathGraph Builder::build() {
  place_ends();
  trace_all();
  take_flows();
  if (together_) add_pathless();
  sum_up();
  link_up();
  for (const Strand& strand : graph_.strands) {
    // One stop for each TTL, the agent's before and perhaps a dead end behind them.
    ECMP_CHECK(strand.stops.size() == strand.length + (strand.complete && strand.length > 0 ? 1u : 2u));
    ECMP_CHECK(std::ranges::is_sorted(strand.source_ports));
  }
  return std::move(graph_);
}

}  // namespace

PathGraph path_graph(const DestinationSnapshot& snapshot, PathGraph::Ends ends) {
  return Builder(snapshot, ends).build();
}

WindowFigures window_of(std::span<const PathGraph::Observed> observed) {
  std::vector<const Statistics*> parts;
  parts.reserve(observed.size());
  for (const Observed& one : observed)
    parts.push_back(one.statistics);
  return Statistics::merged_window(parts);
}

WindowFigures figures_of(std::span<const PathGraph::Observed> observed) {
  WindowFigures figures = window_of(observed);
  for (const Observed& one : observed) {
    if (in_window(one)) continue;
    const HopCounters& counters = one.counters;
    figures.probes += counters.probes;
    figures.losses += counters.losses;
    figures.rtts += counters.probes - std::min(counters.probes, counters.losses + counters.silences);
  }
  return figures;
}

}  // namespace ecmp
