// Somebody else uses up what a destination answers, or it answers less than was thought: its silence is no loss then.
// And loss beside such a limit is found all the same. docs/reality.md, "Limits of ICMP answers". ECMP_SIM_SEEDS=200
// build/check/tests/sim/sim_tests "[shared_limit]" is the full size.
#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "localisation_run.hpp"
#include "sim/scenario.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

// icmp.c, inetpeer.c: what Linux gives each address that asks, time exceeded and port unreachable together.
constexpr std::string_view kLinux4 = R"(rate = 1, burst = 6, concerns = ["time_exceeded", "unreachable"])";
constexpr std::string_view kLinux6 = R"(rate = 10, burst = 6, concerns = ["time_exceeded", "unreachable"])";
constexpr std::string_view kIos = R"(rate = 2, burst = 1, concerns = ["unreachable"])";

struct Load {
  std::uint16_t flows = 16;
  Duration interval = 10s;
};

/// Four branches to a destination whose answers are limited; `routers` as well if `everywhere`.
Scenario scenario_of(std::string_view limit, std::string_view more, bool everywhere = false) {
  std::string text =
      "convergence = \"200ms\"\nwires = [\"agent - r1 - (b1..b4) - r2 - dst\"]\n[link.\"*\"]\ndelay = \"1ms\"\n";
  if (everywhere)
    for (const std::string_view router : {"r1", "b1", "b2", "b3", "b4", "r2"})
      text += "[router." + std::string(router) + "]\nicmp_limit = { " + std::string(limit) + " }\n";
  text += "[destination.dst]\nicmp_limit = { " + std::string(limit) + " }\n" + std::string(more);
  auto parsed = parse_scenario(text, "shared_limit");
  if (!parsed) throw std::runtime_error(parsed.error());
  return std::move(*parsed);
}

TraceOptions options_of(const Load& load) {
  return {.flows = load.flows, .interval = load.interval, .timeout = 2s, .adapt_to_responders = true};
}

std::string with(std::string_view limit, std::string_view prober) {
  return std::string(limit) + ", prober = \"" + std::string(prober) + "\"";
}

bool is_up(LocalisationRun& run) {
  const auto snapshot = run.engine_run().snapshot("dst");
  return snapshot->up;
}

/// Until it is reported down; `most` if it is not by then.
Duration time_to_down(LocalisationRun& run, Duration most) {
  for (Duration passed = 0s; passed < most; passed += 5s) {
    run.run(5s);
    if (!is_up(run)) return passed + 5s;
  }
  return most;
}

struct Loss {
  std::uint64_t reached = 0;
  std::uint64_t lost = 0;
  [[nodiscard]] double share() const { return static_cast<double>(lost) / static_cast<double>(lost + reached); }
};

}  // namespace

TEST_CASE("what another prober uses up is not loss", "[reality][shared_limit]") {
  struct Row {
    std::string_view limit;
    std::string_view prober;  ///< mtr asks once a second; another exporter each 1.25 s; others ten times a second
    bool everywhere = false;
    bool at_once = false;  ///< it has begun before us
  };
  constexpr std::array kRows{Row{kLinux4, "1s"},
                             Row{kLinux4, "1250ms"},
                             Row{kLinux4, "100ms"},
                             Row{kLinux4, "5s"},
                             Row{kLinux4, "1s", true},
                             Row{kLinux4, "350ms", true},
                             Row{kLinux6, "100ms"},
                             Row{kLinux6, "50ms"},
                             Row{kLinux4, "1250ms", false, true},
                             Row{kLinux4, "2s", true, true},
                             Row{kLinux6, "150ms", false, true}};
  for (const Row& row : kRows) {
    for (const Load& load : {Load{}, Load{.flows = 64, .interval = 1s}, Load{.flows = 1, .interval = 3s}}) {
      for (std::uint64_t seed = 1; seed <= seeds(4); ++seed) {
        std::string change;
        for (const std::string_view node : {"dst", "r1", "b1", "b2", "b3", "b4", "r2"}) {
          if (node != "dst" && !row.everywhere) break;
          change += "[[change]]\nat = \"40s\"\nnode = \"" + std::string(node) + "\"\nicmp_limit = { " +
                    with(row.limit, row.prober) + " }\n";
        }
        const std::string limit = row.at_once ? with(row.limit, row.prober) : std::string(row.limit);
        LocalisationRun run(scenario_of(limit, row.at_once ? "" : change, row.everywhere), seed, options_of(load), {});
        run.run(5min);
        const RoundTotals& totals = run.engine_run().totals("dst");
        CAPTURE(row.limit, row.prober, row.everywhere, row.at_once, load.flows, seed, totals.rounds, totals.reached,
                totals.lost, totals.unjudged);
        CHECK(totals.lost == 0);
        CHECK(is_up(run));
        CHECK(run.events().empty());
      }
    }
  }
}

