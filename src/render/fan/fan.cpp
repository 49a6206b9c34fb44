#include "render/fan/fan.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "render/fan/fan_order.hpp"

namespace ecmp::render {

namespace {

using Kind = FanNode::Kind;

FanFigures figures_of(const HopCounters& counters, const std::shared_ptr<const Statistics>& statistics) {
  FanFigures figures{.probes = counters.probes, .losses = counters.losses, .silences = counters.silences};
  if (statistics == nullptr || statistics->window.probes == 0) return figures;
  const WindowFigures& window = statistics->window;
  figures.probes = window.probes;
  figures.losses = window.losses;
  figures.silences = window.probes - std::min(window.probes, window.losses + window.rtts);
  figures.rtts = window.rtts;
  figures.p50 = window.rtt.p50;
  figures.p95 = window.rtt.p95;
  figures.p99 = window.rtt.p99;
  return figures;
}

FanFigures end_to_end(const PathSnapshot& path) {
  FanFigures figures =
      figures_of({path.probes, path.replies, path.probes - std::min(path.probes, path.replies), 0}, path.statistics);
  // The destination's answers leave no room for silence: what was not answered was lost.
  figures.losses += std::exchange(figures.silences, 0);
  return figures;
}

FanFigures combined_stop(const std::vector<FanStop>& stop) {
  if (stop.size() == 1) return stop.front().figures;
  std::vector<FanFigures> figures;
  figures.reserve(stop.size());
  for (const FanStop& one : stop)
    figures.push_back(one.figures);
  return combined(figures);
}

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

/// Whether `high`, a ratio of so many probes, is more than two standard errors above `low`.
bool differ(double low, double high, double probes_of_low, double probes_of_high) {
  const double pooled = (low * probes_of_low + high * probes_of_high) / (probes_of_low + probes_of_high);
  const double variance = std::max(0.0, pooled * (1 - pooled)) * (1 / probes_of_low + 1 / probes_of_high);
  return high - low > 2 * std::sqrt(variance);
}

/// From the destination back, so that what is known behind bounds what can be lost before.
std::vector<FanLoss> losses_along(const FanPath& path) {
  std::vector<FanLoss> losses(path.stops.size());
  std::vector<bool> knows(path.stops.size());
  const auto all = static_cast<double>(path.figures.probes);
  double behind = path.figures.loss_ratio();
  for (std::size_t i = path.stops.size(); i-- > 0;) {
    const FanFigures figures = combined_stop(path.stops[i]);
    const auto probes = static_cast<double>(figures.probes);
    const double missed = figures.loss_ratio() + figures.silence_ratio();
    const bool last = i + 1 == path.stops.size();
    if (i == 0) behind = 0;  // nothing is lost before it leaves
    knows[i] = i == 0 || last || (figures.probes > 0 && all > 0 && !differ(behind, missed, all, probes));
    // That it happened to miss a few less is no proof that nothing more was lost before it; to have missed none is one.
    if (knows[i] && i != 0 && !last && (missed <= 0 || differ(missed, behind, probes, all)))
      behind = std::min(behind, missed);
    losses[i].most = behind;
  }
  for (std::size_t i = 1; i < losses.size(); ++i)
    losses[i].least = knows[i] ? losses[i].most : losses[i - 1].least;
  return losses;
}

class Builder {
 public:
  explicit Builder(const DestinationSnapshot& snapshot) : snapshot_(snapshot) {}

  Fan build();

 private:
  /// What makes two hops the same node. Silent ones by the known hops around them.
  struct Key {
    Kind kind{};
    std::uint8_t ttl = 0;
    IpAddress address;
    std::size_t before = 0;
    std::uint8_t next_ttl = 0;
    IpAddress next;

    friend auto operator<=>(const Key&, const Key&) = default;
  };

  std::size_t node(const Key& key);
  FanStop responder_stop(const HopSnapshot& hop, bool balanced);
  std::vector<FanStop> silent_stop(const Slots& slots, std::size_t ttl, std::size_t before);
  FanPath trace(const PathSnapshot& path);
  void add_pathless();
  void link_up();
  void sum_up();
  void lay_out();
  void sort_nodes();

