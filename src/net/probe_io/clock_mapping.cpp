#include "net/probe_io/clock_mapping.hpp"

#include <algorithm>

namespace ecmp::net {
namespace {

/// How far stamps taken on different processors may run against the order of the ring.
constexpr Duration kDisorder = std::chrono::microseconds(100);

/// Both clocks are cut to whole nanoseconds, so that samples of an unchanged distance may just miss each other.
constexpr Duration kRounding = std::chrono::nanoseconds(2);

}  // namespace

ClockMapping::ClockMapping(const ClockSample& first)
    : low_(first.wall.time_since_epoch() - first.after.time_since_epoch()),
      high_(first.wall.time_since_epoch() - first.before.time_since_epoch()),
      newest_(first.after) {}

void ClockMapping::update(const ClockSample& sample) {
  const Duration low = sample.wall.time_since_epoch() - sample.after.time_since_epoch();
  const Duration high = sample.wall.time_since_epoch() - sample.before.time_since_epoch();
  newest_ = std::max(newest_, sample.after);
  const Duration both_low = std::max(low, low_), both_high = std::min(high, high_);
  if (both_low <= both_high) {
    low_ = both_low;
    high_ = both_high;
    return;
  }
  if (both_low - both_high <= kRounding) return;
  // A second step before the first one's stamps were all read: what is in the ring is older still, keep the oldest.
  if (!stepping_) old_ = wall_offset();
  stepping_ = true;
  ++steps_;
  step_seen_ = sample.after;
  low_ = low;
  high_ = high;
}

Instant ClockMapping::to_instant(WallTime stamp) {
  Instant at{stamp.time_since_epoch() - wall_offset()};
  if (stepping_) {
    const Instant before_step{stamp.time_since_epoch() - old_};
    if (before_step >= last_ - kDisorder && before_step <= step_seen_) {
      at = before_step;
    } else {
      stepping_ = false;
    }
  }
  at = std::min(at, newest_);
  last_ = std::max(last_, at);
  return at;
}

}  // namespace ecmp::net
