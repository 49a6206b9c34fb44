// Does `flows = "auto"` miss paths as seldom as it says? Thousands of searches on graphs whose routers hash flows with
// fresh seeds. Prints for each topology how often a path was missed, with the interval that the true share lies in at
// 95 %, and what it took. Run by hand: path_search_bench [RUNS [BATCHES]], 1000 and 50 if left out
// (docs/auto_flows.md).
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "path_search_graph.hpp"

using namespace ecmp;
using namespace ecmp::path_search_test;

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 1000;
  const int batches = argc > 2 ? std::atoi(argv[2]) : 50;
  bool kept = true;
  std::printf("%-22s %5s %9s %9s %19s %9s %7s %7s %7s\n", "topology", "aim", "searches", "missed", "95 % interval",
              "coverage", "flows", "probes", "kept");
  for (const double confidence : {0.95, 0.99}) {
    for (const Graph& graph : graphs()) {
      Totals all;
      double least = 1;
      double most = 0;
      for (int batch = 0; batch < batches; ++batch) {
        Totals some;
        for (int run = 0; run < runs; ++run) {
          const auto seed = static_cast<std::uint64_t>(batch) * 1'000'003 + static_cast<std::uint64_t>(run);
          some.add(search_once(graph, seed, confidence));
        }
        least = std::min(least, some.missed_ratio());
        most = std::max(most, some.missed_ratio());
        all.add(some);
      }
      const Interval interval = wilson(all.missed, all.searches);
      // The stated bound must not be below what the true share can be.
      const bool within = interval.low <= 1 - confidence;
      kept = kept && within;
      std::printf("%-22s %5.2f %9llu %8.3f%% %8.3f - %6.3f %%  %8.4f %7.1f %7.1f %7.1f%s  (batches %.1f to %.1f %%)\n",
                  graph.name, confidence, static_cast<unsigned long long>(all.searches), 100 * all.missed_ratio(),
                  100 * interval.low, 100 * interval.high, all.coverage / static_cast<double>(all.searches),
                  all.mean(all.flows), all.mean(all.probes), all.mean(all.kept), within ? "" : "  ABOVE THE BOUND",
                  100 * least, 100 * most);
      std::fflush(stdout);
    }
  }
  return kept ? 0 : 1;
}
