// Engine and path model over the simulated network: what they find is what is there.
#include <algorithm>
#include <string>
#include <tuple>

#include "sim/engine_fixture.hpp"
#include "sim/scenario_files.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

void check_paths(EngineRun& run, std::string_view destination, std::uint16_t flows) {
  for (std::uint32_t flow = 0; flow < flows; ++flow) {
    CAPTURE(destination, flow);
    const TruePath path = run.true_path(destination, flow, run.network().now());
    REQUIRE(path.exact);
    CHECK(path.reached);
    CHECK(run.found_path(destination, flow) == path.responders);
  }
}

}  // namespace

TEST_CASE("every flow is found on its true path, over every protocol and family", "[engine]") {
  const Seed seed(100);
  for (const std::string scenario : {"fan_4", "fan_16", "two_stage_4x4", "unequal_lengths"}) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
        CAPTURE(scenario, static_cast<int>(family), static_cast<int>(protocol));
        EngineRun run(load_scenario(scenario), seed, {.protocol = protocol, .family = family});
        run.run(10s);
        check_paths(run, "dst", 32);
        CHECK(run.totals("dst").lost == 0);
        CHECK(run.totals("dst").rounds >= 32 * 9);
        CHECK(run.changes().empty());
      }
    }
  }
}

TEST_CASE("30 % reply loss at one router over an hour changes no path", "[engine]") {
  const Seed seed(101);
  EngineRun run(load_scenario("reply_loss_30"), seed, {.interval = 10s});
  run.run(1h);
  check_paths(run, "dst", 32);
  CHECK(run.changes().empty());
  CHECK(run.totals("dst").lost == 0);
  CHECK(run.totals("dst").hops_silent > 500);
  CHECK(run.totals("dst").hops_lost == 0);
}

TEST_CASE("a reroute is told by exactly the flows that it moves, within two rounds", "[engine]") {
  const Seed seed(102);
  EngineRun run(load_scenario("reroute_one_branch"), seed, {});
  run.run(50s);
  std::vector<std::uint32_t> moving;
  for (std::uint32_t flow = 0; flow < 32; ++flow) {
    if (run.true_path("dst", flow, run.network().now()).responders.at(1) == run.network().address("b2"))
      moving.push_back(flow);
  }
  REQUIRE_FALSE(moving.empty());
  run.run(30s);
  check_paths(run, "dst", 32);
  std::vector<std::uint32_t> told;
  for (const SeenChange& change : run.changes()) {
    CHECK(change.kind == ChangeKind::reroute);
    CHECK(change.started > SimulatedNetwork::kStart + 60s);
    CHECK(change.started < SimulatedNetwork::kStart + 63s);
    told.push_back(change.flow_index);
  }
  std::ranges::sort(told);
  CHECK(told == moving);
}

TEST_CASE("a path that grows and shrinks again loses nothing", "[engine]") {
  const Seed seed(103);
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    EngineRun run(load_scenario("grow_shrink"), seed, {.protocol = protocol});
    run.run(90s);
    check_paths(run, "dst", 32);
    run.run(90s);
    check_paths(run, "dst", 32);
    CHECK(run.totals("dst").lost == 0);
    CHECK(run.totals("dst").hops_lost == 0);
  }
}

TEST_CASE("a router that limits its ICMP is silent, and nothing is lost", "[engine]") {
  const Seed seed(104);
  const bool adapt = GENERATE(false, true);
  CAPTURE(adapt);
  EngineRun run(load_scenario("icmp_limited"), seed, {.adapt_to_responders = adapt});
  run.run(120s);
  CHECK((run.network().counts_of("r1").suppressed > 1000) == !adapt);
  CHECK((run.totals("dst").hops_silent > 1000) == !adapt);
  CHECK(run.totals("dst").lost == 0);
  CHECK(run.totals("dst").hops_lost == 0);
  CHECK(run.changes().empty());
}

TEST_CASE("loss on one branch shows on the paths over it and on no other", "[engine]") {
  const Seed seed(105);
  EngineRun run(load_scenario("branch_loss_10"), seed, {});
  run.run(300s);
  check_paths(run, "dst", 32);
  const auto snapshot = run.snapshot("dst");
  REQUIRE(snapshot->paths.size() == 4);
  for (const PathSnapshot& path : snapshot->paths) {
    const bool lossy = path.hops.at(1).responder == run.network().address("b3");
    const double loss = 1 - static_cast<double>(path.replies) / static_cast<double>(path.probes);
    CHECK((lossy ? loss > 0.05 && loss < 0.15 : loss == 0));
  }
  CHECK(run.changes().empty());
}

TEST_CASE("when our own host cannot send, the network is not blamed", "[engine]") {
  const Seed seed(106);
  Scenario scenario = load_scenario("fan_4");
  scenario.changes.push_back({20s, "full", [](Topology& now) { now.send_error = SendError::no_buffers; }});
  scenario.changes.push_back({25s, "well", [](Topology& now) { now.send_error = SendError::none; }});
  EngineRun run(scenario, seed, {});
  run.run(60s);
  check_paths(run, "dst", 32);
  CHECK(run.totals("dst").send_failed > 32 * 3);
  CHECK(run.totals("dst").lost == 0);
  CHECK(run.changes().empty());
}

TEST_CASE("an engine asked for a number of rounds runs so many of each flow and then rests", "[engine]") {
  const Seed seed(107);
  for (const std::uint32_t rounds : {1u, 2u, 7u}) {
    CAPTURE(rounds);
    EngineRun run(load_scenario("fan_4"), seed, {.rounds = rounds});
    run.run(60s);
    CHECK(run.totals("dst").rounds == 32 * rounds);
    CHECK(run.totals("dst").reached == 32 * rounds);
    CHECK(run.engine().next_due() == Instant::max());
    const std::uint64_t sent = run.network().counts().sent;
    run.run(60s);
    CHECK(run.network().counts().sent == sent);
  }
}

TEST_CASE("rounds that are skipped do not count among those asked for", "[engine]") {
  const Seed seed(108);
  // 30 TTLs into a black hole at 64 probes a second for all: a round takes far longer than its interval.
  EngineRun run(load_scenario("black_hole"), seed,
                {.flows = 4, .interval = 100ms, .rounds = 40, .probes_per_second = 64});
  run.run(1h);
  CHECK(run.totals("dst").rounds == 4 * 40);
  CHECK(run.engine().counters().rounds_skipped > 0);
}
