// A destination over time, out of rounds and out of roll-ups.
#include "path/history/timeline.hpp"

#include "catch.hpp"
#include "unit/path/round_builder.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kBegin{1767225600s};

std::shared_ptr<const RoundRecord> record(Duration after, std::uint32_t flow, std::uint32_t path, EndToEnd outcome,
                                          Duration rtt = 1ms) {
  auto made = std::make_shared<RoundRecord>();
  made->destination = round_builder::facts(16);
  made->flow_index = flow;
  made->source_port = static_cast<std::uint16_t>(50000 + flow);
  made->round = round_builder::round(outcome == EndToEnd::reached ? "a b D" : "a b *", 0, 3);
  made->round.started = Instant(after);
  made->round.end_to_end = outcome;
  if (outcome == EndToEnd::reached) made->round.hops[2].rtt = rtt;
  made->wall_offset = kBegin.time_since_epoch();
  made->verdict.path = path;
  return made;
}

}  // namespace

TEST_CASE("steps without a measurement are missing, and rounds that say nothing are no loss", "[timeline]") {
  TimelineBuilder builder({.begin = kBegin, .step = 10s, .count = 6});
  for (int i = 1; i <= 20; ++i)
    builder.add(record(std::chrono::milliseconds(i), 0, 7, EndToEnd::reached, std::chrono::milliseconds(21 - i)));
  builder.add(record(5s, 1, 7, EndToEnd::lost));
  builder.add(record(12s, 0, 7, EndToEnd::suppressed));
  builder.add(record(22s, 0, 7, EndToEnd::unobserved));
  builder.add(record(32s, 0, 7, EndToEnd::lost));
  builder.add(record(42s, 0, 9, EndToEnd::reached, 4ms));
  builder.add(record(-1ms, 0, 9, EndToEnd::reached));
  builder.add(record(60s, 0, 9, EndToEnd::reached));
  const Timeline timeline = builder.finish();
  REQUIRE(timeline.paths.size() == 2);
  CHECK(timeline.paths[0].id == 7);
  const auto& cells = timeline.paths[0].cells;
  REQUIRE(cells.size() == 2);
  CHECK(cells[0].step == 0);
  CHECK(cells[0].flows == 2);
  CHECK(cells[0].probes == 21);
  CHECK(cells[0].losses == 1);
  CHECK(cells[0].rtt == RttQuantiles{.p5 = 1ms, .p50 = 10ms, .p95 = 19ms});
  CHECK(cells[1].step == 3);
  CHECK(cells[1].probes == 1);
  CHECK(cells[1].losses == 1);
  CHECK_FALSE(cells[1].rtt);
  REQUIRE(timeline.paths[1].cells.size() == 1);
  CHECK(timeline.paths[1].cells[0].step == 4);
  REQUIRE(timeline.flows.size() == 2);
  CHECK(timeline.flows.at(50000) == Timeline::Moves{{0, 7}, {3, 7}, {4, 9}});
  CHECK(timeline.flows.at(50001) == Timeline::Moves{{0, 7}});
}

TEST_CASE("a minute that is there twice is added, and a step adds its minutes", "[timeline]") {
  TimelineBuilder builder({.begin = kBegin, .step = 5min, .count = 2});
  const auto minute = [&](Duration after, std::uint32_t probes, std::uint32_t losses, RollupCounts rtt) {
    Rollup rollup;
    rollup.minute = kBegin + after;
    rollup.path = 7;
    rollup.flows = probes / 6;
    rollup.probes = probes;
    rollup.losses = losses;
    rollup.silences = 1;
    rollup.rtt = std::move(rtt);
    builder.add(rollup);
  };
  minute(0min, 6, 1, {{10, 5}});
  minute(0min, 6, 0, {{10, 6}});
  minute(4min, 12, 2, {{10, 1}, {50, 9}});
  minute(9min, 6, 6, {});
  minute(10min, 6, 6, {});
  const Timeline timeline = builder.finish();
  REQUIRE(timeline.paths.size() == 1);
  const auto& cells = timeline.paths[0].cells;
  REQUIRE(cells.size() == 2);
  CHECK(cells[0].probes == 24);
  CHECK(cells[0].losses == 3);
  CHECK(cells[0].silences == 3);
  CHECK(cells[0].flows == 2);
  // 12 of 10 ns and 9 of 50 ns: ranks 2, 11 and 20 of 21.
  CHECK(cells[0].rtt == RttQuantiles{.p5 = Duration(10), .p50 = Duration(10), .p95 = Duration(50)});
  CHECK(cells[1].probes == 6);
  CHECK_FALSE(cells[1].rtt);
}
