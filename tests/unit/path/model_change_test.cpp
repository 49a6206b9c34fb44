#include <numeric>
#include <string>

#include "catch.hpp"
#include "path/model/destination_model.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

using round_builder::address;
using round_builder::Measured;

std::string branch(std::uint32_t number) {
  return "a b" + std::to_string(number) + " c D";
}

std::uint64_t count(const FlowSnapshot& flow, ChangeKind kind) {
  return flow.changes[static_cast<std::size_t>(kind)];
}

/// All flows on branch (flow % width) long enough for nobody to be new.
void warm_up(Measured& net, std::uint32_t width) {
  for (int i = 0; i < 10; ++i)
    net.sweep([width](std::uint32_t flow) { return branch(flow % width); });
}

std::size_t changed(const std::vector<PathVerdict>& verdicts) {
  std::size_t sum = 0;
  for (const PathVerdict& verdict : verdicts)
    sum += verdict.changed != ChangeKind::none ? 1u : 0u;
  return sum;
}

}  // namespace

TEST_CASE("a different responder is a change when it was seen confirm_rounds times in a row", "[path]") {
  const std::uint32_t confirm = GENERATE(1u, 2u, 5u);
  ModelOptions options;
  options.confirm_rounds = confirm;
  Measured net(1, options);
  const PathVerdict before = net.one("a b D");
  for (std::uint32_t i = 1; i < confirm; ++i) {
    const PathVerdict pending = net.one("a x D");
    CHECK(pending.changed == ChangeKind::none);
    CHECK(pending.path == before.path);
    net.one("a * D");
  }
  const PathVerdict after = net.one("a x D");
  CHECK(after.changed != ChangeKind::none);
  CHECK(after.previous == before.path);
  CHECK(after.path != before.path);
  CHECK(net.one("a x D").changed == ChangeKind::none);
}

TEST_CASE("an answer of a stranger is neither reply nor loss of the known responder", "[path]") {
  Measured net(1);
  net.one("a b D");
  net.one("a x D");
  const auto told = net.told();
  CHECK(told->paths.at(0).hops.at(1).counters.probes == 1);
  CHECK(told->paths.at(0).hops.at(0).counters.probes == 1);
  CHECK(told->paths.at(0).probes == 1);
  net.one("a x D");
  CHECK(net.told()->paths.at(0).probes == 1);
  CHECK(net.told()->paths.at(1).hops.at(1).counters.replies == 2);
}

TEST_CASE("a change switches the whole view at once: no path that never existed", "[path]") {
  Measured net(1);
  net.one("a b c d D");
  net.one("a x * z D");
  // c has not answered since the change began: it may not be on the new path.
  const PathVerdict switched = net.one("a x * * D");
  CHECK(*switched.responders == std::vector{address("a"), address("x"), IpAddress(), address("z"), address("D")});
  const PathVerdict filled = net.one("a x y z D");
  CHECK(filled.changed == ChangeKind::none);
  CHECK(filled.path == switched.path);
  CHECK(net.told()->paths.size() == 2);
}

TEST_CASE("unknown slots are not filled from the new path while the old one holds", "[path]") {
  Measured net(1);
  net.one("a b * d D");
  const PathVerdict pending = net.one("a x y z D");
  CHECK(*pending.responders == std::vector{address("a"), address("b"), IpAddress(), address("d"), address("D")});
  CHECK(*net.one("a x y z D").responders ==
        std::vector{address("a"), address("x"), address("y"), address("z"), address("D")});
}

TEST_CASE("hops silent since a change began become unknown, those that answered are kept", "[path]") {
  Measured net(1);
  net.one("a b c d e D");
  net.one("a * x * e D");
  const PathVerdict verdict = net.one("* * x * * D");
  CHECK(verdict.changed != ChangeKind::none);
  CHECK(*verdict.responders ==
        std::vector{address("a"), IpAddress(), address("x"), IpAddress(), address("e"), address("D")});
  CHECK(net.one("a y x d e D").changed == ChangeKind::none);
}

TEST_CASE("a change under which the destination is lost gives a path that is not complete", "[path]") {
  Measured net(1);
  net.one("a b c D");
  net.one("a x * *", 4);
  const PathVerdict away = net.one("a x * *", 4);
  CHECK(away.changed != ChangeKind::none);
  CHECK(away.responders->size() == 2);
  const PathVerdict back = net.one("a x y D");
  CHECK(back.changed == ChangeKind::none);
  const auto told = net.told();
  REQUIRE(told->paths.size() == 2);
  CHECK(told->paths[1].complete);
  CHECK(told->paths[1].id == back.path);
}

TEST_CASE("a longer path whose destination is lost at first is one change, not two", "[path]") {
  Measured net(1);
  net.one("a b D");
  net.one("a x y *");
  const PathVerdict away = net.one("a x y *");
  CHECK(away.changed != ChangeKind::none);
  CHECK(*away.responders == std::vector{address("a"), address("x"), address("y")});
  CHECK(net.one("a x y D").changed == ChangeKind::none);
  CHECK(net.one("a x y D").changed == ChangeKind::none);
  CHECK(net.told()->paths.back().complete);
}

