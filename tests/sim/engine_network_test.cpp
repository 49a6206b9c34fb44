// Engine and path model in networks that behave oddly.
#include <algorithm>
#include <set>
#include <string>

#include "sim/engine_fixture.hpp"
#include "sim/scenario_files.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

std::uint64_t ignored(EngineRun& run, Ignored reason) {
  return run.engine().counters().ignored[static_cast<std::size_t>(reason)];
}

Change at(Duration time, std::function<void(Topology&)> apply) {
  return {.at = time, .what = "test", .apply = std::move(apply)};
}

Node& node(Topology& topology, std::string_view name) {
  return *std::ranges::find_if(topology.nodes, [&](const Node& candidate) { return candidate.name == name; });
}

}  // namespace

TEST_CASE("silent routers are unknown hops of a path, and no loss", "[engine]") {
  const Seed seed(120);
  EngineRun run(load_scenario("silent_hop"), seed, {});
  run.run(60s);
  CHECK(run.changes().empty());
  CHECK(run.totals("dst").lost == 0);
  CHECK(run.totals("dst").hops_lost == 0);
  CHECK(run.snapshot("dst")->paths_in_use == 4);
  for (std::uint32_t flow = 0; flow < 32; ++flow) {
    auto truth = run.true_path("dst", flow, run.network().now()).responders;
    for (IpAddress& responder : truth) {
      if (responder == run.network().address("b2") || responder == run.network().address("r2")) responder = {};
    }
    CHECK(run.found_path("dst", flow) == truth);
  }
}

TEST_CASE("a path that grows behind a router that never answers loses nothing", "[engine]") {
  const Seed seed(121);
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    CAPTURE(static_cast<int>(protocol));
    Scenario scenario = load_scenario("grow_shrink");
    for (Node& each : scenario.topology.nodes) {
      if (each.name == "x") each.silent = true;
    }
    EngineRun run(scenario, seed, {.protocol = protocol, .interval = 5s, .timeout = 500ms});
    run.run(180s);
    CHECK(run.totals("dst").lost == 0);
    CHECK(run.totals("dst").hops_lost == 0);
    CHECK(run.newest_round("dst", 0).distance == 4);
  }
}

TEST_CASE("behind address translators every flow is followed to the end", "[engine]") {
  const Seed seed(122);
  EngineRun run(load_scenario("nat"), seed, {});
  run.run(60s);
  // The translator that restores nothing in quotes hides what is behind it; the destination's own answers pass.
  std::size_t complete = 0;
  for (std::uint32_t flow = 0; flow < 32; ++flow) {
    const auto& round = run.newest_round("dst", flow);
    complete += round.reached() ? 1u : 0u;
  }
  CHECK(complete >= 20);
  CHECK(run.changes().empty());
}

TEST_CASE("label stacks stand beside the hops that told them", "[engine]") {
  const Seed seed(123);
  EngineRun run(load_scenario("mpls"), seed, {});
  run.run(20s);
  std::set<std::uint32_t> labels;
  for (std::uint32_t flow = 0; flow < 32; ++flow) {
    for (const HopResult& hop : run.newest_round("dst", flow).hops) {
      for (const packet::MplsLabel& label : hop.mpls.view())
        labels.insert(label.label);
    }
  }
  CHECK(labels == std::set<std::uint32_t>{3, 16004, 24017});
}

TEST_CASE("a balancer that tears flows apart is told once for each flow behind it", "[engine]") {
  const Seed seed(124);
  EngineRun run(load_scenario("per_packet"), seed, {});
  run.run(600s);
  std::set<std::uint32_t> told;
  std::size_t per_packet = 0;
  for (const SeenChange& change : run.changes()) {
    if (change.kind != ChangeKind::per_packet) continue;
    ++per_packet;
    told.insert(change.flow_index);
  }
  std::set<std::uint32_t> behind;
  for (std::uint32_t flow = 0; flow < 32; ++flow) {
    if (!run.true_path("dst", flow, run.network().now()).exact) behind.insert(flow);
  }
  CHECK_FALSE(behind.empty());
  CHECK(told == behind);
  CHECK(per_packet == behind.size());
  CHECK(run.totals("dst").lost == 0);
}

TEST_CASE("a UDP service that answers is a destination that is reached", "[engine]") {
  const Seed seed(125);
  EngineRun run(load_scenario("udp_service"), seed, {});
  run.run(60s);
  for (const char* destination : {"talker", "mirror"}) {
    CAPTURE(destination);
    CHECK(run.totals(destination).lost == 0);
    for (std::uint32_t flow = 0; flow < 32; ++flow) {
      CHECK(run.newest_round(destination, flow).distance == 4);
      CHECK(run.newest_round(destination, flow).hops.back().reply == packet::ReplyKind::udp);
      CHECK(run.found_path(destination, flow) == run.true_path(destination, flow, run.network().now()).responders);
    }
  }
}

