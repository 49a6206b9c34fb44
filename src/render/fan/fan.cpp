#include "render/fan/fan.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include "render/fan/fan_order.hpp"

namespace ecmp::render {

namespace {

using Kind = FanNode::Kind;

/// The graph's first two nodes are the agent and the destination.
constexpr std::size_t kDestination = 1;

class Layout {
 public:
  explicit Layout(const DestinationSnapshot& snapshot)
      : graph_(path_graph(snapshot, PathGraph::Ends::together)),
        loss_begins_(loss_begins(path_graph(snapshot, PathGraph::Ends::apart))) {}

  Fan build();

 private:
  void take_paths();
  void take_nodes();
  void take_links();
  void lay_out();
  void sort_nodes();

  PathGraph graph_;
  std::vector<std::optional<LossBegin>> loss_begins_;  ///< by strand, but for the one without a path
  Fan fan_;
};

void Layout::take_paths() {
  std::size_t last = 1;
  for (PathGraph::Strand& strand : graph_.strands) {
    FanPath& path = fan_.paths.emplace_back(FanPath{std::move(strand), {}, {}});
    path.figures = figures_of({&path.observed, 1});
    if (fan_.paths.size() <= loss_begins_.size()) {
      path.loss_begins = loss_begins_[fan_.paths.size() - 1];
    } else if (path.figures.losses > 0) {
      path.loss_begins = LossBegin{0, 1, 1};
    }
    fan_.flows += path.flows;
    last = std::max(last, path.stops.size() - 1);
  }
  fan_.columns = last + 1;
}

void Layout::take_nodes() {
  for (PathGraph::Node& node : graph_.nodes) {
    FanNode& made = fan_.nodes.emplace_back(FanNode{std::move(node), {}, 0, 0});
    made.figures = figures_of(made.observed);
    made.column = made.ttl;
  }
  fan_.nodes[kDestination].column = fan_.columns - 1;
}

void Layout::take_links() {
  for (PathGraph::Link& link : graph_.links)
    fan_.links.push_back(FanLink{std::move(link), 0, 0, 0, {}});
  std::vector<FanLossBetween> losses(fan_.links.size());
  const auto number = [this](std::size_t from, std::size_t to) {
    const auto ends = [](const FanLink& link) { return std::pair(link.from, link.to); };
    return std::ranges::lower_bound(fan_.links, std::pair(from, to), {}, ends) - fan_.links.begin();
  };
  for (const FanPath& path : fan_.paths) {
    for (std::size_t i = 0; i + 1 < path.stops.size(); ++i) {
      for (const PathGraph::Stop& from : path.stops[i]) {
        for (const PathGraph::Stop& to : path.stops[i + 1])
          losses[static_cast<std::size_t>(number(from.node, to.node))].add(path, i, i + 1);
      }
    }
  }
  for (std::size_t i = 0; i < losses.size(); ++i) {
    fan_.links[i].loss_before = losses[i].before();
    fan_.links[i].loss_behind = losses[i].behind();
    fan_.links[i].begun = losses[i].begun();
  }
}

void Layout::lay_out() {
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
void Layout::sort_nodes() {
  std::vector<std::size_t> order(fan_.nodes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [this](std::size_t i) {
    const FanNode& node = fan_.nodes[i];
    return std::tuple(node.column, i == kDestination, node.row);
  });
  std::vector<std::size_t> place(order.size());
  std::vector<FanNode> nodes;
  nodes.reserve(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
    nodes.push_back(std::move(fan_.nodes[order[i]]));
  }
  fan_.nodes = std::move(nodes);
  for (FanLink& link : fan_.links) {
    link.from = place[link.from];
    link.to = place[link.to];
  }
  std::ranges::sort(fan_.links, {}, [](const FanLink& link) { return std::pair(link.from, link.to); });
  for (FanPath& path : fan_.paths) {
    for (auto& stops : path.stops) {
      for (PathGraph::Stop& stop : stops)
        stop.node = place[stop.node];
    }
  }
}

Fan Layout::build() {
  take_paths();
  take_nodes();
  take_links();
  lay_out();
  sort_nodes();
  return std::move(fan_);
}

}  // namespace

Fan make_fan(const DestinationSnapshot& snapshot) {
  return Layout(snapshot).build();
}

void FanLossBetween::add(const FanPath& path, std::size_t near, std::size_t far) {
  probes_ += path.figures.probes;
  if (!path.loss_begins) return;
  if (path.loss_begins->until <= near) {
    before_ += path.figures.losses;
  } else if (path.loss_begins->after < far) {
    begun_ += path.figures.losses;
  }
}

double FanLossBetween::ratio(std::uint64_t losses) const {
  return probes_ > 0 ? static_cast<double>(losses) / static_cast<double>(probes_) : 0;
}

}  // namespace ecmp::render
