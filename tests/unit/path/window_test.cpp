#include "path/statistics/window.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <random>

#include "catch.hpp"
#include "path/statistics/flow_jitter.hpp"

namespace ecmp {
namespace {

using namespace std::chrono_literals;

bool same_bucket(Duration a, Duration b) {
  return log_buckets::key_of(in_seconds(a)) == log_buckets::key_of(in_seconds(b));
}

/// Nearest rank.
Duration exact(std::vector<Duration> values, unsigned share) {
  std::ranges::sort(values);
  return values.at((values.size() * share + 99) / 100 - 1);
}

}  // namespace

TEST_CASE("the window slides with time and forgets what is older", "[window]") {
  const WindowScale scale(100s);
  Window window;
  const auto at = [&scale](Duration since) { return scale.part(Instant(1000s + since)); };
  window.reply(at(0s), 5ms);
  window.loss(at(0s));
  window.reply(at(50s), 7ms);
  window.jitter(at(50s), 2ms);
  window.silence(at(50s));
  const WindowFigures all = window.figures(at(50s));
  CHECK(all.probes == 4);
  CHECK(all.losses == 1);
  CHECK(all.loss_ratio() == 0.25);
  CHECK(all.rtts == 2);
  CHECK(all.jitters == 1);
  CHECK(all.least_rtt == 5ms);
  CHECK(same_bucket(all.rtt.p50, 5ms));
  CHECK(same_bucket(all.rtt.p99, 7ms));
  CHECK(same_bucket(all.jitter.p50, 2ms));

  CHECK(window.figures(at(99s)) == all);
  CHECK_FALSE(window.has_aged(at(99s)));
  CHECK(window.has_aged(at(100s)));
  const WindowFigures later = window.figures(at(100s));
  CHECK(later.probes == 2);
  CHECK(later.losses == 0);
  CHECK(later.least_rtt == 7ms);
  CHECK(window.figures(at(150s)) == WindowFigures());
  CHECK(window.figures(at(100000s)) == WindowFigures());
  window.drop_aged(at(150s));
  window.reply(at(160s), 1ms);
  CHECK(window.figures(at(160s)).rtts == 1);
}

TEST_CASE("quantiles of the window lie in the bucket of the exact ones, whatever has slid by", "[window]") {
  std::mt19937_64 random(9);
  std::lognormal_distribution<double> spread(-5, 1);
  const WindowScale scale(300s);
  Window window;
  std::deque<std::pair<std::uint32_t, Duration>> seen;
  for (int i = 0; i < 5000; ++i) {
    const std::uint32_t part = scale.part(Instant(i * 3s));
    const Duration rtt(static_cast<std::int64_t>(1e9 * spread(random)));
    window.reply(part, rtt);
    seen.emplace_back(part, rtt);
    while (seen.front().first + WindowScale::kParts <= part)
      seen.pop_front();
    if (i % 97 != 0) continue;
    std::vector<Duration> values;
    for (const auto& [when, value] : seen)
      values.push_back(value);
    const WindowFigures figures = window.figures(part);
    CAPTURE(i);
    CHECK(figures.rtts == values.size());
    CHECK(figures.least_rtt == *std::ranges::min_element(values));
    CHECK(same_bucket(figures.rtt.p50, exact(values, 50)));
    CHECK(same_bucket(figures.rtt.p95, exact(values, 95)));
    CHECK(same_bucket(figures.rtt.p99, exact(values, 99)));
  }
}

TEST_CASE("counts of a part beyond what a word holds go on in another", "[window]") {
  Window window;
  constexpr int kMany = (1 << 20) + 5;
  for (int i = 0; i < kMany; ++i)
    window.loss(3);
  CHECK(window.figures(3).losses == kMany);
}

TEST_CASE("windows merge part by part", "[window]") {
  Window a;
  Window b;
  Window both;
  for (std::uint32_t part = 10; part < 18; ++part) {
    const Duration rtt = part * 1ms;
    Window& one = part % 3 == 0 ? a : b;
    one.reply(part, rtt);
    both.reply(part, rtt);
    one.loss(part);
    both.loss(part);
  }
  a.reply(17, 40ms);
  both.reply(17, 40ms);
  a.merge(b);
  for (std::uint32_t part = 17; part < 30; ++part)
    CHECK(a.figures(part) == both.figures(part));
}

TEST_CASE("delay variation is the RTT above the least of the window (RFC 5481 section 4.2)", "[window]") {
  // 20 ms and a little: the variation is a hundred times finer than a bucket of RTTs.
  VariationWindow window;
  std::vector<Duration> variations;
  for (int i = 0; i < 100; ++i) {
    const Duration above = (i * 37 % 100) * 1us;
    window.reply(5, 20ms + above);
    variations.push_back(above);
  }
  const Quantiles found = window.quantiles(5);
  const auto close = [](Duration a, Duration b) { return std::chrono::abs(a - b) <= b / 10 + 1us; };
  CHECK(close(found.p50, exact(variations, 50)));
  CHECK(close(found.p95, exact(variations, 95)));
  CHECK(close(found.p99, exact(variations, 99)));

  // A new least RTT lifts all; when it has left the window all is as before.
  window.reply(6, 19ms);
  CHECK(close(window.quantiles(6).p50, exact(variations, 50) + 1ms));
  window.reply(12, 30ms);
  CHECK(close(window.quantiles(12).p99, 1ms + 99us));  // the one of 11 ms is the last of 102
  CHECK(window.quantiles(16).p99 < 1ms);
  CHECK(window.quantiles(30) == Quantiles());
}

TEST_CASE("jitter is smoothed as in RFC 3550", "[window]") {
  FlowJitter jitter;
  CHECK_FALSE(jitter.end_to_end(0, 10ms));
  CHECK(jitter.smoothed() == 0ns);
  CHECK(jitter.end_to_end(1, 26ms) == Duration(16ms));
  CHECK(jitter.smoothed() == 1ms);  // 0 + (16 - 0) / 16
  CHECK(jitter.end_to_end(2, 9ms) == Duration(17ms));
  CHECK(jitter.smoothed() == 2ms);  // 1 + (17 - 1) / 16
  // Nobody knows the RTT of round 3: round 4 is compared with nothing, and the smoothed value stays.
  CHECK_FALSE(jitter.end_to_end(4, 100ms));
  CHECK(jitter.smoothed() == 2ms);
  CHECK(jitter.end_to_end(5, 100ms) == Duration(0));
  CHECK(jitter.smoothed() == 1875us);
  jitter.reset();
  CHECK(jitter.smoothed() == 0ns);
  CHECK_FALSE(jitter.end_to_end(6, 1ms));
  // Two responders that alternate at a hop are not compared with each other.
  CHECK_FALSE(jitter.at_hop(3, 0, 1, 5ms));
  CHECK_FALSE(jitter.at_hop(3, 1, 2, 9ms));
  CHECK(jitter.at_hop(3, 1, 3, 6ms) == Duration(3ms));
}

}  // namespace ecmp
