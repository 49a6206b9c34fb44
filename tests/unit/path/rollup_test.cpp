// Roll-ups of a minute: what counts in them, what their histograms are worth, and what comes back from the disk.
#include "path/history/rollup.hpp"

#include <cmath>
#include <random>

#include "catch.hpp"
#include "path/history/rollup_codec.hpp"
#include "unit/path/round_builder.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

/// 2026-01-01T00:00:00Z.
constexpr WallTime kBegin{1767225600s};

std::shared_ptr<RoundRecord> record(Duration after, std::uint32_t flow, std::uint32_t path, EndToEnd outcome,
                                    Duration rtt = 1ms) {
  auto made = std::make_shared<RoundRecord>();
  made->destination = round_builder::facts(16);
  made->flow_index = flow;
  made->source_port = static_cast<std::uint16_t>(50000 + flow);
  made->round = round_builder::round(outcome == EndToEnd::reached ? "a * D" : "a b *", 0, 3);
  made->round.started = Instant(after);
  made->round.end_to_end = outcome;
  if (outcome == EndToEnd::reached) made->round.hops[2].rtt = rtt;
  made->wall_offset = kBegin.time_since_epoch();
  made->verdict.path = path;
  return made;
}

ByteView view(const std::string& bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("a bucket holds what is within 1.6 % of its value, over all times there are", "[rollup]") {
  std::mt19937_64 random(1);
  std::uint16_t before = 0;
  for (std::uint64_t value = 0; value < 5000; ++value) {
    const std::uint16_t bucket = rollup_bucket(Duration(static_cast<std::int64_t>(value)));
    CHECK((bucket == before || bucket == before + (value > 0 ? 1 : 0)));
    before = bucket;
  }
  for (int i = 0; i < 20000; ++i) {
    const auto value = static_cast<std::int64_t>(random() >> (1 + random() % 63));
    const Duration told = rollup_value(rollup_bucket(Duration(value)));
    const double error = std::abs(static_cast<double>(told.count() - value));
    CHECK(error <= static_cast<double>(value) / 63);
  }
  CHECK(rollup_value(rollup_bucket(Duration(0))) == Duration(0));
  CHECK(rollup_bucket(Duration::max()) > rollup_bucket(Duration::max() / 2));
}

TEST_CASE("quantiles are by nearest rank, and those of added histograms are those of all values", "[rollup]") {
  std::vector<Duration> values;
  for (int i = 1; i <= 20; ++i)
    values.push_back(Duration(i));
  CHECK(quantiles_of(std::span<const Duration>(values)) ==
        RttQuantiles{.p5 = Duration(1), .p50 = Duration(10), .p95 = Duration(19)});
  CHECK_FALSE(quantiles_of(std::span<const Duration>()));
  RollupCounts odd, even, all;
  for (std::uint16_t i = 1; i <= 20; ++i)
    (i % 2 == 0 ? even : odd).emplace_back(i, 1);
  add_counts(all, odd);
  add_counts(all, even);
  add_counts(all, odd);  // each odd value twice: 30 values, ranks 2, 15 and 29
  std::vector<Duration> expected(values);
  for (int i = 1; i <= 20; i += 2)
    expected.push_back(Duration(i));
  std::ranges::sort(expected);
  CHECK(quantiles_of(all) == RttQuantiles{.p5 = expected[1], .p50 = expected[14], .p95 = expected[28]});
}

TEST_CASE("only rounds that count are in a roll-up, and each in the minute in which it began", "[rollup]") {
  RollupBuilder builder;
  builder.add(record(1s, 0, 7, EndToEnd::reached, 5ms));
  builder.add(record(59999ms, 1, 7, EndToEnd::lost));
  builder.add(record(30s, 0, 7, EndToEnd::reached, 7ms));
  for (const EndToEnd outcome :
       {EndToEnd::suppressed, EndToEnd::left_out, EndToEnd::undecided, EndToEnd::unobserved, EndToEnd::send_failed}) {
    builder.add(record(20s, 2, 7, outcome));
  }
  builder.add(record(60s, 0, 8, EndToEnd::reached, 5ms));
  REQUIRE(builder.open().size() == 2);
  auto closed = builder.close(kBegin + 119s);
  REQUIRE(closed.size() == 1);
  const Rollup& one = closed.front();
  CHECK(*one.destination == "fra-edge");
  CHECK(one.minute == kBegin);
  CHECK(one.path == 7);
  CHECK(one.flows == 2);
  CHECK(one.probes == 3);
  CHECK(one.losses == 1);
  CHECK(one.silences == 2);
  REQUIRE(one.rtt.size() == 2);
  CHECK(one.rtt[0] == std::pair{rollup_bucket(5ms), 1u});
  CHECK(one.rtt[1] == std::pair{rollup_bucket(7ms), 1u});
  // Too late; and the other minute is told once.
  builder.add(record(2s, 0, 7, EndToEnd::lost));
  closed = builder.close(kBegin + 120s);
  REQUIRE(closed.size() == 1);
  CHECK(closed.front().path == 8);
  CHECK(builder.close(kBegin + 1h).empty());
}

TEST_CASE("a round whose path is not confirmed counts for the path of its flow's next round", "[rollup]") {
  RollupBuilder builder;
  const auto unsure = [&](Duration after, std::uint32_t flow) {
    auto made = record(after, flow, 7, EndToEnd::reached);
    made->verdict.unconfirmed = true;
    builder.add(made);
  };
  unsure(1s, 0);
  builder.add(record(11s, 0, 8, EndToEnd::reached));
  unsure(12s, 1);  // and nothing follows
  const auto closed = builder.close(kBegin + 60s);
  REQUIRE(closed.size() == 2);
  CHECK(closed[0].path == 7);
  CHECK(closed[0].probes == 1);
  CHECK(closed[1].path == 8);
  CHECK(closed[1].probes == 2);
}

TEST_CASE("roll-ups come back from bytes as they were, and no other bytes are taken for them", "[rollup][history]") {
  std::mt19937_64 random(3);
  RollupEncoder encoder;
  std::vector<StoredRollup> items;
  for (std::uint64_t i = 0; i < 500; ++i) {
    Rollup rollup;
    rollup.destination = std::make_shared<const std::string>("destination-" + std::to_string(i % 7));
    rollup.minute = kBegin + std::chrono::minutes(i / 20) - std::chrono::minutes(i % 3);
    rollup.path = static_cast<std::uint32_t>(random());
    rollup.flows = static_cast<std::uint32_t>(random() % 100);
    rollup.probes = static_cast<std::uint32_t>(random() % 1000) + 10;
    rollup.losses = static_cast<std::uint32_t>(random() % 10);
    rollup.silences = static_cast<std::uint32_t>(random());
    for (std::uint16_t bucket = i % 2; bucket < 1000; bucket = static_cast<std::uint16_t>(bucket + 1 + random() % 400))
      rollup.rtt.emplace_back(bucket, static_cast<std::uint32_t>(random()));
    items.push_back({.number = 1000 + 3 * i, .rollup = rollup});
    encoder.add(items.back().number, rollup);
  }
  CHECK(encoder.items() == items.size());
  const std::string bytes = encoder.take();
  const auto read = decode_rollups(view(bytes), {}, {});
  REQUIRE(read);
  REQUIRE(read->size() == items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Rollup& a = (*read)[i].rollup;
    const Rollup& b = items[i].rollup;
    CHECK((*read)[i].number == items[i].number);
    REQUIRE(std::tuple(*a.destination, a.minute, a.path, a.flows, a.probes, a.losses, a.silences, a.rtt) ==
            std::tuple(*b.destination, b.minute, b.path, b.flows, b.probes, b.losses, b.silences, b.rtt));
  }
  const auto some = decode_rollups(view(bytes), {.destination = "destination-3"}, {.from = 1000, .below = 1100});
  REQUIRE(some);
  CHECK(some->size() == 5);  // 3, 10, 17, 24, 31: numbers up to 1093
  // Cut anywhere, or with any byte changed, it is refused or it is read, within its bounds.
  for (std::size_t cut = 0; cut < bytes.size(); cut += 7) {
    const auto part = decode_rollups(view(bytes.substr(0, cut)), {}, {});
    if (part) CHECK(part->size() < items.size());
  }
  for (int i = 0; i < 3000; ++i) {
    std::string changed = bytes;
    changed[random() % changed.size()] ^= static_cast<char>(1 + random() % 255);
    const auto any = decode_rollups(view(changed), {}, {});
    if (!any) continue;
    for (const StoredRollup& item : *any)
      CHECK(item.rollup.losses <= item.rollup.probes);
  }
}