TEST_CASE("a filtered port is not reached, and the routers before it are known all the same", "[engine]") {
  const Seed seed(126);
  EngineRun run(load_scenario("udp_service"), seed, {.port = 69});
  run.run(30s);
  CHECK(run.totals("talker").reached == 0);
  CHECK(run.totals("talker").lost > 0);
  CHECK_FALSE(run.snapshot("talker")->up);
  CHECK(run.snapshot("mirror")->up);
  CHECK(run.found_path("talker", 0).size() == 3);
}

TEST_CASE("a refusal on the way is told with its sender, and is no answer of the destination", "[engine]") {
  const Seed seed(127);
  EngineRun run(load_scenario("black_hole"), seed, {});
  run.run(60s);
  const auto snapshot = run.snapshot("dst");
  REQUIRE(snapshot->unreachables.size() == 1);
  CHECK(snapshot->unreachables[0].from == run.network().address("b2"));
  CHECK(snapshot->unreachables[0].reply == packet::ReplyKind::admin_prohibited);
  CHECK(snapshot->up);
  for (const PathSnapshot& path : snapshot->paths) {
    const IpAddress branch = path.hops.size() > 1 ? path.hops[1].responder : IpAddress{};
    const bool well = branch == run.network().address("b3") || branch == run.network().address("b4");
    CHECK(path.complete == well);
    CHECK((well ? path.replies == path.probes : path.replies == 0));
  }
  CHECK_FALSE(run.snapshot("other")->up);
}

TEST_CASE("doubled and disordered packets change nothing but the count of duplicates", "[engine]") {
  const Seed seed(128);
  EngineRun run(load_scenario("duplicates_reorder"), seed, {.interval = 2s, .timeout = 1s});
  run.run(600s);
  CHECK(ignored(run, Ignored::duplicate) > 500);
  CHECK(ignored(run, Ignored::bad_identity) == 0);
  CHECK(ignored(run, Ignored::unknown_flow) == 0);
  CHECK(run.changes().empty());
  // Pareto jitter: now and then an answer comes after the timeout. It is late, and its probe lost: one fate for each.
  CHECK(run.totals("dst").reached + run.totals("dst").lost == run.totals("dst").rounds);
  CHECK(run.totals("dst").reached > run.totals("dst").rounds * 9 / 10);
}

TEST_CASE("a destination that moves from one hop away to four and back is followed at once", "[engine]") {
  const Seed seed(129);
  auto parsed = parse_scenario(R"(
about = "Three routers that are cables at first."
wires = ["agent - a - b - c - dst"]
[link."*"]
delay = "1ms"
[router."*"]
hidden = true
[destination.dst]
)",
                               "moving");
  REQUIRE(parsed.ok());
  Scenario& scenario = *parsed;
  scenario.changes.push_back(at(60s, [](Topology& now) {
    for (const char* name : {"a", "b", "c"})
      node(now, name).hidden = false;
  }));
  scenario.changes.push_back(at(120s, [](Topology& now) {
    for (const char* name : {"a", "b", "c"})
      node(now, name).hidden = true;
  }));
  EngineRun run(scenario, seed, {});
  run.run(59s);
  CHECK(run.newest_round("dst", 0).distance == 1);
  run.run(4s);  // within two rounds
  CHECK(run.newest_round("dst", 0).distance == 4);
  CHECK(run.found_path("dst", 0).size() == 4);
  run.run(61s);
  CHECK(run.newest_round("dst", 0).distance == 1);
  CHECK(run.totals("dst").lost == 0);
}

TEST_CASE("rounds may overlap: an interval shorter than the timeout loses and mixes up nothing", "[engine]") {
  const Seed seed(130);
  EngineRun run(load_scenario("reply_loss_30"), seed, {.interval = 100ms, .timeout = 500ms});
  run.run(60s);
  CHECK(run.changes().empty());
  CHECK(run.totals("dst").lost == 0);
  CHECK(run.engine().counters().rounds_skipped == 0);
  CHECK(run.totals("dst").rounds > 32 * 580);
}

TEST_CASE("when the limit is too low for what is asked, rounds are skipped and counted, evenly", "[engine]") {
  const Seed seed(131);
  // 32 flows x 4 hops each second want 128 probes a second.
  EngineRun run(load_scenario("fan_4"), seed, {.probes_per_second = 64});
  run.run(120s);
  const EngineCounters& counters = run.engine().counters();
  CHECK(counters.rounds_skipped > 0);
  CHECK(counters.rate_limited > 0);
  CHECK(run.network().counts().sent <= 64 * 120 + 2);
  CHECK(run.network().counts().sent > 64 * 110);
  CHECK(run.totals("dst").lost == 0);
  for (std::uint32_t flow = 0; flow < 32; ++flow)
    CHECK(run.newest_round("dst", flow).number > 100);
}

TEST_CASE("a responder is not asked more often than its limit", "[engine]") {
  const Seed seed(132);
  EngineRun run(load_scenario("fan_4"), seed, {.interval = 1s, .probes_per_second_per_responder = 16});
  run.run(120s);
  CHECK(run.engine().counters().responder_delayed > 0);
  // The first rounds, in which nobody is known yet, come on top.
  CHECK(run.network().counts_of("r1").replies <= 16 * 120 + 64);
  CHECK(run.totals("dst").lost == 0);
}
