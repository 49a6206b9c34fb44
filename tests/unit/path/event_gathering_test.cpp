#include "path/model/event_gathering.hpp"

#include <random>
#include <string>

#include "catch.hpp"
#include "path/model/destination_model.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

using round_builder::address;

/// A destination whose rounds are gathered into events; one round of every flow each 10 s.
class Gathered {
 public:
  explicit Gathered(std::uint16_t flows) : facts_(round_builder::facts(flows)), model_(facts_, {}) {}

  /// What flow i sees is `hops(i)`; "" for no round at all.
  template <typename Hops>
  void sweep(const Hops& hops) {
    for (std::uint32_t flow = 0; flow < facts_->flows; ++flow) {
      const std::string seen = hops(flow);
      if (seen.empty()) continue;
      RoundRecord record;
      record.destination = facts_;
      record.flow_index = flow;
      record.source_port = static_cast<std::uint16_t>(50000 + flow);
      record.round = round_builder::round(seen, now_ + 10.0 * flow / static_cast<double>(facts_->flows));
      record.verdict = model_.on_round(flow, record.round);
      gathering.on_round(record);
    }
    now_ += 10;
    take();
  }
  void sweeps(int count, const std::function<std::string(std::uint32_t)>& hops) {
    for (int i = 0; i < count; ++i)
      sweep(hops);
  }
  void take() {
    for (auto& event : gathering.take(round_builder::at(now_)))
      events.push_back(std::move(event));
  }
  void pass(double seconds) {
    now_ += seconds;
    take();
  }

  EventGathering gathering;
  std::vector<EventGathering::Event> events;

 private:
  std::shared_ptr<const DestinationFacts> facts_;
  DestinationModel model_;
  double now_ = 1000;
};

std::string branch(std::uint32_t number) {
  return "a b" + std::to_string(number) + " c D";
}

}  // namespace

TEST_CASE("flows that leave one responder together are one event, moves apart by where they went", "[path][events]") {
  Gathered net(6);
  net.sweeps(10, [](std::uint32_t flow) { return branch(flow % 3); });
  CHECK(net.events.empty());
  net.sweeps(5, [](std::uint32_t flow) { return branch(flow % 3 == 0 ? 7 + flow / 3 : flow % 3); });
  REQUIRE(net.events.size() == 1);
  const PathEvent& event = *net.events[0];
  CHECK(event.kind == EventKind::reroute);
  CHECK(event.ttl == 2);
  REQUIRE(event.moves.size() == 2);
  CHECK(event.moves[0].before == address("b0"));
  CHECK(event.moves[0].after == address("b7"));
  CHECK(event.moves[0].flows == std::vector<std::uint16_t>{50000});
  CHECK(event.moves[1].after == address("b8"));
  CHECK(event.moves[1].flows == std::vector<std::uint16_t>{50003});
  CHECK(event.settled > event.time);
}

TEST_CASE("changes at different hops are different events", "[path][events]") {
  Gathered net(4);
  net.sweeps(10, [](std::uint32_t flow) { return "a b" + std::to_string(flow % 2) + " c D"; });
  net.sweeps(6, [](std::uint32_t flow) { return flow % 2 == 0 ? "a b5 c D" : "a b1 c5 D"; });
  REQUIRE(net.events.size() == 2);
  CHECK(net.events[0]->ttl + net.events[1]->ttl == 5);
}

TEST_CASE("a flow that changes again begins another event", "[path][events]") {
  Gathered net(2);
  net.sweeps(10, [](std::uint32_t) { return branch(1); });
  net.sweeps(2, [](std::uint32_t) { return branch(2); });
  net.sweeps(6, [](std::uint32_t) { return branch(3); });
  REQUIRE(net.events.size() == 2);
  CHECK(net.events[0]->moves[0].after == address("b2"));
  CHECK(net.events[1]->moves[0].after == address("b3"));
  CHECK(net.events[0]->moves[0].flows.size() == 2);
  CHECK(net.events[1]->moves[0].flows.size() == 2);
}

TEST_CASE("an event ends although a flow has no rounds any more", "[path][events]") {
  Gathered net(3);
  net.sweeps(10, [](std::uint32_t) { return branch(1); });
  net.sweeps(3, [](std::uint32_t flow) { return flow == 2 ? "" : branch(2); });
  CHECK(net.events.empty());
  net.pass(40);
  REQUIRE(net.events.size() == 1);
  CHECK(net.events[0]->moves[0].flows == std::vector<std::uint16_t>{50000, 50001});
}

TEST_CASE("open events of a destination that is traced no longer are told all the same", "[path][events]") {
  Gathered net(3);
  net.sweeps(10, [](std::uint32_t) { return branch(1); });
  net.sweeps(2, [](std::uint32_t flow) { return flow == 2 ? "" : branch(2); });
  net.gathering.drop_destination("fra-edge");
  net.gathering.drop_destination("never-there");
  net.pass(0);
  REQUIRE(net.events.size() == 1);
}

