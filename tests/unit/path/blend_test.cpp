#include "path/statistics/blend.hpp"

#include <algorithm>
#include <random>

#include "catch.hpp"
#include "path/statistics/window.hpp"
#include "sim/seed.hpp"

namespace ecmp {
namespace {

using namespace std::chrono_literals;

WindowFigures figures(std::uint64_t rtts, Duration least, const Quantiles& rtt) {
  WindowFigures made;
  made.probes = rtts;
  made.rtts = rtts;
  made.least_rtt = least;
  made.rtt = rtt;
  return made;
}

}  // namespace

TEST_CASE("a blend of one is that one, and of nothing nothing", "[path][blend]") {
  WindowFigures one = figures(50, 1ms, {2ms, 5ms, 9ms});
  one.losses = 3;
  one.jitters = 49;
  one.jitter = {1us, 2us, 3us};
  WindowBlend blend;
  CHECK(blend.figures() == WindowFigures{});
  blend.add(one);
  CHECK(blend.figures() == one);
  blend.add({});
  CHECK(blend.figures() == one);
}

TEST_CASE("parts that say the same are told as they are, with sums of counts", "[path][blend]") {
  WindowFigures one = figures(40, 1ms, {2ms, 5ms, 9ms});
  one.probes = 42;
  one.losses = 2;
  WindowBlend blend;
  for (int i = 0; i < 16; ++i)
    blend.add(one);
  const WindowFigures all = blend.figures();
  CHECK(all.probes == 16 * 42);
  CHECK(all.losses == 16 * 2);
  CHECK(std::chrono::abs(all.rtt.p50 - 2ms) < 1us);
  CHECK(std::chrono::abs(all.rtt.p95 - 5ms) < 1us);
  CHECK(std::chrono::abs(all.rtt.p99 - 9ms) < 1us);
  CHECK(all.least_rtt == 1ms);
}

TEST_CASE("one slow path of sixteen is the tail of the blend and not its middle", "[path][blend]") {
  WindowBlend blend;
  for (int i = 0; i < 15; ++i)
    blend.add(figures(100, 10ms, {10ms, 11ms, 12ms}));
  blend.add(figures(100, 50ms, {50ms, 51ms, 52ms}));
  const WindowFigures all = blend.figures();
  CHECK(all.rtt.p50 < 11ms);
  CHECK(all.rtt.p95 >= 12ms);
  CHECK(all.rtt.p99 >= 50ms);
  CHECK(all.rtt.p99 <= 52ms);
}

TEST_CASE("quantiles rise and stay within what the parts say, whatever they are", "[path][blend]") {
  const sim::Seed seed(9100);
  std::mt19937_64 random(seed);
  for (int turn = 0; turn < 300; ++turn) {
    WindowBlend blend;
    Quantiles low{Duration::max(), Duration::max(), Duration::max()};
    Duration high{};
    for (std::uint64_t parts = 1 + random() % 40; parts > 0; --parts) {
      std::array<Duration, 4> points{};
      for (Duration& point : points)
        point = Duration(random() % 5 == 0 ? 1000 : random() % 100'000'000);
      std::ranges::sort(points);
      blend.add(figures(1 + random() % 300, points[0], {points[1], points[2], points[3]}));
      low = {std::min(low.p50, points[1]), std::min(low.p95, points[2]), std::min(low.p99, points[3])};
      high = std::max(high, points[3]);
    }
    const Quantiles told = blend.figures().rtt;
    CAPTURE(turn, told.p50.count(), told.p95.count(), told.p99.count());
    CHECK(told.p50 <= told.p95);
    CHECK(told.p95 <= told.p99);
    CHECK(told.p99 <= high);
    CHECK(told.p50 + 1ns >= low.p50);
    CHECK(told.p95 + 1ns >= low.p95);
    CHECK(told.p99 + 1ns >= low.p99);
  }
}

TEST_CASE("of windows that overlap the blend is near the quantiles of all their values", "[path][blend]") {
  const sim::Seed seed(9200);
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> delay(1.0 / 2e6);
  WindowBlend blend;
  std::vector<Duration> all;
  for (int path = 0; path < 8; ++path) {
    Window window;
    for (int i = 0; i < 400; ++i) {
      const Duration rtt = Duration(10'000'000 + path * 300'000) + Duration(static_cast<std::int64_t>(delay(random)));
      window.reply(7, rtt);
      all.push_back(rtt);
    }
    blend.add(window.figures(7));
  }
  std::ranges::sort(all);
  const Quantiles told = blend.figures().rtt;
  const auto near = [&](Duration a, double share) {
    const Duration exact = all[static_cast<std::size_t>(share * static_cast<double>(all.size()))];
    return std::chrono::abs(a - exact) < exact / 10;  // a bucket
  };
  CHECK(near(told.p50, 0.5));
  CHECK(near(told.p95, 0.95));
  CHECK(near(told.p99, 0.99));
}

}  // namespace ecmp
