// `flows = "auto"` on simulated networks: what is found, what is kept, and that nobody notices it being looked for.
#include "sim/auto_fixture.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

TEST_CASE("all sixteen paths of a fan are found, and two flows each are kept", "[auto]") {
  int missed = 0;
  for (std::uint64_t number = 0; number < 5; ++number) {
    const Seed seed(9100 + number);
    AutoRun run(load_scenario("fan_16"), seed);
    const Duration took = run.find();
    CAPTURE(number, std::chrono::duration<double>(took).count(), run.search().flows_asked, run.network.counts().sent);
    UNSCOPED_INFO("asked " << run.search().flows_asked << " flows, " << run.network.counts().sent << " probes");
    CHECK(took < 60s);
    CHECK(run.search().coverage >= 0.95);
    CHECK_FALSE(run.search().bounded);
    CHECK(run.told()->facts->steady->size() <= 32);
    run.pass(21s);
    CHECK(run.told()->flows.size() <= 32);
    missed += run.told_paths() == run.true_paths() ? 0 : 1;
    CHECK(run.told()->paths_in_use == run.search().paths);
    for (const PathSnapshot& path : run.told()->paths)
      CHECK((path.flows == 0 || path.flows == 2));
    CHECK(run.changes.empty());
    // What rests has no route to follow any more, but for what was let go last.
    CHECK(run.routes.flows.size() <= 32 + 6);
  }
  CHECK(missed <= 1);
}

TEST_CASE("two stages of four branches are found link by link", "[auto]") {
  const Seed seed(9200);
  AutoRun run(load_scenario("two_stage_4x4"), seed, {.confidence = 0.99});
  run.find();
  run.pass(21s);
  CHECK(run.search().coverage >= 0.99);
  CHECK(run.told()->links.size() == 4 + 4 + 4 + 4 + 1);
  CHECK(run.told()->flows.size() <= 32);
}

namespace {

Scenario fan_that_changes(const std::string& first, const std::string& then) {
  auto scenario = parse_scenario(R"(
    wires = ["agent - r1 - (b1..b5) - r2 - dst"]
    [link."*"]
    delay = "1ms"
    [[route]]
    at = "r1"
    via = )" + first + R"(
    [[change]]
    at = "600s"
    route = { at = "r1", via = )" + then +
                                     R"( }
    [destination.dst]
  )",
                                 "changes");
  REQUIRE(scenario);
  return *scenario;
}

Scenario lossy_fan() {
  auto scenario = parse_scenario(R"(
    wires = ["agent - r1 - (b1..b4) - r2 - dst"]
    [link."*"]
    delay = "1ms"
    [router."*"]
    reply_loss = "30%"
    [destination.dst]
    reply_loss = "30%"
  )",
                                 "lossy");
  REQUIRE(scenario);
  return *scenario;
}

}  // namespace

TEST_CASE("the bound of flows is kept, and the coverage says what that costs", "[auto]") {
  const Seed seed(9300);
  AutoRun run(load_scenario("fan_16"), seed, {}, 40);
  run.find();
  CHECK(run.search().bounded);
  CHECK(run.search().flows_asked == 40);
  CHECK(run.search().coverage < 0.9);
  CHECK(run.search().paths >= 10);
}

TEST_CASE("silence, limits and unequal lengths neither hide paths nor make up some", "[auto]") {
  const std::vector<std::pair<const char*, std::size_t>> networks = {
      {"unequal_lengths", 3}, {"icmp_limited", 4}, {"reply_loss_30", 0}, {"fan_4", 4}, {"mpls", 0}};
  for (const auto& [name, paths] : networks) {
    const Seed seed(9400);
    AutoRun run(load_scenario(name), seed);
    run.find();
    CAPTURE(name, run.search().flows_asked, run.search().paths);
    CHECK_FALSE(run.search().bounded);
    CHECK(run.search().coverage >= 0.95);
    CHECK(run.search().paths == (paths != 0 ? paths : run.true_paths(500).size()));
    CHECK(run.search().per_packet.empty());
    CHECK(run.told()->facts->steady->size() <= 2 * run.search().paths + 2);
  }
}

TEST_CASE("a branch that never answers is kept as a link of its own", "[auto]") {
  const Seed seed(9450);
  AutoRun run(load_scenario("silent_hop"), seed);
  run.find();
  CHECK_FALSE(run.search().bounded);
  std::set<std::vector<IpAddress>> kept;
  for (const std::uint16_t flow : *run.told()->facts->steady)
    kept.insert(run.network.path_of(run.engine.tuple(flow), 0, run.network.now()).responders);
  CHECK(kept.size() == 4);
}