TEST_CASE("down is told when no flow reached in its newest round, up when one does again", "[path][events]") {
  Gathered net(4);
  net.sweeps(40, [](std::uint32_t) { return branch(1); });
  net.sweep([](std::uint32_t flow) { return flow == 0 ? "a b1 * *" : branch(1); });
  CHECK(net.events.empty());
  net.sweep([](std::uint32_t) { return "a b1 * *"; });
  REQUIRE(net.events.size() == 1);
  CHECK(net.events[0]->kind == EventKind::down);
  net.sweep([](std::uint32_t flow) { return flow == 0 ? branch(1) : "a b1 * *"; });
  REQUIRE(net.events.size() == 2);
  CHECK(net.events[1]->kind == EventKind::up);
}

TEST_CASE("a destination that is down from the start is told so once every flow has tried", "[path][events]") {
  Gathered net(16);
  net.sweep([](std::uint32_t flow) { return flow != 15 ? "a * *" : ""; });
  CHECK(net.events.empty());
  net.sweeps(3, [](std::uint32_t) { return "a * *"; });
  REQUIRE(net.events.size() == 1);
  CHECK(net.events[0]->kind == EventKind::down);
}

TEST_CASE("losses as before are no outage, whatever the number of flows", "[path][events]") {
  for (const int flows : {1, 2, 8}) {
    Gathered net(static_cast<std::uint16_t>(flows));
    std::mt19937_64 random(static_cast<std::uint64_t>(flows));
    net.sweeps(40'000 / flows, [&](std::uint32_t) { return random() % 10 < 3 ? "a b1 c *" : branch(1); });
    CAPTURE(flows);
    CHECK(net.events.empty());
    net.sweeps(40 / flows, [](std::uint32_t) { return "a b1 * *"; });
    net.sweep([](std::uint32_t) { return branch(1); });
    REQUIRE(net.events.size() == 2);
    CHECK(net.events[0]->kind == EventKind::down);
    CHECK(net.events[1]->kind == EventKind::up);
  }
}

TEST_CASE("an outage is told again after a long one, and hardly reached does not mean up and down for ever",
          "[path][events]") {
  Gathered net(4);
  net.sweeps(50, [](std::uint32_t) { return branch(1); });
  for (int outage = 0; outage < 3; ++outage) {
    net.sweeps(1000, [](std::uint32_t) { return "a b1 * *"; });
    net.sweeps(20, [](std::uint32_t) { return branch(1); });
  }
  CHECK(net.events.size() == 6);
  net.events.clear();
  int round = 0;
  net.sweeps(10'000, [&](std::uint32_t) { return ++round % 25 == 0 ? branch(1) : "a b1 * *"; });
  CHECK(net.events.size() < 120);
  net.events.clear();
  net.sweeps(10'000, [&](std::uint32_t) { return ++round % 25 == 0 ? branch(1) : "a b1 * *"; });
  CHECK(net.events.empty());
}

TEST_CASE("events are found by destination, flow, path and time", "[path][events]") {
  PathEvent event;
  event.destination = round_builder::facts(2);
  event.time = WallTime(std::chrono::seconds(100));
  event.moves = {{address("b1"), address("b2"), 0x11, 0x22, {50001, 50003}}, {address("b4"), {}, 0x33, 0, {50007}}};
  CHECK(matches({}, event));
  CHECK(matches({.destination = "fra-edge"}, event));
  CHECK_FALSE(matches({.destination = "fra"}, event));
  CHECK(matches({.flow = std::uint16_t{50003}}, event));
  CHECK_FALSE(matches({.flow = std::uint16_t{50002}}, event));
  CHECK(matches({.path = 0x11u}, event));
  CHECK(matches({.path = 0x22u}, event));
  CHECK_FALSE(matches({.flow = std::uint16_t{50007}, .path = 0x22u}, event));
  CHECK(matches({.since = WallTime(std::chrono::seconds(100))}, event));
  CHECK_FALSE(matches({.since = WallTime(std::chrono::seconds(101))}, event));
}

TEST_CASE("a destination that we cannot ask has not gone down", "[path][events]") {
  Gathered gathered(4);
  gathered.sweeps(5, [](std::uint32_t) { return "a b c D"; });
  gathered.sweeps(20, [](std::uint32_t) { return "a b c -"; });
  CHECK(gathered.events.empty());
  gathered.sweeps(20, [](std::uint32_t) { return "a b c *"; });
  REQUIRE(gathered.events.size() == 1);
  CHECK(gathered.events[0]->kind == EventKind::down);
  gathered.sweeps(5, [](std::uint32_t) { return "a b c -"; });
  CHECK(gathered.events.size() == 1);
  gathered.sweeps(2, [](std::uint32_t) { return "a b c D"; });
  REQUIRE(gathered.events.size() == 2);
  CHECK(gathered.events[1]->kind == EventKind::up);
}

}  // namespace ecmp
