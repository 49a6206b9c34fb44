#pragma once

#include <algorithm>
#include <chrono>

#include "base/time.hpp"

namespace ecmp {

/// How long a UDP service takes to answer, as the answers say that can be to one probe only. Smoothed as RFC 6298
/// section 2 has it.
class AnswerTime {
 public:
  [[nodiscard]] bool known() const { return known_; }
  [[nodiscard]] bool fits(Duration rtt) const {
    const Duration off = rtt > smoothed_ ? rtt - smoothed_ : smoothed_ - rtt;
    return known_ && off <= std::max<Duration>({4 * deviation_, smoothed_ / 4, kLeast});
  }
  /// `interval` between two rounds: the first guess of the deviation must tell their probes apart.
  void take(Duration rtt, Duration interval) {
    if (!known_ || !fits(rtt)) {
      smoothed_ = rtt;
      deviation_ = std::min(rtt / 2, interval / 10);
      known_ = true;
      return;
    }
    const Duration off = rtt > smoothed_ ? rtt - smoothed_ : smoothed_ - rtt;
    deviation_ = (3 * deviation_ + off) / 4;
    smoothed_ = (7 * smoothed_ + rtt) / 8;
  }

 private:
  static constexpr Duration kLeast = std::chrono::milliseconds(5);

  Duration smoothed_{};
  Duration deviation_{};
  bool known_ = false;
};

}  // namespace ecmp
