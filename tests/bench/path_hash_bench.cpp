// Does `flows = "auto"` keep its promise with the hash functions of real routers, on spread source ports? Prints for
// each function, with equal and unequal seeds of consecutive stages, the worst graph: how often a path that some port
// of the block reaches was missed, and the interval of that share at 95 %. For comparison the same on consecutive
// ports. Run by hand: path_hash_bench [SEARCHES [GRAPH]], 1000 of each row if left out (docs/auto_flows.md).
#include <cstdio>
#include <cstdlib>

#include "path_search_hashes.hpp"

using namespace ecmp;
using namespace ecmp::path_search_test;

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 1000;
  const std::string_view only = argc > 2 ? argv[2] : "";
  constexpr double kConfidence = 0.95;
  bool kept = true;
  std::printf("%-14s %-8s %-12s %9s %22s %7s   %s\n", "function", "seeds", "worst graph", "missed", "95 % interval",
              "flows", "on ports from 50000");
  for (const NamedHash& hash : kHashes) {
    for (const bool equal : {false, true}) {
      const Graph* worst = nullptr;
      Totals of_worst;
      double consecutive = 0;
      const auto all = hashed_graphs();
      for (const Graph& graph : all) {
        if (!only.empty() && only != graph.name) continue;
        Totals totals, in_a_row;
        for (int run = 0; run < runs; ++run) {
          const auto seed = static_cast<std::uint64_t>(run);
          totals.add(search_hashed(graph, hash.function, equal, seed, kConfidence, spread_ports(seed)));
          if (run % 10 == 0)
            in_a_row.add(search_hashed(graph, hash.function, equal, seed, kConfidence, 50000, {50000, 54095}));
        }
        consecutive = std::max(consecutive, in_a_row.missed_ratio());
        if (worst != nullptr && totals.missed <= of_worst.missed) continue;
        worst = &graph;
        of_worst = totals;
      }
      const Interval interval = wilson(of_worst.missed, of_worst.searches);
      const bool within = interval.high <= 1 - kConfidence;
      kept = kept && within;
      std::printf("%-14s %-8s %-12s %8.2f%% %8.2f to %6.2f %% %9.1f   %6.1f %%%s\n", hash.name,
                  equal ? "equal" : "unequal", worst->name, 100 * of_worst.missed_ratio(), 100 * interval.low,
                  100 * interval.high, of_worst.mean(of_worst.flows), 100 * consecutive,
                  within ? "" : "  ABOVE THE BOUND");
      std::fflush(stdout);
    }
  }
  return kept ? 0 : 1;
}
