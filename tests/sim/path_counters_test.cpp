// What is counted for a path was sent over it, also where routers answer so seldom, or never, that flows do not know
// yet which path they are on. ECMP_SIM_SEEDS=200 sim_tests "[path_counters]" is the full size.
#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "engine_fixture.hpp"
#include "sim/scenario.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kFan = "wires = [\"agent - r1 - (b1..b4) - r2 - dst\"]\n[link.\"*\"]\ndelay = \"1ms\"\n";

Scenario parsed(const std::string& text) {
  auto scenario = parse_scenario(text, "path counters");
  if (!scenario) throw std::runtime_error(scenario.error());
  return std::move(*scenario);
}

/// What is counted for paths over another branch than the one that loses, and for all.
struct Counted {
  std::uint64_t other = 0;
  std::uint64_t other_lost = 0;
  std::uint64_t all = 0;
  std::uint64_t lost = 0;
};

Counted counted(EngineRun& run, std::string_view lossy) {
  Counted sum;
  const IpAddress& bad = run.network().address(lossy);
  const auto told = run.snapshot("dst");
  for (const PathSnapshot& path : told->paths) {
    sum.all += path.probes;
    sum.lost += path.probes - path.replies;
    for (const HopSnapshot& hop : path.hops) {
      if (hop.ttl != 2 || hop.responder == bad) continue;
      sum.other += path.probes;
      sum.other_lost += path.probes - path.replies;
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("where routers limit their answers there are no more paths than branches, and none has another's loss",
          "[reality][path_counters]") {
  std::string text(kFan);
  for (const std::string_view router : {"r1", "b1", "b2", "b3", "b4", "r2"}) {
    text += "[router." + std::string(router) + "]\n";
    text += "icmp_limit = { rate = 1, burst = 6, concerns = [\"time_exceeded\", \"unreachable\"] }\n";  // Linux, IPv4
    if (router == "b1") text += "drop = 0.3\n";
  }
  text += "[destination.dst]\n";
  for (const auto& [flows, interval] :
       {std::pair{std::uint16_t{16}, 10s}, {std::uint16_t{64}, 1s}, {std::uint16_t{256}, 10s}}) {
    std::uint64_t above = 0;
    for (std::uint64_t seed = 1; seed <= seeds(10); ++seed) {
      EngineRun run(parsed(text), seed,
                    {.protocol = Protocol::tcp,
                     .flows = flows,
                     .interval = interval,
                     .timeout = 500ms,
                     .adapt_to_responders = true});
      std::uint32_t most = 0;
      for (int seconds = 5; seconds <= 120; seconds += 5) {
        run.run(5s);
        most = std::max(most, run.snapshot("dst")->paths_in_use);
      }
      const Counted sum = counted(run, "b1");
      CAPTURE(flows, interval.count(), seed, sum.other, sum.all, sum.lost);
      above += most > 4 ? 1u : 0u;
      CHECK(sum.other_lost == 0);
      CHECK((sum.lost > 0 || sum.other == sum.all));  // of 16 flows none crosses b1 in one of a hundred seeds
      CHECK(sum.other > sum.all / 5);
    }
    // The first flow over the branch that loses may lose its first round: until another one gets through, or it does,
    // it is on a path that ends before the destination.
    CHECK(above <= seeds(10) / 4);
  }
}

TEST_CASE("flows over routers that never answer are not taken for those over one that does",
          "[reality][path_counters]") {
  struct Row {
    std::string_view silent;
    std::string_view lossy;
  };
  for (const Row& row : {Row{"b2", "b2"}, Row{"b2 b3", "b2"}, Row{"b2 b3 b4", "b3"}}) {
    std::string text(kFan);
    for (const std::string_view router : {"b1", "b2", "b3", "b4"}) {
      text += "[router." + std::string(router) + "]\n";
      if (row.silent.find(router) != std::string_view::npos) text += "silent = true\n";
      if (router == row.lossy) text += "drop = 0.3\n";
    }
    text += "[destination.dst]\n";
    for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
      for (std::uint64_t seed = 1; seed <= seeds(10); ++seed) {
        EngineRun run(parsed(text), seed, {.protocol = protocol, .flows = 32, .interval = 1s, .timeout = 500ms});
        run.run(60s);
        const Counted before = counted(run, row.lossy);
        run.run(60s);
        const Counted sum = counted(run, row.lossy);
        CAPTURE(row.silent, static_cast<int>(protocol), seed, sum.other, before.other_lost, sum.all, sum.lost);
        // Until a router is known to keep quiet rounds are taken to cross the one that answers: six silences take nine
        // rounds of the sixty where three in ten are lost, give or take some.
        CHECK(sum.other_lost == before.other_lost);
        CHECK(before.other_lost * 3 <= before.lost);
        CHECK(sum.lost > before.lost);
      }
    }
  }
}