TEST_CASE("a branch rerouted: exactly its flows report reroute", "[path]") {
  Measured net(16);
  warm_up(net, 4);
  const auto moved = [](std::uint32_t flow) { return branch(flow % 4 == 1 ? 9 : flow % 4); };
  CHECK(changed(net.sweep(moved)) == 0);
  const auto verdicts = net.sweep(moved);
  for (std::uint32_t flow = 0; flow < 16; ++flow)
    CHECK(verdicts[flow].changed == (flow % 4 == 1 ? ChangeKind::reroute : ChangeKind::none));
  CHECK(changed(net.sweep(moved)) == 0);

  SECTION("and back again") {
    for (int i = 0; i < 10; ++i)
      net.sweep(moved);
    warm_up(net, 4);
    for (std::uint32_t flow = 0; flow < 16; ++flow)
      CHECK(count(net.told()->flows.at(flow), ChangeKind::reroute) == (flow % 4 == 1 ? 2 : 0));
  }
}

TEST_CASE("a fan that grows or shrinks is a change of width", "[path]") {
  Measured net(16);
  SECTION("grows") {
    warm_up(net, 2);
    const auto grown = [](std::uint32_t flow) { return branch(flow % 4 == 3 ? 2 : flow % 2); };
    net.sweep(grown);
    const auto verdicts = net.sweep(grown);
    for (std::uint32_t flow = 0; flow < 16; ++flow)
      CHECK(verdicts[flow].changed == (flow % 4 == 3 ? ChangeKind::width : ChangeKind::none));
  }
  SECTION("shrinks") {
    warm_up(net, 4);
    const auto shrunk = [](std::uint32_t flow) { return branch(flow % 4 == 3 ? flow / 4 % 3 : flow % 4); };
    net.sweep(shrunk);
    const auto verdicts = net.sweep(shrunk);
    for (std::uint32_t flow = 0; flow < 16; ++flow)
      CHECK(verdicts[flow].changed == (flow % 4 == 3 ? ChangeKind::width : ChangeKind::none));
  }
}

TEST_CASE("a router in the place of another and back is no change of width for flows that ask it seldom", "[path]") {
  Measured net(16);
  warm_up(net, 4);
  // Branch 1 is asked for one of its flows only, the others do not hear of its substitute.
  const auto seldom = [](std::uint32_t substitute) {
    return [substitute](std::uint32_t flow) {
      if (flow % 4 != 1) return branch(flow % 4);
      return flow == 5 ? branch(substitute) : std::string("a * c D");
    };
  };
  net.sweep(seldom(9));
  CHECK(net.sweep(seldom(9)).at(5).changed == ChangeKind::reroute);
  for (int i = 0; i < 3; ++i)
    net.sweep(seldom(9));
  SECTION("given back, all hear of it before this flow is sure") {
    for (int i = 0; i < 2; ++i)
      net.sweep([](std::uint32_t flow) { return flow == 5 ? std::string("a * c D") : branch(flow % 4); });
  }
  net.sweep(seldom(1));
  CHECK(net.sweep(seldom(1)).at(5).changed == ChangeKind::reroute);
}

TEST_CASE("a router that was heard once long ago is new when it takes the place of another", "[path]") {
  Measured net(16);
  warm_up(net, 4);
  // One flow hears a substitute once, and its own router again.
  net.sweep([](std::uint32_t flow) { return branch(flow == 1 ? 9 : flow % 4); });
  warm_up(net, 4);
  const auto replaced = [](std::uint32_t flow) { return branch(flow % 4 == 2 ? 9 : flow % 4); };
  net.sweep(replaced);
  const auto verdicts = net.sweep(replaced);
  for (std::uint32_t flow = 0; flow < 16; ++flow)
    CHECK(verdicts[flow].changed == (flow % 4 == 2 ? ChangeKind::reroute : ChangeKind::none));
}

TEST_CASE("flows permuted over the same branches are remapped", "[path]") {
  Measured net(16);
  warm_up(net, 4);
  const auto rotated = [](std::uint32_t flow) { return branch((flow + 1) % 4); };
  net.sweep(rotated);
  for (const PathVerdict& verdict : net.sweep(rotated))
    CHECK(verdict.changed == ChangeKind::remap);
  CHECK(net.told()->paths.size() == 4);
}

TEST_CASE("two flows that swap are remapped, not rerouted", "[path]") {
  Measured net(2);
  warm_up(net, 2);
  const auto swapped = [](std::uint32_t flow) { return branch(1 - flow); };
  net.sweep(swapped);
  for (const PathVerdict& verdict : net.sweep(swapped))
    CHECK(verdict.changed == ChangeKind::remap);
}

