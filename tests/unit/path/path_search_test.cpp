#include "path/path_search.hpp"

#include <random>

#include "catch.hpp"
#include "path_search_graph.hpp"

using namespace ecmp;
using namespace ecmp::path_search_test;

TEST_CASE("searches miss a path no more often than they say", "[path_search]") {
  // The long version is tests/bench/path_search_bench.cpp.
  for (const Graph& graph : graphs()) {
    Totals all;
    std::uint64_t first_missed = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      const Found found = search_once(graph, 77'000 + seed, 0.95);
      all.add(found);
      if (found.missed && first_missed == 0) first_missed = 77'000 + seed;
      if (!found.covered || found.coverage < 0.95) FAIL(graph.name << ", seed " << 77'000 + seed);
    }
    CAPTURE(graph.name, all.missed, first_missed);
    CHECK(wilson(all.missed, all.searches).low <= 0.05);
    CHECK(all.mean(all.kept) <= static_cast<double>(ways(graph)));
  }
}

TEST_CASE("a flow that is probed anyway is kept where it serves as well as another", "[path_search]") {
  const Graph graph = fan("width 4", 4);
  constexpr std::uint64_t kHash = 5;
  const std::vector<std::uint32_t> steady = {100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111};
  PathSearch search({.max_flows = 512, .min_flows_per_path = 2}, steady);
  std::map<std::vector<std::uint32_t>, int> by_way;
  for (const std::uint32_t flow : steady) {
    ++by_way[way(graph, kHash, flow)];
    search.on_round(flow, round_of(way(graph, kHash, flow)));
  }
  while (!search.over()) {
    for (const PathSearch::Ask& ask : search.plan()) {
      CHECK((ask.flow < 100 || ask.flow > 111));
      for (std::uint32_t i = 0; i < ask.rounds; ++i)
        search.on_round(ask.flow, round_of(way(graph, kHash, ask.flow)));
    }
  }
  int expected = 0;
  for (const auto& [passed, flows] : by_way)
    expected += std::min(flows, 2);
  int stayed = 0;
  for (const std::uint16_t flow : search.keep())
    stayed += flow >= 100 && flow <= 111 ? 1 : 0;
  CHECK(search.keep().size() == 8);
  CHECK(stayed == expected);
}

TEST_CASE("what gets lost now and then is no router that never answers, and moves no steady flow", "[path_search]") {
  const Graph graph = fan("width 4", 4);
  constexpr std::uint64_t kHash = 5;
  std::mt19937_64 random(77);
  const auto lossy = [&](std::uint32_t flow) {
    Round round = round_of(way(graph, kHash, flow));
    for (HopResult& hop : round.hops) {
      if (random() % 10 >= 3) continue;
      hop.outcome = &hop == &round.hops.back() ? HopOutcome::lost : HopOutcome::silent;
      hop.responder = {};
    }
    if (round.hops.back().outcome == HopOutcome::lost) round.end_to_end = EndToEnd::lost;
    return round;
  };
  // Two flows of each way.
  std::vector<std::uint32_t> steady;
  std::map<std::vector<std::uint32_t>, int> by_way;
  for (std::uint32_t flow = 0; steady.size() < 8; ++flow)
    if (++by_way[way(graph, kHash, flow)] <= 2) steady.push_back(flow);
  for (int turn = 0; turn < 500; ++turn) {
    PathSearch search({.max_flows = 512, .min_flows_per_path = 2}, steady);
    for (const std::uint32_t flow : steady)
      search.on_round(flow, round_of(way(graph, kHash, flow)));  // their paths are known
    while (!search.over()) {
      for (const PathSearch::Ask& ask : search.plan()) {
        for (std::uint32_t i = 0; i < ask.rounds; ++i)
          search.on_round(ask.flow, lossy(ask.flow));
      }
    }
    CAPTURE(turn, search.progress().flows_asked);
    CHECK(std::ranges::equal(search.keep(), steady));
  }
}

TEST_CASE("a branch that never answers is kept a flow for, also where others lose answers", "[path_search]") {
  const Graph graph = fan("width 4", 4);
  int kept = 0;
  for (std::uint64_t hash = 0; hash < 100; ++hash) {
    std::mt19937_64 random(hash);
    const auto seen = [&](std::uint32_t flow) {
      Round round = round_of(way(graph, hash, flow));
      for (HopResult& hop : round.hops) {
        if (&hop == &round.hops.back() || (random() % 10 >= 1 && hop.responder != IpAddress::v4(0x0a000002u))) continue;
        hop.outcome = HopOutcome::silent;
        hop.responder = {};
      }
      return round;
    };
    PathSearch search({.max_flows = 512, .min_flows_per_path = 2}, {});
    while (!search.over()) {
      for (const PathSearch::Ask& ask : search.plan()) {
        for (std::uint32_t i = 0; i < ask.rounds; ++i)
          search.on_round(ask.flow, seen(ask.flow));
      }
    }
    std::set<std::vector<std::uint32_t>> ways_kept;
    for (const std::uint16_t flow : search.keep())
      ways_kept.insert(way(graph, hash, flow));
    kept += ways_kept.size() == 4 ? 1 : 0;
  }
  CHECK(kept >= 95);
}

TEST_CASE("answers that never come do not hold up a search for ever", "[path_search]") {
  PathSearch search({.max_flows = 64}, {});
  int plans = 0;
  while (!search.over() && plans < 100) {
    search.plan();
    search.stop_waiting();
    ++plans;
  }
  CHECK(search.over());
  CHECK(search.progress().coverage == 0);
  CHECK(search.keep().empty());
  CHECK_FALSE(search.reached());
}
