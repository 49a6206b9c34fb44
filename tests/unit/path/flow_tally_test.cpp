#include "path/statistics/flow_tally.hpp"

#include <chrono>
#include <cmath>
#include <random>

#include "catch.hpp"
#include "unit/path/round_builder.hpp"

using namespace ecmp;
using namespace std::chrono_literals;
using round_builder::address;

namespace {

/// One flow, its rounds numbered without gaps, through the real model.
class Watched {
 public:
  void see(std::string_view hops, Duration rtt = 1ms, std::uint8_t distance = 0) {
    Round round = round_builder::round(hops, 1000 + number_, distance);
    round.number = number_++;
    for (HopResult& hop : round.hops)
      if (hop.outcome == HopOutcome::replied) hop.rtt = rtt * hop.ttl;
    if (mpls != 0 && !round.hops.empty()) {
      packet::MplsStack stack;
      stack.depth = 1;
      stack.labels[0].label = mpls;
      round.hops.front().mpls = stack;
    }
    tally.take(round, model_.on_round(0, round));
  }
  void skip() { ++number_; }

  const HopTally& hop(std::size_t ttl) const { return tally.hops()[ttl - 1]; }

  FlowTally tally;
  std::uint32_t mpls = 0;

 private:
  DestinationModel model_{round_builder::facts(1), {}};
  std::uint32_t number_ = 0;
};

std::vector<Duration> rtts_of(const RecentFates& recent) {
  std::vector<Duration> found;
  for (std::size_t age = 0; age < recent.size(); ++age)
    found.push_back(recent[age].rtt);
  return found;
}

}  // namespace

TEST_CASE("A tally tells the figures of the RTTs it was given", "[flow_tally]") {
  ProbeTally tally(8);
  CHECK(tally.sent() == 0);
  CHECK(tally.loss_ratio() == 0);
  CHECK(tally.p95() == 0ns);
  CHECK(tally.standard_deviation() == 0ns);
  for (const Duration rtt : {10ms, 12ms, 23ms, 23ms, 16ms, 23ms, 21ms, 16ms})
    tally.reply(rtt);
  CHECK(tally.replies() == 8);
  CHECK(tally.last() == 16ms);
  CHECK(tally.best() == 10ms);
  CHECK(tally.worst() == 23ms);
  CHECK(tally.average() == 18ms);
  // The squared distances from 18 ms sum to 192 ms^2: sqrt(192 / 7).
  CHECK(std::abs((tally.standard_deviation() - 5237229ns).count()) <= 1);
  CHECK(tally.p95() > 21ms);
  CHECK(tally.p95() <= 23ms);
}

TEST_CASE("A tally's figures hold over a long run of one RTT with a far outlier", "[flow_tally]") {
  ProbeTally tally(8);
  for (int i = 0; i < 100000; ++i)
    tally.reply(1000000007ns);
  CHECK(tally.standard_deviation() == 0ns);
  CHECK(tally.average() == 1000000007ns);
  CHECK(tally.p95() == 1000000007ns);
  tally.reply(5s);
  CHECK(tally.worst() == 5s);
  CHECK(tally.standard_deviation() > 12ms);
  CHECK(tally.standard_deviation() < 13ms);
}

