// One event for all that changes at one hop together, however the rounds of the flows lie.
#include <set>

#include "path/model/event_gathering.hpp"
#include "sim/engine_fixture.hpp"
#include "sim/scenario_files.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

/// The events of a network, as the agent would gather them.
class EventRun {
 public:
  EventRun(const Scenario& scenario, std::uint64_t seed, const TraceOptions& options) : run_(scenario, seed, options) {
    DestinationFacts facts;
    facts.name = "dst";
    facts.source_ports = DestinationPlan().source_ports;
    facts.flows = options.flows;
    facts.interval = options.interval;
    facts_ = std::make_shared<const DestinationFacts>(facts);
    run_.watch = [this](std::uint32_t flow, const Round& round, const PathVerdict& verdict) {
      RoundRecord record;
      record.destination = facts_;
      record.flow_index = flow;
      record.source_port = facts_->source_ports[flow];
      record.round = round;
      record.verdict = verdict;
      if (verdict.changed != ChangeKind::none) changed.insert(record.source_port);
      if (verdict.changed == ChangeKind::per_packet) torn.insert(record.source_port);
      gathering_.on_round(record);
      for (const auto& event : gathering_.take(round.finished))
        events.push_back(event);
    };
  }

  void run(Duration time) {
    for (Duration passed{}; passed < time; passed += 1s) {
      run_.run(1s);
      for (const auto& event : gathering_.take(run_.network().now()))
        events.push_back(event);
    }
  }

  IpAddress address(const char* node) { return run_.network().address(node, Family::ipv4); }

  std::vector<std::shared_ptr<const PathEvent>> events;
  std::set<std::uint16_t> changed;  ///< flows that changed
  std::set<std::uint16_t> torn;     ///< those found out to alternate

 private:
  EngineRun run_;
  std::shared_ptr<const DestinationFacts> facts_;
  EventGathering gathering_;
};

std::set<std::uint16_t> flows_of(const PathEvent& event) {
  std::set<std::uint16_t> flows;
  for (const EventMove& move : event.moves)
    flows.insert(move.flows.begin(), move.flows.end());
  return flows;
}