TEST_CASE("a prober that comes and goes makes no loss, and all is judged again afterwards", "[reality][shared_limit]") {
  for (const std::string_view prober : {"1s", "200ms"}) {
    for (std::uint64_t seed = 1; seed <= seeds(5); ++seed) {
      const std::string there = with(kLinux4, prober);
      const std::string change = "[[change]]\nat = \"120s\"\nnode = \"dst\"\nicmp_limit = { " + there +
                                 " }\n[[change]]\nat = \"300s\"\nnode = \"dst\"\nicmp_limit = { " +
                                 std::string(kLinux4) + " }\n";
      LocalisationRun run(scenario_of(kLinux4, change), seed, options_of({}), {});
      run.run(6min);
      const std::uint64_t before = run.engine_run().totals("dst").reached;
      run.run(10min);
      const RoundTotals& totals = run.engine_run().totals("dst");
      CAPTURE(prober, seed, totals.rounds, totals.reached, totals.lost, totals.unjudged);
      CHECK(totals.lost == 0);
      CHECK(run.events().empty());
      CHECK(totals.reached - before > 120);  // in 600 s, of 0.8 a second
    }
  }
}

TEST_CASE("a limited destination that is away is reported, and one that others ask as well",
          "[reality][shared_limit]") {
  struct Row {
    std::string_view prober;
    bool echo = true;
    Duration within;
  };
  // The rounds of all flows have to say so: a flow has its turn each 20 s.
  constexpr std::array kRows{Row{"1h", true, 110s}, Row{"1h", false, 300s}, Row{"1s", true, 180s},
                             Row{"1s", false, 300s}, Row{"100ms", true, 180s}};
  for (const Row& row : kRows) {
    for (std::uint64_t seed = 1; seed <= seeds(5); ++seed) {
      const std::string more =
          std::string(row.echo ? "" : "echo = false\n") + "[[change]]\nat = \"180s\"\nlink = \"r2-dst\"\nloss = 1.0\n";
      LocalisationRun run(scenario_of(with(kLinux4, row.prober), more), seed, options_of({}), {});
      run.run(180s);
      CAPTURE(row.prober, row.echo, seed);
      CHECK(is_up(run));
      const Duration taken = time_to_down(run, 10min);
      CAPTURE(taken / 1s);
      CHECK(taken <= row.within);
    }
  }
}

TEST_CASE("loss beside a limit is counted as what it is", "[reality][shared_limit]") {
  struct Row {
    std::string_view limit;
    std::string_view node;
    double loss;
    double slack;
  };
  constexpr std::array kRows{Row{kLinux4, "b1", 0.3, 0.06}, Row{kLinux4, "b1", 1.0, 0.001},
                             Row{kLinux4, "r2", 0.1, 0.03}, Row{kLinux6, "b1", 0.3, 0.05}, Row{kIos, "b1", 0.3, 0.06}};
  for (const Row& row : kRows) {
    Loss on;
    Loss off;
    std::uint64_t unjudged = 0;
    for (std::uint64_t seed = 1; seed <= seeds(4); ++seed) {
      const std::string more = "[[change]]\nat = \"60s\"\nnode = \"" + std::string(row.node) +
                               "\"\ndrop = " + std::to_string(row.loss) + "\n";
      LocalisationRun run(scenario_of(row.limit, more), seed, options_of({}), {});
      EngineRun& engine = run.engine_run();
      const auto inner = engine.watch;
      const bool all = row.node == "r2";
      const IpAddress branch = engine.network().address("b1");
      const Instant counted = engine.network().now() + 70s;
      engine.watch = [&](std::uint32_t flow, const Round& round, const PathVerdict& verdict) {
        inner(flow, round, verdict);
        if (round.started < counted || !verdict.responders || verdict.responders->size() < 2) return;
        Loss& loss = all || (*verdict.responders)[1] == branch ? on : off;
        if (round.end_to_end == EndToEnd::reached) ++loss.reached;
        if (round.end_to_end == EndToEnd::lost) ++loss.lost;
      };
      run.run(30min);
      unjudged += engine.totals("dst").unjudged;
    }
    CAPTURE(row.limit, row.node, row.loss, on.reached, on.lost, off.reached, off.lost, unjudged);
    CHECK(on.lost + on.reached > 40 * seeds(4));
    CHECK(on.share() == Approx(row.loss).margin(row.slack));
    CHECK(off.lost == 0);
  }
}
