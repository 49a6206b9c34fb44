#include "stamp/oneway_delay.hpp"

#include "catch.hpp"

using namespace ecmp;
using namespace ecmp::stamp;
using namespace std::chrono_literals;

namespace {

/// An exchange that began so long after the first: the reflector's clock is `offset` before ours, and takes 1 ms.
Exchange exchange(Duration since, Duration forward, Duration reverse, Duration offset = 400000h) {
  const Instant sent(1h + since);
  const Instant there = sent + forward;
  return {.sent = sent,
          .arrived = WallTime(there.time_since_epoch() + offset),
          .replied = WallTime(there.time_since_epoch() + 1ms + offset),
          .received = there + 1ms + reverse};
}

}  // namespace

TEST_CASE("Delay varies by what exceeds the fastest packet of the last minute, in each direction", "[stamp]") {
  DelayVariation delays;
  auto variation = delays.add(exchange(0s, 10ms, 20ms), 60, 60);
  REQUIRE(variation);
  CHECK(variation->forward == 0ms);
  CHECK(variation->reverse == 0ms);
  variation = delays.add(exchange(1s, 12ms, 20ms), 60, 60);
  CHECK(variation->forward == 2ms);
  CHECK(variation->reverse == 0ms);
  variation = delays.add(exchange(2s, 10ms, 27ms), 60, 60);
  CHECK(variation->forward == 0ms);
  CHECK(variation->reverse == 7ms);
  CHECK(delays.steps() == 0);
}

TEST_CASE("The fastest packet is forgotten after a minute", "[stamp]") {
  DelayVariation delays;
  delays.add(exchange(0s, 10ms, 10ms), 60, 60);
  for (int second = 1; second < 30; ++second)
    CHECK(delays.add(exchange(std::chrono::seconds(second), 15ms, 10ms), 60, 60)->forward == 5ms);
  for (int second = 30; second < 60; ++second)
    CHECK(delays.add(exchange(std::chrono::seconds(second), 15ms, 10ms), 60, 60)->forward == 5ms);
  CHECK(delays.add(exchange(61s, 15ms, 10ms), 60, 60)->forward == 0ms);
}

TEST_CASE("A changed path begins a direction anew, the other goes on", "[stamp]") {
  DelayVariation delays;
  delays.add(exchange(0s, 10ms, 10ms), 60, 60);
  const auto variation = delays.add(exchange(1s, 30ms, 12ms), 59, 60);
  CHECK(variation->forward == 0ms);
  CHECK(variation->reverse == 2ms);
}

TEST_CASE("A clock that is set is no delay", "[stamp]") {
  DelayVariation delays;
  delays.add(exchange(0s, 10ms, 10ms), 60, 60);
  CHECK_FALSE(delays.add(exchange(1s, 10ms, 10ms, 400000h + 37s), 60, 60));  // TAI for UTC
  CHECK(delays.steps() == 1);
  const auto variation = delays.add(exchange(2s, 11ms, 10ms, 400000h + 37s), 60, 60);
  REQUIRE(variation);
  CHECK(variation->forward == 1ms);
  CHECK(variation->reverse == 0ms);
}

TEST_CASE("Both directions slower at once are no clock's doing", "[stamp]") {
  DelayVariation delays;
  delays.add(exchange(0s, 10ms, 10ms), 60, 60);
  const auto variation = delays.add(exchange(1s, 60ms, 70ms), 60, 60);
  REQUIRE(variation);
  CHECK(variation->forward == 50ms);
  CHECK(variation->reverse == 60ms);
}

TEST_CASE("Paths to one reflector are compared within the same ten seconds, whatever its clock says", "[stamp]") {
  RelativeDelay relative;
  const auto at = [](Duration since) { return Instant(1h + since); };
  CHECK_FALSE(relative.of(1));
  relative.add(at(0s), 1, 100h + 10ms);
  relative.add(at(1s), 2, 100h + 13ms);
  relative.add(at(2s), 1, 100h + 19ms);  // slow for once
  CHECK_FALSE(relative.of(1));           // the slot is not over
  relative.add(at(10s), 1, 100h + 12ms);
  REQUIRE(relative.of(2));
  CHECK(*relative.of(1) == 0ms);
  CHECK(*relative.of(2) == 3ms);
  CHECK_FALSE(relative.of(3));
}

TEST_CASE("One-way delay takes two clocks that claim to be synchronised, and is as wrong as both", "[stamp]") {
  const auto claim = [](Duration error) { return ErrorEstimate::of(error, true); };
  const Duration offset = 400000h;  // both clocks are right: ours is so far from its monotonic one
  const auto delay = absolute_delay(exchange(0s, 10ms, 20ms), offset, claim(1ms), claim(500us));
  REQUIRE(delay);
  CHECK(delay->forward == 10ms);
  CHECK(delay->reverse == 20ms);
  CHECK(delay->error >= 1500us);
  CHECK(delay->error < 1520us);  // a multiplier of eight bits, rounded up: 1/128 at most
  CHECK_FALSE(absolute_delay(exchange(0s, 10ms, 20ms), offset, kUnsynchronised, claim(1ms)));
  CHECK_FALSE(absolute_delay(exchange(0s, 10ms, 20ms), offset, claim(1ms), kUnsynchronised));
  // S and any error at all is no claim.
  CHECK_FALSE(absolute_delay(exchange(0s, 10ms, 20ms), offset, ErrorEstimate{true, false, 63, 255}, claim(1ms)));
}

TEST_CASE("Clocks that contradict what they claim show no one-way delay", "[stamp]") {
  const ErrorEstimate millisecond = ErrorEstimate::of(1ms, true);
  // The reflector counts TAI, 37 s before UTC; then 37 s behind it.
  CHECK_FALSE(absolute_delay(exchange(0s, 10ms, 20ms, 400000h + 37s), 400000h, millisecond, millisecond));
  CHECK_FALSE(absolute_delay(exchange(0s, 10ms, 20ms, 400000h - 37s), 400000h, millisecond, millisecond));
  // By less than they claim, it arrived when it left.
  const auto delay = absolute_delay(exchange(0s, 100us, 20ms, 400000h - 1ms), 400000h, millisecond, millisecond);
  REQUIRE(delay);
  CHECK(delay->forward == 0ms);
  CHECK(delay->reverse == 21ms);
}