TEST_CASE("a path that grows by a hop changes once and shows no loss", "[path]") {
  Measured net(4);
  for (int i = 0; i < 10; ++i)
    net.sweep([](std::uint32_t) { return "a b c D"; });
  for (int i = 0; i < 10; ++i)
    net.sweep([](std::uint32_t) { return "a b x c D"; });
  const auto told = net.told();
  for (const FlowSnapshot& flow : told->flows)
    CHECK(count(flow, ChangeKind::reroute) == 1);
  REQUIRE(told->paths.size() == 2);
  CHECK(told->paths[1].length == 5);
  CHECK(told->paths[1].flows == 4);
  for (const PathSnapshot& path : told->paths)
    for (const HopSnapshot& hop : path.hops)
      CHECK(hop.counters.losses + hop.counters.silences == 0);
}

TEST_CASE("a path that shrinks by a hop changes once and shows no loss", "[path]") {
  Measured net(4);
  for (int i = 0; i < 10; ++i)
    net.sweep([](std::uint32_t) { return "a b x c D"; });
  for (int i = 0; i < 10; ++i)
    net.sweep([](std::uint32_t) { return "a b c D"; });
  const auto told = net.told();
  for (const FlowSnapshot& flow : told->flows)
    CHECK(count(flow, ChangeKind::reroute) == 1);
  REQUIRE(told->paths.size() == 2);
  CHECK(told->paths[1].length == 4);
  for (const PathSnapshot& path : told->paths)
    for (const HopSnapshot& hop : path.hops)
      CHECK(hop.counters.losses + hop.counters.silences == 0);
}

TEST_CASE("a distance alone can change: the hop where the destination was becomes unknown", "[path]") {
  Measured net(1);
  for (int i = 0; i < 10; ++i)
    net.one("a b D");
  net.one("a b * D");
  const PathVerdict verdict = net.one("a b * D");
  CHECK(verdict.changed == ChangeKind::reroute);
  CHECK(*verdict.responders == std::vector{address("a"), address("b"), IpAddress(), address("D")});
}

TEST_CASE("a single flow that alternates reports per_packet once", "[path]") {
  Measured net(2);
  for (int i = 0; i < 100; ++i)
    net.sweep([i](std::uint32_t) { return i % 2 == 0 ? "a b1 c D" : "a b2 c D"; });
  const auto told = net.told();
  for (const FlowSnapshot& flow : told->flows) {
    CHECK(count(flow, ChangeKind::per_packet) == 1);
    CHECK(count(flow, ChangeKind::remap) + count(flow, ChangeKind::width) + count(flow, ChangeKind::reroute) == 0);
  }
  CHECK(told->flows.at(0).path == told->flows.at(1).path);
  CHECK(told->paths_in_use == 1);
  const PathSnapshot& path = told->paths.back();
  CHECK(path.flows == 2);
  REQUIRE(path.hops.size() == 5);
  CHECK(path.hops[1].ttl == 2);
  CHECK(path.hops[2].ttl == 2);
  CHECK(path.hops[1].counters.replies + path.hops[2].counters.replies == path.hops[0].counters.replies);
}

TEST_CASE("whole branches per packet report one change per flow", "[path]") {
  Measured net(1);
  for (int i = 0; i < 200; ++i)
    net.one(i % 3 == 0 ? "a b1 c1 e D" : i % 3 == 1 ? "a b2 c2 e D" : "a b3 c3 e D");
  const auto told = net.told();
  CHECK(count(told->flows.at(0), ChangeKind::per_packet) == 1);
  CHECK(told->paths_in_use == 1);
  CHECK(told->paths.back().hops.size() == 9);
}

TEST_CASE("branches of unequal length per packet report one change per flow", "[path]") {
  Measured net(1);
  for (int i = 0; i < 200; ++i)
    net.one(i % 2 == 0 ? "a b1 D" : "a b2 c D");
  const auto told = net.told();
  const auto& changes = told->flows.at(0).changes;
  CHECK(count(told->flows.at(0), ChangeKind::per_packet) == 1);
  CHECK(std::accumulate(changes.begin(), changes.end(), std::uint64_t{0}) == 1);
  CHECK(told->paths.back().length == 4);
  for (const HopSnapshot& hop : told->paths.back().hops)
    CHECK(hop.counters.losses + hop.counters.silences == 0);
}

TEST_CASE("a balancer that stops ends quietly", "[path]") {
  Measured net(1);
  const PathVerdict first = net.one("a b1 D");
  for (int i = 0; i < 40; ++i)
    net.one(i % 2 == 0 ? "a b2 D" : "a b1 D");
  PathVerdict last;
  for (int i = 0; i < 20; ++i)
    last = net.one("a b1 D");
  CHECK(last.path == first.path);
  CHECK(count(net.told()->flows.at(0), ChangeKind::per_packet) == 1);
  net.one("a x D");
  CHECK(net.one("a x D").changed == ChangeKind::reroute);
}

}  // namespace ecmp
