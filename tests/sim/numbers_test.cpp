// What is told of a network is what the network does: loss, RTT and jitter against what is known of it.
#include <algorithm>
#include <cmath>
#include <map>

#include "sim/engine_fixture.hpp"
#include "sim/scenario.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

/// Probability that of n probes at most k are lost.
double at_most(std::uint64_t k, std::uint64_t n, double p) {
  double sum = 0;
  for (std::uint64_t i = 0; i <= k; ++i)
    sum += std::exp(std::lgamma(static_cast<double>(n) + 1) - std::lgamma(static_cast<double>(i) + 1) -
                    std::lgamma(static_cast<double>(n - i) + 1) + static_cast<double>(i) * std::log(p) +
                    static_cast<double>(n - i) * std::log1p(-p));
  return sum;
}

/// Whether p lies in the exact (Clopper-Pearson) 95 % confidence interval of k of n.
bool credible(std::uint64_t k, std::uint64_t n, double p) {
  const bool not_too_few = at_most(k, n, p) > 0.025;
  const bool not_too_many = k == 0 || 1 - at_most(k - 1, n, p) > 0.025;
  return not_too_few && not_too_many;
}

bool same_bucket(Duration a, Duration b) {
  return log_buckets::key_of(in_seconds(a)) == log_buckets::key_of(in_seconds(b));
}

Duration exact(std::vector<Duration> values, unsigned share) {
  std::ranges::sort(values);
  return values.at((values.size() * share + 99) / 100 - 1);
}

Scenario lossy_and_jittery() {
  auto scenario = parse_scenario(R"(
    wires = ["agent - r1 - r2 - dst"]
    [link."r1-r2"]
    forward = { loss = "3%", delay = "2ms", jitter = "exponential 800us" }
    return = { loss = "2%", delay = "3ms", jitter = "uniform 500us" }
    [destination.dst]
  )",
                                 "numbers");
  REQUIRE(scenario);
  return *scenario;
}

}  // namespace

TEST_CASE("the loss of 200 networks is estimated within its confidence interval", "[numbers]") {
  const Scenario scenario = lossy_and_jittery();
  // There and back, each way once.
  const double p = 1 - 0.97 * 0.98;
  int window = 0;
  int counters = 0;
  for (std::uint64_t number = 0; number < 200; ++number) {
    EngineRun run(scenario, 7000 + number, {.flows = 8, .interval = 1s});
    run.run(60s);
    const auto told = run.snapshot("dst");
    std::uint64_t probes = 0;
    std::uint64_t losses = 0;
    for (const PathSnapshot& path : told->paths) {
      probes += path.statistics->window.probes;
      losses += path.statistics->window.losses;
    }
    CAPTURE(number, probes, losses);
    REQUIRE(probes > 400);
    window += credible(losses, probes, p) ? 1 : 0;
    probes = losses = 0;
    for (const FlowSnapshot& flow : told->flows) {
      probes += flow.probes;
      losses += flow.probes - flow.replies;
    }
    counters += credible(losses, probes, p) ? 1 : 0;
  }
  CHECK(window >= 190);
  CHECK(counters >= 190);
}

TEST_CASE("window quantiles and jitter are those of the rounds", "[numbers]") {
  const Scenario scenario = lossy_and_jittery();
  constexpr std::uint64_t kSeeds = 20;
  for (std::uint64_t number = 0; number < kSeeds; ++number) {
    const Seed seed(7300 + number);
    CAPTURE(number);
    EngineRun run(scenario, seed, {.flows = 4, .interval = 1s});
    std::vector<Duration> rtts;
    std::vector<Duration> differences;
    std::map<std::uint32_t, std::pair<Round, PathVerdict>> before;
    run.watch = [&](std::uint32_t flow, const Round& round, const PathVerdict& verdict) {
      const auto last = before.find(flow);
      const bool counts = round.end_to_end == EndToEnd::reached;
      if (counts && verdict.path != 0) {
        const Duration rtt = round.hops.at(round.distance - 1u).rtt;
        rtts.push_back(rtt);
        if (last != before.end() && last->second.first.reached() && last->second.first.number + 1 == round.number &&
            last->second.second.path == verdict.path)
          differences.push_back(
              std::chrono::abs(rtt - last->second.first.hops.at(last->second.first.distance - 1u).rtt));
      }
      before[flow] = {round, verdict};
    };
    run.run(250s);  // the window holds nine tenths of 5 minutes at least: all of it
    const auto told = run.snapshot("dst");
    REQUIRE(told->paths.size() == 1);
    const Statistics& statistics = *told->paths[0].statistics;
    REQUIRE(differences.size() > 800);
    CHECK(statistics.window.rtts == rtts.size());
    CHECK(statistics.window.jitters == differences.size());
    CHECK(statistics.window.least_rtt == *std::ranges::min_element(rtts));
    CHECK(same_bucket(statistics.window.rtt.p50, exact(rtts, 50)));
    CHECK(same_bucket(statistics.window.rtt.p95, exact(rtts, 95)));
    CHECK(same_bucket(statistics.window.rtt.p99, exact(rtts, 99)));
    CHECK(same_bucket(statistics.window.jitter.p50, exact(differences, 50)));
    CHECK(same_bucket(statistics.window.jitter.p95, exact(differences, 95)));
    CHECK(same_bucket(statistics.window.jitter.p99, exact(differences, 99)));

    // Every single difference, bucket by bucket.
    Histogram expected;
    for (const Duration difference : differences)
      expected.observe(difference);
    CHECK(std::ranges::equal(statistics.jitter().bytes(), expected.view().bytes()));
    CHECK(statistics.jitter().sum() == Approx(expected.view().sum()));
    CHECK(statistics.rtt().count() == rtts.size());

    // The variation lies above the least RTT; RTT and variation tell of the same distribution.
    const auto window = before.at(0).second.window;
    REQUIRE(window);
    CHECK(std::chrono::abs(window->delay_variation.p95 + statistics.window.least_rtt - exact(rtts, 95)) < 300us);
  }
}
