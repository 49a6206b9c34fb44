#include "path/model/destination_model.hpp"

#include <numeric>

#include "catch.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

using round_builder::address;
using round_builder::Measured;

const HopSnapshot* hop(const PathSnapshot& path, std::uint8_t ttl, std::string_view responder) {
  for (const HopSnapshot& candidate : path.hops)
    if (candidate.ttl == ttl && candidate.responder == address(responder)) return &candidate;
  return nullptr;
}

std::uint64_t changes(const DestinationSnapshot& told) {
  std::uint64_t sum = 0;
  for (const FlowSnapshot& flow : told.flows)
    sum = std::accumulate(flow.changes.begin(), flow.changes.end(), sum);
  return sum;
}

}  // namespace

TEST_CASE("before anybody answered there is no path", "[path]") {
  Measured net(1);
  CHECK_FALSE(net.told()->measured);
  const PathVerdict verdict = net.one("");
  CHECK(verdict.path == 0);
  REQUIRE(verdict.responders);
  CHECK(verdict.responders->empty());
  const auto told = net.told();
  CHECK(told->measured);
  CHECK_FALSE(told->up);
  CHECK(told->paths.empty());
  CHECK(told->flows.at(0).probes == 1);
  CHECK(told->flows.at(0).replies == 0);
}

TEST_CASE("a path is its responders, its counters are those of its probes", "[path]") {
  Measured net(1);
  net.one("a b c D");
  net.one("a * c D");
  net.one("a b * *", 4);
  const PathVerdict verdict = net.one("a - c D");
  const auto told = net.told();
  REQUIRE(told->paths.size() == 1);
  const PathSnapshot& path = told->paths.front();
  CHECK(path.id == verdict.path);
  CHECK(path.ordinal == 1);
  CHECK(path.length == 4);
  CHECK(path.complete);
  CHECK(path.flows == 1);
  CHECK(path.probes == 4);
  CHECK(path.replies == 3);
  REQUIRE(path.hops.size() == 4);
  CHECK(path.hops[1].counters.probes == 3);
  CHECK(path.hops[1].counters.replies == 2);
  CHECK(path.hops[1].counters.silences == 1);
  CHECK(path.hops[1].counters.losses == 0);
  CHECK(path.hops[2].counters.losses == 1);
  CHECK(path.hops[3].counters.losses == 1);
  CHECK(path.hops[3].counters.probes == 4);
  CHECK(*verdict.responders == std::vector{address("a"), address("b"), address("c"), address("D")});
  CHECK(told->up);
  CHECK(told->paths_in_use == 1);
}

TEST_CASE("a round that could not be sent counts nothing end to end", "[path]") {
  Measured net(1);
  net.one("a b D");
  net.one("a b -", 3);
  const auto told = net.told();
  CHECK(told->flows.at(0).probes == 1);
  CHECK(told->paths.at(0).probes == 1);
  CHECK(told->paths.at(0).hops.at(2).counters.probes == 1);
  CHECK(told->paths.at(0).hops.at(1).counters.probes == 2);
}

TEST_CASE("a round that was not judged is counted on its own, and nowhere else", "[path]") {
  Measured net(1);
  net.one("a b D");
  const auto unjudged = [&](EndToEnd outcome, std::string_view hops) {
    Round round = round_builder::round(hops, net.now, 3);
    round.end_to_end = outcome;
    net.now += 10;
    net.model.on_round(0, round);
  };
  unjudged(EndToEnd::left_out, "a b -");
  unjudged(EndToEnd::left_out, "a * *");
  unjudged(EndToEnd::suppressed, "a b *");
  unjudged(EndToEnd::undecided, "a b D");
  unjudged(EndToEnd::undecided, "a b *");
  const auto told = net.told();
  CHECK(told->up);
  for (const UnjudgedCounters& counts : {told->flows.at(0).unjudged, told->paths.at(0).unjudged}) {
    CHECK(counts.left_out == 2);
    CHECK(counts.suppressed == 1);
    CHECK(counts.undecided == 2);
  }
  CHECK(told->flows.at(0).probes == 1);
  CHECK(told->paths.at(0).probes == 1);
  CHECK(told->paths.at(0).replies == 1);
  for (const HopSnapshot& of : told->paths.at(0).hops)
    CHECK(of.counters.probes == 1);
}

TEST_CASE("a destination of which no round was judged yet is neither up nor down", "[path]") {
  Measured net(1);
  Round round = round_builder::round("a b -", net.now);
  round.end_to_end = EndToEnd::left_out;
  net.model.on_round(0, round);
  CHECK_FALSE(net.told()->measured);
}