  const DestinationSnapshot& snapshot_;
  Fan fan_;
  std::map<Key, std::size_t> known_;
  std::size_t destination_ = 0;
};

std::size_t Builder::node(const Key& key) {
  const auto [at, is_new] = known_.try_emplace(key, fan_.nodes.size());
  if (is_new) {
    FanNode node;
    node.kind = key.kind;
    node.ttl = node.last_ttl = key.ttl;
    node.address = key.address;
    node.column = key.ttl;
    fan_.nodes.push_back(node);
  }
  return at->second;
}

FanStop Builder::responder_stop(const HopSnapshot& hop, bool balanced) {
  const std::size_t at = node({.kind = Kind::responder, .ttl = hop.ttl, .address = hop.responder});
  fan_.nodes[at].balanced = fan_.nodes[at].balanced || balanced;
  if (!hop.mpls.empty()) fan_.nodes[at].mpls = hop.mpls;
  return {at, figures_of(hop.counters, hop.statistics)};
}

std::vector<FanStop> Builder::silent_stop(const Slots& slots, std::size_t ttl, std::size_t before) {
  Key key{.kind = Kind::silent, .ttl = static_cast<std::uint8_t>(ttl), .before = before};
  for (std::size_t next = ttl + 1; next <= slots.size(); ++next) {
    if (slots[next - 1].empty()) continue;
    key.next_ttl = static_cast<std::uint8_t>(next);
    key.next = slots[next - 1].front()->responder;
    break;
  }
  return {{node(key), {}}};
}

FanPath Builder::trace(const PathSnapshot& path) {
  FanPath traced;
  traced.id = path.id;
  traced.ordinal = path.ordinal;
  traced.length = path.length;
  traced.complete = path.complete;
  traced.flows = path.flows;
  traced.figures = end_to_end(path);
  traced.stops.push_back({{0, {}}});
  const Slots slots = slots_of(path);
  std::size_t before = 0;  // the first responder of the last known hop
  for (std::size_t ttl = 1; ttl <= slots.size(); ++ttl) {
    const auto& slot = slots[ttl - 1];
    std::vector<FanStop> stops;
    if (path.complete && ttl == slots.size()) {
      stops.push_back({destination_, traced.figures});
    } else if (slot.empty()) {
      stops = silent_stop(slots, ttl, before);
    } else {
      for (const HopSnapshot* const hop : slot)
        stops.push_back(responder_stop(*hop, slot.size() > 1));
      before = stops.front().node;
    }
    traced.stops.push_back(std::move(stops));
  }
  if (path.complete && !slots.empty()) {
    FanNode& destination = fan_.nodes[destination_];
    destination.ttl = destination.ttl == 0 ? path.length : std::min(destination.ttl, path.length);
    destination.last_ttl = std::max(destination.last_ttl, path.length);
    // A destination that labels what it answers is the last router before it, in disguise: told all the same.
    for (const HopSnapshot* const hop : slots.back())
      if (!hop->mpls.empty()) destination.mpls = hop->mpls;
  } else {
    const auto ttl = static_cast<std::uint8_t>(std::min<std::size_t>(slots.size() + 1, 255));
    const std::size_t end = node({.kind = Kind::dead_end, .ttl = ttl, .before = before});
    fan_.nodes[end].column = slots.size() + 1;
    traced.stops.push_back({{end, traced.figures}});
  }
  return traced;
}

/// Flows of which nothing is known but that they were sent.
void Builder::add_pathless() {
  FanPath pathless;
  for (const FlowSnapshot& flow : snapshot_.flows) {
    if (flow.path != 0) continue;
    ++pathless.flows;
    pathless.source_ports.push_back(flow.source_port);
    pathless.figures.probes += flow.probes;
    pathless.figures.losses += flow.probes - std::min(flow.probes, flow.replies);
  }
  if (pathless.flows == 0) return;
  pathless.stops = {{{0, {}}}, {{node({.kind = Kind::dead_end, .ttl = 1}), pathless.figures}}};
  fan_.paths.push_back(std::move(pathless));
}

/// Nodes, their flows and figures from the paths.
void Builder::sum_up() {
  std::vector<std::vector<FanFigures>> figures(fan_.nodes.size());
  for (const FanPath& path : fan_.paths) {
    fan_.flows += path.flows;
    for (const auto& stops : path.stops) {
      for (const FanStop& stop : stops) {
        FanNode& node = fan_.nodes[stop.node];
        node.flows += path.flows;
        ++node.paths;
        figures[stop.node].push_back(stop.figures);
      }
    }
  }
  for (std::size_t i = 0; i < fan_.nodes.size(); ++i)
    fan_.nodes[i].figures = combined(figures[i]);
}

void Builder::link_up() {
  std::map<std::pair<std::size_t, std::size_t>, std::pair<FanLink, FanLossBetween>> links;
  for (const FanPath& path : fan_.paths) {
    for (std::size_t i = 0; i + 1 < path.stops.size(); ++i) {
      for (const FanStop& from : path.stops[i]) {
        for (const FanStop& to : path.stops[i + 1]) {
          auto& [link, loss] = links[{from.node, to.node}];
          link.from = from.node;
          link.to = to.node;
          link.flows += path.flows;
          ++link.paths;
          link.per_packet = link.per_packet || path.stops[i].size() * path.stops[i + 1].size() > 1;
          loss.add(path, i, i + 1);
        }
      }
    }
  }
  for (auto& [ends, made] : links) {
    FanLink link = std::move(made.first);
    link.loss_before = made.second.before();
    link.loss_behind = made.second.behind();
    link.begun = made.second.begun();
    fan_.links.push_back(std::move(link));
  }
}

void Builder::lay_out() {
  LayeredGraph graph;
  graph.columns.resize(fan_.columns);
  const auto add = [&graph](std::size_t column) {
    graph.places.push_back({.column = column, .before = {}, .after = {}});
    graph.columns[column].push_back(graph.places.size() - 1);
    return graph.places.size() - 1;
  };
  for (const FanNode& node : fan_.nodes)
    add(node.column);
  // By address to begin with, known ones first: an untangled fan is then read from the lowest address down.
  for (auto& column : graph.columns) {
    std::ranges::stable_sort(column, {}, [this](std::size_t place) {
      return std::tuple(fan_.nodes[place].kind != Kind::responder, fan_.nodes[place].address);
    });
  }
  std::vector<std::vector<std::size_t>> bends;
  for (const FanLink& link : fan_.links) {
    std::size_t last = link.from;
    auto& of_link = bends.emplace_back();
    for (std::size_t column = fan_.nodes[link.from].column + 1; column < fan_.nodes[link.to].column; ++column) {
      const std::size_t bend = add(column);
      graph.link(last, bend);
      of_link.push_back(bend);
      last = bend;
    }
    graph.link(last, link.to);
  }
  arrange(graph);
  fan_.crossings = count_crossings(graph);
  for (std::size_t i = 0; i < fan_.nodes.size(); ++i)
    fan_.nodes[i].row = graph.places[i].row;
  for (std::size_t i = 0; i < fan_.links.size(); ++i) {
    for (const std::size_t bend : bends[i])
      fan_.links[i].bends.push_back({graph.places[bend].column, graph.places[bend].row});
  }
  for (const LayeredGraph::Place& place : graph.places)
    fan_.rows = std::max(fan_.rows, place.row + 1);
}

/// By column and row, the destination last.
void Builder::sort_nodes() {
  std::vector<std::size_t> order(fan_.nodes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [this](std::size_t i) {
    const FanNode& node = fan_.nodes[i];
    return std::tuple(node.column, i == destination_, node.row);
  });
  std::vector<std::size_t> place(order.size());
  std::vector<FanNode> nodes;
  nodes.reserve(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
    nodes.push_back(fan_.nodes[order[i]]);
  }
  fan_.nodes = std::move(nodes);
  for (FanLink& link : fan_.links) {
    link.from = place[link.from];
    link.to = place[link.to];
  }
  std::ranges::sort(fan_.links, {}, [](const FanLink& link) { return std::pair(link.from, link.to); });
  for (FanPath& path : fan_.paths) {
    for (auto& stops : path.stops) {
      for (FanStop& stop : stops)
        stop.node = place[stop.node];
    }
  }
}

Fan Builder::build() {
  FanNode agent;
  agent.kind = Kind::agent;
  for (const FlowSnapshot& flow : snapshot_.flows)
    if (agent.address.is_unspecified()) agent.address = flow.source;
  fan_.nodes.push_back(agent);
  FanNode destination;
  destination.kind = Kind::destination;
  destination.address = snapshot_.facts->address;
  destination_ = fan_.nodes.size();
  fan_.nodes.push_back(destination);

  std::vector<const PathSnapshot*> in_use;
  for (const PathSnapshot& path : snapshot_.paths)
    if (path.flows > 0) in_use.push_back(&path);
  // Not as they were found: that depends on which reply came first.
  std::ranges::sort(in_use, [](const PathSnapshot* a, const PathSnapshot* b) {
    return std::ranges::lexicographical_compare(a->hops, b->hops, {}, &HopSnapshot::responder, &HopSnapshot::responder);
  });
  for (const PathSnapshot* const path : in_use)
    fan_.paths.push_back(trace(*path));
  std::ranges::stable_sort(fan_.paths, {}, &FanPath::ordinal);
  for (FanPath& path : fan_.paths) {
    for (const FlowSnapshot& flow : snapshot_.flows)
      if (flow.path == path.id && path.id != 0) path.source_ports.push_back(flow.source_port);
    std::ranges::sort(path.source_ports);
  }
  add_pathless();

  std::size_t last = 1;
  for (const FanPath& path : fan_.paths)
    last = std::max(last, path.stops.size() - 1);
  fan_.columns = last + 1;
  fan_.nodes[destination_].column = last;
  for (FanPath& path : fan_.paths)
    path.losses = losses_along(path);
  sum_up();
  link_up();
  lay_out();
  sort_nodes();
  return std::move(fan_);
}

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(std::min(part, whole)) / static_cast<double>(whole);
}

}  // namespace

