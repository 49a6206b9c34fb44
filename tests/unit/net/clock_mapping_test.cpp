#include "net/probe_io/clock_mapping.hpp"

#include <random>

#include "catch.hpp"

namespace ecmp::net {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// Both clocks of a host, driven by hand.
struct Host {
  Instant now{hours(5)};
  Duration wall_offset = hours(24 * 365 * 50);

  [[nodiscard]] WallTime stamp() const { return WallTime(now.time_since_epoch() + wall_offset); }
  ClockSample sample(Duration reading = nanoseconds(40)) {
    ClockSample sample;
    sample.before = now;
    now += reading / 2;
    sample.wall = stamp();
    now += reading / 2;
    sample.after = now;
    return sample;
  }
};

TEST_CASE("stamps map to the monotonic clock within the time that reading the clocks takes", "[clock_mapping]") {
  Host host;
  ClockMapping mapping(host.sample());
  host.now += milliseconds(3);
  const Instant truth = host.now;
  const WallTime stamp = host.stamp();
  host.now += milliseconds(4);
  mapping.update(host.sample());
  CHECK(std::chrono::abs(mapping.to_instant(stamp) - truth) <= nanoseconds(20));
  CHECK(std::chrono::abs(mapping.wall_offset() - host.wall_offset) <= nanoseconds(20));
}

TEST_CASE("readings of the clocks that were interrupted do not move the mapping", "[clock_mapping]") {
  Host host;
  ClockMapping mapping(host.sample());
  for (int i = 0; i < 100; ++i) {
    host.now += milliseconds(1);
    mapping.update(host.sample(microseconds(i * 50 + 1)));
  }
  CHECK(std::chrono::abs(mapping.wall_offset() - host.wall_offset) <= nanoseconds(20));
}

/// Steps the wall clock between stamps that wait in the ring, and returns the largest error of a converted stamp.
Duration worst_error(Duration step, Duration receive_every) {
  Host host;
  ClockMapping mapping(host.sample());
  std::vector<std::pair<WallTime, Instant>> ring;
  Duration worst{};
  int ticks = 0;
  for (int turn = 0; turn < 30; ++turn) {
    const Instant turn_end = host.now + receive_every;
    while (host.now < turn_end) {
      if (++ticks == 105) host.wall_offset += step;
      ring.emplace_back(host.stamp(), host.now);
      host.now += microseconds(100);
    }
    mapping.update(host.sample());
    for (const auto& [stamp, truth] : ring)
      worst = std::max(worst, Duration(std::chrono::abs(mapping.to_instant(stamp) - truth)));
    ring.clear();
  }
  return worst;
}

TEST_CASE("a step of the wall clock changes no converted stamp", "[clock_mapping]") {
  const Duration step = GENERATE(as<Duration>{}, seconds(1), seconds(-1), hours(1), hours(-1), hours(24 * 365 * 40),
                                 milliseconds(11), milliseconds(-11), milliseconds(-2));
  INFO("step of " << step.count() << " ns");
  CHECK(worst_error(step, milliseconds(1)) <= nanoseconds(20));
  CHECK(worst_error(step, milliseconds(10)) <= nanoseconds(20));
}

TEST_CASE("a forward step shorter than the time between two receives errs by no more than itself", "[clock_mapping]") {
  CHECK(worst_error(milliseconds(2), milliseconds(10)) <= milliseconds(2) + nanoseconds(20));
}

TEST_CASE("stamps that waited in the ring since before a step was seen use the old distance", "[clock_mapping]") {
  Host host;
  ClockMapping mapping(host.sample());
  const Instant truth = host.now;
  const WallTime stamp = host.stamp();
  host.now += milliseconds(2);
  host.wall_offset -= hours(1);
  mapping.update(host.sample());
  host.now += milliseconds(5);
  mapping.update(host.sample());
  CHECK(std::chrono::abs(mapping.to_instant(stamp) - truth) <= nanoseconds(20));
  const Instant later_truth = host.now;
  const WallTime later_stamp = host.stamp();
  mapping.update(host.sample());
  CHECK(std::chrono::abs(mapping.to_instant(later_stamp) - later_truth) <= nanoseconds(20));
  CHECK(mapping.steps() == 1);
}

TEST_CASE("no stamp is converted to the future", "[clock_mapping]") {
  Host host;
  ClockMapping mapping(host.sample());
  const ClockSample newest = host.sample();
  mapping.update(newest);
  CHECK(mapping.to_instant(host.stamp() + seconds(3)) == newest.after);
}

}  // namespace
}  // namespace ecmp::net
