// Roll-ups in memory: what is read is what was added, and the budget is kept from the oldest on.
#include "agent/history/rollup_log.hpp"

#include "catch.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kBegin{1767225600s};  // 2026-01-01T00:00:00Z

Rollup rollup(const std::string& destination, int minute, std::uint32_t path, std::uint32_t losses,
              std::uint16_t bucket = 800) {
  Rollup made;
  made.destination = std::make_shared<const std::string>(destination);
  made.minute = kBegin + std::chrono::minutes(minute);
  made.path = path;
  made.flows = 2;
  made.probes = 12;
  made.losses = losses;
  made.silences = 3;
  made.rtt = {{bucket, 8}, {static_cast<std::uint16_t>(bucket + 2), 4 - losses}};
  return made;
}

}  // namespace

TEST_CASE("what is read of the roll-up log is what was added, within the times asked for", "[agent][rollup]") {
  RollupLog log(1u << 20);
  for (int minute = 0; minute < 600; ++minute)
    log.add({rollup("a", minute, 1, minute == 300 ? 3u : 0u, static_cast<std::uint16_t>(700 + minute)),
             rollup("a", minute, 2, 0), rollup("b", minute, 1, 0)});
  const auto read = log.read("a", kBegin + 230min, kBegin + 310min);
  REQUIRE(read.size() == 160);
  for (const Rollup& one : read) {
    CHECK(*one.destination == "a");
    const auto minute = static_cast<int>((one.minute - kBegin) / 1min);
    const Rollup expected =
        one.path == 1 ? rollup("a", minute, 1, minute == 300 ? 3u : 0u, static_cast<std::uint16_t>(700 + minute))
                      : rollup("a", minute, 2, 0);
    CHECK(std::tuple(one.flows, one.probes, one.losses, one.silences) ==
          std::tuple(expected.flows, expected.probes, expected.losses, expected.silences));
    CHECK(one.rtt == expected.rtt);
  }
  CHECK(log.read("c", kBegin, kBegin + 600min).empty());
  CHECK(log.first("a") == kBegin);
}

TEST_CASE("the overview tells the path that lost most in each column, and gaps where nothing was measured",
          "[agent][rollup]") {
  RollupLog log(1u << 20);
  log.add({rollup("a", 0, 1, 0), rollup("a", 1, 1, 4), rollup("a", 1, 2, 1), rollup("a", 5, 2, 1)});
  log.set_open({rollup("a", 7, 2, 3)});
  const auto row = log.overview_of("a", {.begin = kBegin, .step = 2min, .count = 5});
  REQUIRE(row.size() == 5);
  CHECK(row[0] == 4.0 / 24);  // path 1: 4 of 24; path 2: 1 of 12
  CHECK_FALSE(row[1]);
  CHECK(row[2] == 1.0 / 12);
  CHECK(row[3] == 3.0 / 12);
  CHECK_FALSE(row[4]);
}

TEST_CASE("the budget of the roll-up log is kept, and counts reach further back than histograms", "[agent][rollup]") {
  constexpr std::size_t kBudget = 300'000;
  RollupLog log(kBudget);
  for (int minute = 0; minute < 7 * 24 * 60; ++minute) {
    std::vector<Rollup> closed;
    for (std::uint32_t path = 1; path <= 8; ++path)
      closed.push_back(rollup("a", minute, path, 0, static_cast<std::uint16_t>(700 + minute % 40)));
    log.add(closed);
    REQUIRE(log.size().bytes <= kBudget);
  }
  const WallTime end = kBegin + 7 * 24h;
  REQUIRE(log.first("a"));
  CHECK(*log.first("a") > kBegin);
  const auto row = log.overview_of("a", {.begin = kBegin, .step = 1h, .count = 7 * 24});
  const auto measured = std::ranges::count_if(row, [](const auto& loss) { return loss.has_value(); });
  CHECK(row.back() == 0.0);
  CHECK(std::chrono::hours(measured) > end - *log.first("a"));
  log.set_budget(50'000);
  CHECK(log.size().bytes <= 50'000);
}