Fan make_fan(const DestinationSnapshot& snapshot) {
  return Builder(snapshot).build();
}

double FanFigures::loss_ratio() const {
  return ratio(losses, probes);
}

double FanFigures::silence_ratio() const {
  return ratio(silences, probes);
}

FanFigures combined(std::span<const FanFigures> figures) {
  FanFigures sum;
  std::vector<std::pair<Duration, std::uint64_t>> medians;
  for (const FanFigures& one : figures) {
    sum.probes += one.probes;
    sum.losses += one.losses;
    sum.silences += one.silences;
    sum.rtts += one.rtts;
    if (one.rtts == 0) continue;
    sum.p95 = std::max(sum.p95, one.p95);
    sum.p99 = std::max(sum.p99, one.p99);
    medians.emplace_back(one.p50, one.rtts);
  }
  std::ranges::sort(medians);
  std::uint64_t below = 0;
  for (const auto& [median, weight] : medians) {
    sum.p50 = median;
    below += weight;
    if (2 * below >= sum.rtts) break;
  }
  return sum;
}

void FanLossBetween::add(const FanPath& path, std::size_t near, std::size_t far) {
  const auto probes = static_cast<double>(path.figures.probes);
  probes_ += probes;
  before_ += probes * path.losses[near].least;
  behind_ += probes * path.losses[far].most;
}

double FanLossBetween::before() const {
  return probes_ > 0 ? before_ / probes_ : 0;
}

double FanLossBetween::behind() const {
  return probes_ > 0 ? behind_ / probes_ : 0;
}

double FanLossBetween::begun() const {
  if (before_ <= 0) return behind();
  return differ(before(), behind(), probes_, probes_) ? behind() - before() : 0;
}

}  // namespace ecmp::render