TEST_CASE("The 95th percentile of a tally lies within a bucket of the exact one", "[flow_tally]") {
  const std::uint32_t seed = 20260101;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::uniform_int_distribution<std::int64_t> draw(200'000, 90'000'000);
  ProbeTally tally(8);
  std::vector<std::int64_t> all;
  for (int i = 0; i < 4000; ++i) {
    all.push_back(draw(random));
    tally.reply(Duration(all.back()));
  }
  std::sort(all.begin(), all.end());
  const auto exact = static_cast<double>(all[all.size() * 95 / 100]);
  CHECK(static_cast<double>(tally.p95().count()) == Approx(exact).epsilon(0.09));
}

TEST_CASE("Loss, silence and probes that never left are told apart in a tally", "[flow_tally]") {
  ProbeTally tally(8);
  for (int i = 0; i < 6; ++i)
    tally.reply(1ms);
  tally.loss();
  tally.silence();
  tally.silence();
  tally.silence();
  tally.send_failure();
  CHECK(tally.sent() == 10);
  CHECK(tally.loss_ratio() == Approx(0.1));
  CHECK(tally.silence_ratio() == Approx(0.3));
  CHECK(tally.send_failures() == 1);
  CHECK(tally.recent()[0].fate == RecentFates::Fate::unsent);
  CHECK(tally.recent()[1].fate == RecentFates::Fate::silent);
  CHECK(tally.recent()[4].fate == RecentFates::Fate::lost);
  CHECK(tally.recent()[5].fate == RecentFates::Fate::replied);
}

TEST_CASE("The ring of recent fates keeps the newest and no more", "[flow_tally]") {
  RecentFates recent(4);
  CHECK(recent.size() == 0);
  for (int i = 1; i <= 3; ++i)
    recent.push(RecentFates::Fate::replied, i * 1ms);
  CHECK(rtts_of(recent) == std::vector<Duration>{3ms, 2ms, 1ms});
  for (int i = 4; i <= 10; ++i)
    recent.push(RecentFates::Fate::replied, i * 1ms);
  CHECK(rtts_of(recent) == std::vector<Duration>{10ms, 9ms, 8ms, 7ms});
  recent.push(RecentFates::Fate::replied, 1h);
  CHECK(recent[0].fate == RecentFates::Fate::replied);
  CHECK(recent[0].rtt == Duration(0xfffffffc));
  recent.clear();
  CHECK(recent.size() == 0);
  recent.push(RecentFates::Fate::replied, 1ms);
  CHECK(rtts_of(recent) == std::vector<Duration>{1ms});
  RecentFates none(0);
  none.push(RecentFates::Fate::lost);
  CHECK(none.size() == 0);
}

TEST_CASE("A flow is tallied end to end and at each of its hops", "[flow_tally]") {
  Watched watched;
  watched.see("a1 b1 D", 1ms);
  watched.see("a1 b1 D", 3ms);
  watched.see("a1 * D", 2ms);
  watched.see("a1 * *", 2ms, 3);
  const FlowTally& tally = watched.tally;
  REQUIRE(tally.hops().size() == 3);
  CHECK(tally.rounds() == 4);
  CHECK(tally.ordinal() == 1);
  CHECK(tally.path() != 0);
  CHECK_FALSE(tally.reached());
  CHECK(tally.distance() == 3);
  CHECK(tally.end_to_end().sent() == 4);
  CHECK(tally.end_to_end().losses() == 1);
  CHECK(tally.end_to_end().best() == 3ms);
  CHECK(tally.end_to_end().worst() == 9ms);
  CHECK(watched.hop(1).address() == address("a1"));
  CHECK(watched.hop(1).probes().replies() == 4);
  CHECK(watched.hop(1).probes().worst() == 3ms);
  CHECK(watched.hop(2).address() == address("b1"));
  CHECK(watched.hop(2).probes().replies() == 2);
  CHECK(watched.hop(2).probes().silences() == 1);
  CHECK(watched.hop(2).probes().losses() == 1);
  CHECK(watched.hop(3).address() == address("D"));
  // Hop 3: 3, 9, 6 ms, then a loss.
  CHECK(watched.hop(3).probes().mean_jitter() == 4500us);
  CHECK(watched.hop(3).probes().jitters() == 2);
  CHECK(tally.end_to_end().mean_jitter() == 4500us);
  // RFC 3550: 6 ms / 16, then (3 ms - 0.375 ms) / 16 more.
  CHECK(std::abs((tally.end_to_end().smoothed_jitter() - 539063ns).count()) <= 2);
}

TEST_CASE("A round that was skipped leaves nothing for jitter to compare", "[flow_tally]") {
  Watched watched;
  watched.see("a1 D", 1ms);
  watched.skip();
  watched.see("a1 D", 9ms);
  CHECK(watched.tally.end_to_end().jitters() == 0);
  CHECK(watched.hop(1).probes().jitters() == 0);
  watched.see("a1 D", 8ms);
  CHECK(watched.tally.end_to_end().mean_jitter() == 2ms);
}

TEST_CASE("A change of path does not pass for jitter", "[flow_tally]") {
  Watched watched;
  for (int i = 0; i < 3; ++i)
    watched.see("a1 b1 D", 1ms);
  for (int i = 0; i < 3; ++i)
    watched.see("a1 b2 D", 50ms);
  const FlowTally& tally = watched.tally;
  CHECK(tally.path_changes() == 1);
  CHECK(tally.newest_change() != ChangeKind::none);
  CHECK(tally.end_to_end().smoothed_jitter() == 0ns);
  CHECK(tally.end_to_end().mean_jitter() == 0ns);
  CHECK(watched.hop(2).address() == address("b2"));
  REQUIRE(watched.hop(2).responders().size() == 2);
  CHECK(watched.hop(2).responders()[0].address == address("b1"));
  CHECK(watched.hop(2).responders()[0].replies == 3);
  CHECK(watched.hop(2).responders()[1].replies == 3);
}

TEST_CASE("A hop's address waits for the change to be confirmed", "[flow_tally]") {
  Watched watched;
  watched.see("a1 b1 D");
  watched.see("a1 b1 D");
  watched.see("a1 b2 D");
  CHECK(watched.hop(2).address() == address("b1"));
  CHECK(watched.hop(2).responders().size() == 2);
  watched.see("a1 b2 D");
  CHECK(watched.hop(2).address() == address("b2"));
}

TEST_CASE("A tally follows the distance both ways and keeps no rows beyond the destination", "[flow_tally]") {
  Watched watched;
  for (int i = 0; i < 3; ++i)
    watched.see("a1 b1 c1 D");
  CHECK(watched.tally.hops().size() == 4);
  for (int i = 0; i < 3; ++i)
    watched.see("D");
  CHECK(watched.tally.hops().size() == 1);
  CHECK(watched.tally.distance() == 1);
  CHECK(watched.hop(1).address() == address("D"));
  for (int i = 0; i < 3; ++i)
    watched.see("a1 b1 c1 D");
  CHECK(watched.tally.hops().size() == 4);
  CHECK(watched.hop(1).address() == address("a1"));
}

TEST_CASE("A hop that answers from ever new addresses keeps few of them", "[flow_tally]") {
  Watched watched;
  for (int i = 0; i < 40; ++i)
    watched.see("a1 b" + std::to_string(i) + " D");
  CHECK(watched.hop(2).responders().size() == HopTally::kResponders);
  CHECK(watched.hop(2).dropped() == 40 - HopTally::kResponders);
  CHECK(watched.hop(2).responders().back().address == address("b39"));
  CHECK(watched.hop(2).probes().jitters() == 0);
}

TEST_CASE("A per-packet balancer's answers are compared with those of the same responder only", "[flow_tally]") {
  Watched watched;
  for (int i = 0; i < 20; ++i)
    watched.see(i % 2 == 0 ? "a1 b1 D" : "a1 b2 D", i % 2 == 0 ? 1ms : 5ms);
  CHECK(watched.hop(2).responders().size() == 2);
  CHECK(watched.hop(2).probes().jitters() == 0);
  CHECK(watched.hop(1).probes().jitters() > 10);
}

TEST_CASE("A refusal counts as loss and says so until the hop answers again", "[flow_tally]") {
  Watched watched;
  watched.see("a1 b1 D");
  watched.see("a1 !b1", 1ms, 3);
  CHECK(watched.hop(2).refusal() == packet::ReplyKind::admin_prohibited);
  CHECK(watched.hop(2).probes().losses() == 1);
  CHECK(watched.tally.end_to_end().losses() == 1);
  watched.see("a1 b1 D");
  CHECK(watched.hop(2).refusal() == packet::ReplyKind::none);
}

TEST_CASE("A tally tells the labels of the newest reply", "[flow_tally]") {
  Watched watched;
  watched.see("a1 D");
  CHECK(watched.hop(1).mpls().empty());
  watched.mpls = 16004;
  watched.see("a1 D");
  REQUIRE(!watched.hop(1).mpls().empty());
  CHECK(watched.hop(1).mpls().view().front().label == 16004);
  watched.mpls = 0;
  watched.see("a1 D");
  CHECK(watched.hop(1).mpls().empty());
}

TEST_CASE("What could not be sent counts neither as sent nor as lost", "[flow_tally]") {
  Watched watched;
  watched.see("a1 D");
  watched.see("- -", 1ms, 2);
  CHECK(watched.tally.end_to_end().sent() == 1);
  CHECK(watched.tally.end_to_end().send_failures() == 1);
  CHECK(watched.hop(1).probes().sent() == 1);
}

TEST_CASE("After a reset a flow counts anew and still knows where it goes", "[flow_tally]") {
  Watched watched;
  watched.see("a1 b1 D", 1ms);
  watched.see("a1 b1 D", 2ms);
  const std::uint32_t path = watched.tally.path();
  watched.tally.reset();
  CHECK(watched.tally.rounds() == 0);
  CHECK(watched.tally.path() == path);
  CHECK(watched.tally.end_to_end().sent() == 0);
  CHECK(watched.tally.end_to_end().worst() == 0ns);
  CHECK(watched.tally.end_to_end().recent().size() == 0);
  REQUIRE(watched.tally.hops().size() == 3);
  CHECK(watched.hop(2).address() == address("b1"));
  CHECK(watched.hop(2).responders().empty());
  watched.see("a1 b1 D", 3ms);
  CHECK(watched.tally.end_to_end().best() == 9ms);
  CHECK(watched.tally.end_to_end().jitters() == 0);
  CHECK(watched.tally.end_to_end().recent().size() == 1);
}

TEST_CASE("A destination's flows are kept by index, counted by path, and let go", "[flow_tally]") {
  round_builder::Measured measured(4);
  DestinationTally tally;
  const auto facts = round_builder::facts(4);
  for (const std::uint32_t flow : {2u, 0u, 3u, 1u}) {
    RoundRecord record;
    record.destination = facts;
    record.flow_index = flow;
    record.source_port = static_cast<std::uint16_t>(50000 + flow);
    record.round = round_builder::round(flow % 2 == 0 ? "a1 b1 D" : "a1 b2 D", 1000);
    record.verdict = measured.model.on_round(flow, record.round);
    tally.take(record);
  }
  REQUIRE(tally.flows().size() == 4);
  for (std::uint32_t i = 0; i < 4; ++i)
    CHECK(tally.flows()[i].source_port == 50000 + i);
  CHECK(tally.paths() == 2);
  CHECK(tally.rounds() == 1);
  CHECK(tally.flow(3)->tally.ordinal() != tally.flow(2)->tally.ordinal());
  tally.forget(1);
  CHECK(tally.flow(1) == nullptr);
  CHECK(tally.flows().size() == 3);
  tally.reset();
  CHECK(tally.rounds() == 0);
  CHECK(tally.paths() == 2);
}

TEST_CASE("A destination's tally stays within its bounds", "[flow_tally]") {
  DestinationTally tally;
  for (std::uint32_t flow = 0; flow < DestinationTally::kMaximumFlows + 10; ++flow) {
    RoundRecord record;
    record.flow_index = flow;
    record.round = round_builder::round("a1 D", 1000);
    tally.take(record);
  }
  CHECK(tally.flows().size() == DestinationTally::kMaximumFlows);
  CHECK(tally.left_out() == 10);
  // What a hop needs before it is answered: a run with 512 flows of 255 silent TTLs needs 35 MB and no more.
  CHECK(sizeof(HopTally) <= 272);
}