TEST_CASE("a balancer per packet is told, and the search ends all the same", "[auto]") {
  for (std::uint64_t number = 0; number < 5; ++number) {
    const Seed seed(9500 + number);
    AutoRun run(load_scenario("per_packet"), seed);
    run.find();
    CAPTURE(number);
    CHECK_FALSE(run.search().bounded);
    REQUIRE(run.search().per_packet.size() == 1);
    CHECK(run.search().per_packet[0].ttl == 4);
    const IpAddress& one = run.search().per_packet[0].responder;
    CHECK((one == run.network.address("c1") || one == run.network.address("c2")));
    CHECK(run.search().flows_asked < 100);
    CHECK(run.search().paths == 2);
  }
}

TEST_CASE("paths that are looked for again and again disturb nothing that is measured", "[auto]") {
  const std::uint64_t number =
      GENERATE(2u, 4u, 7u, 10u, 21u, 35u, 37u, 47u, 58u, 61u, 80u, 87u, 9600u, 9601u, 9602u, 9603u, 9604u);
  const Seed seed(number);
  AutoRun run(lossy_fan(), seed, {.rediscover = 10min}, 512, 10s, 50000);  // the ports that these seeds were found with
  // The first search begins when the flows of the start have hardly said anything: what it keeps is put right by the
  // second.
  run.find(2);
  run.pass(60s);
  const auto before = run.told();
  run.rounds.clear();
  run.pass(2h);
  const auto after = run.told();
  CHECK(after->search->finished > 8);
  // Ten paths and a tenth of the flows for good measure; where answers of the destination are lost it asks more.
  CHECK(run.most_asked < 260);
  CHECK(*after->facts->steady == *before->facts->steady);
  REQUIRE(after->flows.size() == before->flows.size());
  for (std::size_t i = 0; i < after->flows.size(); ++i) {
    CHECK(after->flows[i].source_port == before->flows[i].source_port);
    CHECK(after->flows[i].path == before->flows[i].path);
    CHECK(after->flows[i].ordinal == before->flows[i].ordinal);
    // A round each ten seconds, no more and no less, those that are not judged among them.
    const auto rounds = [](const FlowSnapshot& flow) { return flow.probes + flow.unjudged.all(); };
    CHECK(rounds(after->flows[i]) - rounds(before->flows[i]) >= 718);
    CHECK(rounds(after->flows[i]) - rounds(before->flows[i]) <= 722);
  }
  CHECK(run.engine.counters().rounds_skipped == 0);
  // 30 % of the replies lost, and nothing has happened.
  CHECK(run.changes.empty());
  CHECK(run.events.empty());
}

TEST_CASE("each kind of change is told once as that kind, and what is new is looked for at once", "[auto]") {
  struct Case {
    const char* first;
    const char* then;
    EventKind kind;
    std::uint32_t paths;
  };
  const std::vector<Case> cases = {
      {R"(["b1", "b2", "b3", "b4"])", R"(["b1", "b5", "b3", "b4"])", EventKind::reroute, 4},
      {R"(["b1", "b2", "b3", "b4"])", R"(["b1", "b2", "b3"])", EventKind::width, 3},
      {R"(["b1", "b2", "b3", "b4"])", R"(["b1", "b2", "b3", "b4", "b5"])", EventKind::width, 5},
      {R"(["b1", "b2", "b3", "b4"])", R"(["b2", "b1", "b4", "b3"])", EventKind::remap, 4}};
  for (std::size_t number = 0; number < cases.size(); ++number) {
    const Case& each = cases[number];
    const Seed seed(9700 + number);
    AutoRun run(fan_that_changes(each.first, each.then), seed);
    run.find();
    run.pass(590s - (run.network.now() - SimulatedNetwork::kStart));
    CHECK(run.search().paths == 4);
    run.pass(5min);
    CAPTURE(number, to_string(each.kind));
    REQUIRE(run.events.size() == 1);
    CHECK(run.events[0]->kind == each.kind);
    CHECK(run.events[0]->ttl == 2);
    CHECK(run.search().finished == 2);
    CHECK(run.search().paths == each.paths);
    CHECK(run.told()->paths_in_use == each.paths);
  }
}

TEST_CASE("a destination that nobody answers for is searched for now and then", "[auto]") {
  auto scenario = parse_scenario(R"(
    wires = ["agent - r1 - (b1..b4) - r2 - dst"]
    [link."*"]
    delay = "1ms"
    [link."agent-r1"]
    loss = "100%"
    [[change]]
    at = "300s"
    link = "agent-r1"
    loss = "0%"
    [destination.dst]
  )",
                                 "dead");
  REQUIRE(scenario);
  const Seed seed(9800);
  AutoRun run(*scenario, seed);
  run.find();
  CHECK(run.search().paths == 0);
  CHECK(run.search().flows_asked <= 12);
  CHECK(run.told()->facts->steady->size() == 6);
  run.pass(15min);
  CHECK(run.search().paths == 4);
  CHECK(run.told()->paths_in_use == 4);
}