Scenario fan_that_changes(const std::string& first, const std::string& then) {
  auto scenario = parse_scenario(R"(
    wires = ["agent - r1 - (b1..b4) - r2 - dst"]
    [link."*"]
    delay = "1ms"
    [[route]]
    at = "r1"
    via = )" + first + R"(
    [[change]]
    at = "60s"
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

TEST_CASE("flows that move to a new branch are one reroute event", "[events]") {
  for (const Duration interval : {Duration(1s), Duration(10s)}) {
    for (std::uint64_t number = 0; number < 10; ++number) {
      const Seed seed(8100 + number);
      EventRun run(load_scenario("reroute_one_branch"), seed, {.interval = interval});
      run.run(60s + 8 * interval);
      CAPTURE(number, interval.count());
      REQUIRE(run.changed.size() > 1);
      REQUIRE(run.events.size() == 1);
      const PathEvent& event = *run.events[0];
      CHECK(event.kind == EventKind::reroute);
      CHECK(event.ttl == 2);
      REQUIRE(event.moves.size() == 1);
      CHECK(event.moves[0].before == run.address("b2"));
      CHECK(event.moves[0].after == run.address("b5"));
      CHECK(event.moves[0].path_before != event.moves[0].path_after);
      CHECK(flows_of(event) == run.changed);
      CHECK(event.time.time_since_epoch() >= SimulatedNetwork::kStart.time_since_epoch() + 60s);
      CHECK(event.settled - event.time <= interval + 1s);
    }
  }
}

TEST_CASE("a branch taken out of the fan is one event of width with all that moved", "[events]") {
  const Scenario scenario = fan_that_changes(R"(["b1", "b2", "b3", "b4"])", R"(["b1", "b2", "b3"])");
  for (std::uint64_t number = 0; number < 10; ++number) {
    const Seed seed(8200 + number);
    EventRun run(scenario, seed, {});
    run.run(75s);
    CAPTURE(number);
    REQUIRE(run.events.size() == 1);
    const PathEvent& event = *run.events[0];
    CHECK(event.kind == EventKind::width);
    CHECK(flows_of(event) == run.changed);
    const bool left =
        std::ranges::any_of(event.moves, [&](const EventMove& move) { return move.before == run.address("b4"); });
    CHECK(left);
  }
}

TEST_CASE("branches that change places are one remap event", "[events]") {
  const Scenario scenario = fan_that_changes(R"(["b1", "b2", "b3", "b4"])", R"(["b2", "b1", "b4", "b3"])");
  for (std::uint64_t number = 0; number < 10; ++number) {
    const Seed seed(8300 + number);
    EventRun run(scenario, seed, {});
    run.run(75s);
    CAPTURE(number);
    REQUIRE(run.events.size() == 1);
    CHECK(run.events[0]->kind == EventKind::remap);
    CHECK(run.events[0]->moves.size() == 4);
    CHECK(flows_of(*run.events[0]) == run.changed);
    CHECK(run.changed.size() == 32);
  }
}

TEST_CASE("a balancer that does not keep flows together is told as that, each flow once", "[events]") {
  const Seed seed(8400);
  EventRun run(load_scenario("per_packet"), seed, {});
  run.run(90s);
  REQUIRE_FALSE(run.torn.empty());
  std::set<std::uint16_t> told;
  for (const auto& event : run.events) {
    // Before it is found out, two rounds that go the same way by chance look like a change.
    if (event->kind != EventKind::per_packet) continue;
    CHECK(event->ttl == 4);
    for (const std::uint16_t flow : flows_of(*event))
      CHECK(told.insert(flow).second);
    for (const EventMove& move : event->moves)
      CHECK(std::set{move.before, move.after} == std::set{run.address("c1"), run.address("c2")});
  }
  CHECK(told == run.torn);
}

TEST_CASE("a destination that cannot be reached for a while goes down once and comes back once", "[events]") {
  auto scenario = parse_scenario(R"(
    wires = ["agent - r1 - (b1..b4) - r2 - dst"]
    [link."*"]
    delay = "1ms"
    [[change]]
    at = "20s"
    for = "20s"
    link = "r2-dst"
    loss = "100%"
    [destination.dst]
  )",
                                 "down");
  REQUIRE(scenario);
  const Seed seed(8500);
  EventRun run(*scenario, seed, {});
  run.run(60s);
  REQUIRE(run.events.size() == 2);
  CHECK(run.events[0]->kind == EventKind::down);
  CHECK(run.events[1]->kind == EventKind::up);
  CHECK(run.events[1]->time - run.events[0]->time > 15s);
  CHECK(run.events[0]->moves.empty());
}

TEST_CASE("a third of all replies lost for hours is no event", "[events]") {
  const Seed seed(8600);
  EventRun run(lossy_fan(), seed, {.interval = 10s});
  run.run(2h);
  CHECK(run.events.empty());
  CHECK(run.changed.empty());
}

TEST_CASE("a reroute in the first seconds is a reroute", "[events]") {
  auto scenario = parse_scenario(R"(
    wires = ["agent - r1 - (b1..b5) - r2 - dst"]
    [link."*"]
    delay = "1ms"
    [[route]]
    at = "r1"
    via = ["b1", "b2", "b3", "b4"]
    [[change]]
    at = "3s"
    route = { at = "r1", via = ["b1", "b5", "b3", "b4"] }
    [destination.dst]
  )",
                                 "early");
  REQUIRE(scenario);
  for (std::uint64_t number = 0; number < 10; ++number) {
    const Seed seed(8700 + number);
    EventRun run(*scenario, seed, {});
    run.run(20s);
    CAPTURE(number);
    REQUIRE(run.events.size() == 1);
    CHECK(run.events[0]->kind == EventKind::reroute);
  }
}
