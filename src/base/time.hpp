#pragma once

#include <chrono>

namespace ecmp {

/// All lengths of time, in nanoseconds.
using Duration = std::chrono::nanoseconds;

/// The clock behind `Instant`: monotonic, never set, never stepped. It has no now(): in the core time is an argument,
/// so that hours of network time run in milliseconds in a test, and every run can be repeated.
struct MonotonicClock {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicClock, Duration>;
  static constexpr bool is_steady = true;
};

/// A point on the monotonic clock (CLOCK_MONOTONIC in the shell, network time in the simulation).
using Instant = MonotonicClock::time_point;

/// A point in civil time, UTC, nanoseconds since 1970: for people and logs, never for measuring.
using WallTime = std::chrono::sys_time<Duration>;

}  // namespace ecmp