TEST_CASE("a destination that nobody is answered by is down before each of many flows has had its turn", "[path]") {
  Measured net(64);
  net.sweep([](std::uint32_t) { return "a b D"; });
  for (std::uint32_t flow = 0; flow < 15; ++flow)
    net.model.on_round(flow, round_builder::round("a b *", net.now += 1, 3));
  CHECK(net.told()->up);
  net.model.on_round(15, round_builder::round("a b *", net.now += 1, 3));
  CHECK_FALSE(net.told()->up);
  net.model.on_round(16, round_builder::round("a b D", net.now += 1, 3));
  CHECK(net.told()->up);
}

TEST_CASE("a probe that only asking again found answered counts as what became of the first", "[path]") {
  Measured net(1);
  Round round = round_builder::round("a b D", net.now);
  round.hops[1].again = true;
  round.hops[1].missed = HopOutcome::silent;
  net.model.on_round(0, round);
  const auto snapshot = net.told();
  const HopSnapshot& told = snapshot->paths.at(0).hops.at(1);
  CHECK(told.responder == address("b"));
  CHECK(told.counters.probes == 1);
  CHECK(told.counters.silences == 1);
  CHECK(told.counters.replies == 0);
}

TEST_CASE("filling an unknown slot refines the path and settles what was counted there", "[path]") {
  Measured net(1);
  const PathVerdict first = net.one("a * c D");
  CHECK(net.told()->paths.at(0).hops.size() == 3);
  net.one("a * c D");
  const PathVerdict second = net.one("a b c D");
  CHECK(second.path == first.path);
  CHECK(second.changed == ChangeKind::none);
  CHECK(first.responders->at(1).is_unspecified());
  CHECK(second.responders->at(1) == address("b"));
  const auto told = net.told();
  const HopSnapshot* filled = hop(told->paths.at(0), 2, "b");
  REQUIRE(filled != nullptr);
  CHECK(filled->counters.probes == 3);
  CHECK(filled->counters.silences == 2);
  CHECK(filled->counters.replies == 1);
}

TEST_CASE("the first time a destination is reached completes the path and is no change", "[path]") {
  Measured net(1);
  const PathVerdict first = net.one("a b");
  CHECK(net.told()->paths.at(0).length == 2);
  CHECK_FALSE(net.told()->paths.at(0).complete);
  const PathVerdict second = net.one("a b c D");
  CHECK(second.changed == ChangeKind::none);
  CHECK(second.path != first.path);
  const auto told = net.told();
  REQUIRE(told->paths.size() == 1);
  CHECK(told->paths[0].complete);
  CHECK(told->paths[0].ordinal == 1);
  CHECK(told->paths[0].probes == 2);
  CHECK(told->paths[0].hops.at(0).counters.replies == 2);
  CHECK(changes(*told) == 0);
}

TEST_CASE("a destination reached over another path than the one known in part makes no mixture", "[path]") {
  Measured net(1);
  net.one("a b c");
  const PathVerdict mixed = net.one("a x y D");
  CHECK(mixed.responders->size() == 3);
  CHECK(mixed.changed == ChangeKind::none);
  const PathVerdict confirmed = net.one("a x y D");
  CHECK(confirmed.changed != ChangeKind::none);
  CHECK(*confirmed.responders == std::vector{address("a"), address("x"), address("y"), address("D")});
}

TEST_CASE("a destination that is cut off is lost, not moved", "[path]") {
  Measured net(1);
  net.one("a b c D");
  for (int i = 0; i < 20; ++i)
    net.one("a * * *", 4);
  const auto told = net.told();
  CHECK(changes(*told) == 0);
  REQUIRE(told->paths.size() == 1);
  CHECK(told->paths[0].length == 4);
  CHECK(told->paths[0].hops.at(3).counters.losses == 20);
  CHECK(told->paths[0].replies == 1);
  CHECK_FALSE(told->up);
}

TEST_CASE("a refusal ends a path that never reached the destination, and counts as loss", "[path]") {
  Measured net(1);
  net.one("a b !c !c");
  const PathVerdict verdict = net.one("a b !c !c");
  CHECK(*verdict.responders == std::vector{address("a"), address("b"), address("c")});
  const auto told = net.told();
  CHECK(told->paths.at(0).hops.at(2).counters.losses == 2);
  CHECK(told->paths.at(0).hops.at(2).counters.replies == 0);
  REQUIRE(told->unreachables.size() == 1);
  CHECK(told->unreachables[0].count == 4);
  CHECK(told->unreachables[0].from == address("c"));
  CHECK(told->unreachables[0].reply == packet::ReplyKind::admin_prohibited);
}

