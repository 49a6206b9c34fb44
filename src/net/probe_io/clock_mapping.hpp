#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace ecmp::net {

/// The two clocks read one inside the other: the wall clock stood at `wall` at some point in [before, after].
struct ClockSample {
  Instant before;
  WallTime wall;
  Instant after;
};

/// Maps the kernel's receive stamps, which are wall time, to the monotonic clock. Both clocks are slewed alike by NTP,
/// so their distance is constant until somebody sets (steps) the wall clock. Each sample confines that distance to an
/// interval as wide as reading the clocks took; the intersection of all of them converges to a few nanoseconds, and
/// a sample outside of it is a step.
///
/// After a step, stamps made before it are still waiting in the capture's ring. They are converted with the old
/// distance until the first stamp that it cannot explain, because it would lie behind its predecessor or after the
/// step was seen: stamps come in the order of time. (Left over: stamps made between the step and the sample that
/// detects it, when the step is forward and shorter than that time, are off by the step.)
class ClockMapping {
 public:
  explicit ClockMapping(const ClockSample& first);

  /// Takes a sample; call it at each receive, before the ring is read.
  void update(const ClockSample& sample);

  /// A stamp's place on the monotonic clock; never after the newest sample. Stamps have to come in the order of the
  /// ring.
  Instant to_instant(WallTime stamp);

  /// Steps of the wall clock that samples have shown.
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

  /// Wall time minus monotonic time, as of the newest sample.
  [[nodiscard]] Duration wall_offset() const { return low_ + (high_ - low_) / 2; }

 private:
  Duration low_, high_;  ///< bounds of wall - monotonic
  Duration old_{};       ///< the distance before the last step
  bool stepping_ = false;
  std::uint64_t steps_ = 0;
  Instant step_seen_;
  Instant newest_;  ///< of the samples
  Instant last_;    ///< converted stamp
};

}  // namespace ecmp::net
