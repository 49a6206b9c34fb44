#pragma once

// Graphs of routers that hash flows, for searches without packets: thousands of them in a second.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "path/search/path_search.hpp"

namespace ecmp::path_search_test {

struct Router {
  std::vector<std::uint32_t> next;  ///< numbers of routers; none: the destination
};

struct Graph {
  const char* name;
  std::vector<Router> routers;  ///< the first is the first hop
};

inline std::uint64_t mixed(std::uint64_t value) {  // splitmix64
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

/// The routers that a flow passes.
inline std::vector<std::uint32_t> way(const Graph& graph, std::uint64_t seed, std::uint32_t flow) {
  std::vector<std::uint32_t> passed;
  for (std::uint32_t at = 0;;) {
    passed.push_back(at);
    const auto& next = graph.routers[at].next;
    if (next.empty()) return passed;
    at = next[mixed(mixed(seed ^ mixed(at)) ^ flow) % next.size()];
  }
}

/// How many ways there are.
inline std::uint64_t ways(const Graph& graph, std::uint32_t from = 0) {
  const auto& next = graph.routers[from].next;
  if (next.empty()) return 1;
  std::uint64_t count = 0;
  for (const std::uint32_t router : next)
    count += ways(graph, router);
  return count;
}

/// A fan of so many branches between two routers.
inline Graph fan(const char* name, std::uint32_t width) {
  Graph graph{name, std::vector<Router>(width + 3)};
  for (std::uint32_t i = 1; i <= width; ++i) {
    graph.routers[0].next.push_back(i);
    graph.routers[i].next = {width + 1};
  }
  graph.routers[width + 1].next = {width + 2};
  return graph;
}

/// Two stages, each router of the first linked with each of the second.
inline Graph mesh(const char* name, std::uint32_t first, std::uint32_t second) {
  Graph graph{name, std::vector<Router>(first + second + 2)};
  const std::uint32_t last = first + second + 1;
  for (std::uint32_t i = 1; i <= first; ++i) {
    graph.routers[0].next.push_back(i);
    for (std::uint32_t j = 0; j < second; ++j)
      graph.routers[i].next.push_back(first + 1 + j);
  }
  for (std::uint32_t j = 0; j < second; ++j)
    graph.routers[first + 1 + j].next = {last};
  return graph;
}

/// Branches of one, two, three and four routers.
inline Graph unequal(const char* name) {
  Graph graph{name, std::vector<Router>(12)};
  std::uint32_t next = 1;
  for (std::uint32_t length = 1; length <= 4; ++length) {
    graph.routers[0].next.push_back(next);
    for (std::uint32_t i = 0; i < length; ++i, ++next)
      graph.routers[next].next = {i + 1 < length ? next + 1 : 11};
  }
  return graph;
}

inline std::vector<Graph> graphs() {
  return {fan("width 2", 2),      fan("width 4", 4),      fan("width 16", 16),       fan("width 28", 28),
          mesh("mesh 4x4", 4, 4), mesh("mesh 2x8", 2, 8), unequal("unequal lengths")};
}

struct Found {
  bool missed = false;
  double coverage = 0;
  std::uint64_t flows = 0;
  std::uint64_t probes = 0;
  std::uint64_t kept = 0;
  bool covered = true;  ///< what is kept goes over every path that was found
};

inline Round round_of(const std::vector<std::uint32_t>& way) {
  Round round;
  round.end_to_end = EndToEnd::reached;
  round.distance = static_cast<std::uint8_t>(way.size());
  for (std::size_t i = 0; i < way.size(); ++i) {
    HopResult hop;
    hop.ttl = static_cast<std::uint8_t>(i + 1);
    hop.outcome = HopOutcome::replied;
    hop.responder = IpAddress::v4(0x0a000001u + way[i]);
    round.hops.push_back(hop);
  }
  return round;
}

/// One search where nothing is lost.
inline Found search_once(const Graph& graph, std::uint64_t seed, double confidence, std::uint32_t max_flows = 16384) {
  PathSearch search({.aim = {.confidence = confidence}, .max_flows = max_flows, .min_flows_per_path = 1}, {});
  std::set<std::vector<std::uint32_t>> found;
  while (!search.over()) {
    for (const PathSearch::Ask& ask : search.plan()) {
      const auto passed = way(graph, seed, ask.flow);
      found.insert(passed);
      const Round round = round_of(passed);
      for (std::uint32_t i = 0; i < ask.rounds; ++i)
        search.on_round(ask.flow, round);
    }
  }
  std::set<std::vector<std::uint32_t>> kept;
  for (const std::uint16_t flow : search.keep())
    kept.insert(way(graph, seed, flow));
  const SearchProgress& progress = search.progress();
  return {.missed = found.size() != ways(graph),
          .coverage = progress.coverage,
          .flows = progress.flows_asked,
          .probes = progress.probes,
          .kept = progress.flows_kept,
          .covered = kept == found};
}

struct Totals {
  std::uint64_t searches = 0;
  std::uint64_t missed = 0;
  std::uint64_t flows = 0;
  std::uint64_t probes = 0;
  std::uint64_t kept = 0;
  double coverage = 0;

  void add(const Found& one) {
    ++searches;
    missed += one.missed ? 1u : 0u;
    flows += one.flows;
    probes += one.probes;
    kept += one.kept;
    coverage += one.coverage;
  }
  void add(const Totals& more) {
    searches += more.searches;
    missed += more.missed;
    flows += more.flows;
    probes += more.probes;
    kept += more.kept;
    coverage += more.coverage;
  }
  [[nodiscard]] double missed_ratio() const { return static_cast<double>(missed) / static_cast<double>(searches); }
  [[nodiscard]] double mean(std::uint64_t sum) const {
    return static_cast<double>(sum) / static_cast<double>(searches);
  }
};

struct Interval {
  double low = 0;
  double high = 1;
};

/// Wilson's, at 95 %.
inline Interval wilson(std::uint64_t hits, std::uint64_t of) {
  const double n = static_cast<double>(of);
  const double p = static_cast<double>(hits) / n;
  constexpr double z = 1.959964;
  const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {std::max(0.0, middle - half), middle + half};
}

}  // namespace ecmp::path_search_test