TEST_CASE("a router that refuses what it forwarded a hop before is no hop of its own", "[path]") {
  Measured net(1);
  const PathVerdict verdict = net.one("a b !b !b");
  CHECK(verdict.responders->size() == 2);
  net.one("a b c D");
  const PathVerdict refused = net.one("a b !e !e", 4);
  CHECK(refused.responders->size() == 4);
  net.one("a b !e !e", 4);
  const auto told = net.told();
  CHECK(changes(*told) == 0);
  CHECK(told->paths.at(0).hops.at(2).responder == address("c"));
  CHECK(told->paths.at(0).hops.at(2).counters.losses == 2);
}

TEST_CASE("when a refusal ends, the real responder takes its place without a change", "[path]") {
  Measured net(1);
  net.one("a b !x !x");
  const PathVerdict open = net.one("a b c D");
  CHECK(open.changed == ChangeKind::none);
  CHECK(*open.responders == std::vector{address("a"), address("b"), address("c"), address("D")});
}

TEST_CASE("refusals by ever other addresses are counted in bounded space", "[path]") {
  Measured net(1);
  net.one("a b D");
  for (int i = 0; i < 200; ++i)
    net.one("a !z" + std::to_string(i + 1) + " *", 3);
  const auto told = net.told();
  CHECK(told->unreachables.size() == 65);
  std::uint64_t sum = 0;
  for (const UnreachableSnapshot& refusal : told->unreachables)
    sum += refusal.count;
  CHECK(sum == 200);
  CHECK(told->unreachables.back().from.is_unspecified());
  CHECK(told->unreachables.back().count == 136);
}

TEST_CASE("links are counted by the flows on them", "[path]") {
  Measured net(3);
  net.sweep([](std::uint32_t flow) { return flow < 2 ? "a b1 D" : "a b2 D"; });
  const auto told = net.told();
  REQUIRE(told->links.size() == 4);
  CHECK(told->links[0].ttl == 2);
  CHECK(told->links[0].from == address("a"));
  CHECK(told->links[0].to == address("b1"));
  CHECK(told->links[0].flows == 2);
  CHECK(told->links[1].flows == 1);
  CHECK(told->links[3].ttl == 3);
  CHECK(told->links[3].from == address("b2"));
  CHECK(told->links[3].to == address("D"));
}

TEST_CASE("MPLS labels are those of the newest reply", "[path]") {
  Measured net(1);
  Round labelled = round_builder::round("a b D", 1000);
  packet::MplsStack stack;
  stack.labels[0].label = 16004;
  stack.depth = 1;
  labelled.hops[1].mpls = stack;
  net.model.on_round(0, labelled);
  CHECK(net.told()->paths.at(0).hops.at(1).mpls.view().size() == 1);
  net.model.on_round(0, round_builder::round("a * D", 1010));
  CHECK(net.told()->paths.at(0).hops.at(1).mpls.view()[0].label == 16004);
  net.model.on_round(0, round_builder::round("a b D", 1020));
  CHECK(net.told()->paths.at(0).hops.at(1).mpls.empty());
}

TEST_CASE("with a new address the flows forget their paths, counters live on", "[path]") {
  Measured net(2);
  net.model.set_source(1, address("s7"));
  net.sweep([](std::uint32_t) { return "a b D"; });
  auto moved = std::make_shared<DestinationFacts>(*round_builder::facts(2));
  moved->address = address("e9");
  net.model.set_facts(moved);
  auto told = net.told();
  CHECK(told->facts->address == address("e9"));
  CHECK(told->flows.at(0).path == 0);
  CHECK(told->flows.at(0).probes == 1);
  CHECK(told->flows.at(1).source == address("s7"));
  CHECK(told->paths.at(0).flows == 0);
  net.sweep([](std::uint32_t) { return "a c D"; });
  told = net.told();
  CHECK(changes(*told) == 0);
  CHECK(told->flows.at(0).probes == 2);
  CHECK(told->paths_in_use == 1);
  CHECK(told->paths.size() == 2);
}

TEST_CASE("new labels change nothing, fewer flows leave their paths, unknown flows are ignored", "[path]") {
  Measured net(2);
  const auto first = net.sweep([](std::uint32_t flow) { return flow == 0 ? "a b1 D" : "a b2 D"; });
  auto fewer = std::make_shared<DestinationFacts>(*round_builder::facts(1));
  fewer->labels = {{"site", "fra"}};
  net.model.set_facts(fewer);
  const auto told = net.told();
  REQUIRE(told->flows.size() == 1);
  CHECK(told->flows[0].path == first[0].path);
  CHECK(told->paths_in_use == 1);
  CHECK(net.model.on_round(1, round_builder::round("a b D", 2000)).path == 0);
  CHECK(net.told()->paths.size() == 2);
}

}  // namespace ecmp
