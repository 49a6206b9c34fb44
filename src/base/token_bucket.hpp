#pragma once

#include <algorithm>

#include "base/time.hpp"

namespace ecmp {

/// At most `rate` tokens a second, `burst` at once. Keeps the time at which it would be full, so that nothing has to
/// tick (GCRA, the form ITU-T I.371 gives the leaky bucket).
class TokenBucket {
 public:
  TokenBucket(double rate, double burst)
      : per_token_(static_cast<Duration::rep>(1e9 / rate)),
        depth_(static_cast<Duration::rep>(1e9 / rate * (burst - 1))) {}

  /// Another rate from now on; what was taken stays taken.
  void set_rate(double rate, double burst) {
    const TokenBucket other(rate, burst);
    per_token_ = other.per_token_;
    depth_ = other.depth_;
  }

  /// When a token will be there; not later than `now` if one is.
  [[nodiscard]] Instant available(Instant now) const { return std::max(empty_until_ - depth_, now); }

  /// Takes one; the caller has seen that available(now) <= now.
  void take(Instant now) { empty_until_ = std::max(empty_until_, now) + per_token_; }
  /// What was taken and not used.
  void put_back() { empty_until_ -= per_token_; }
  /// The next one comes later by so much.
  void put_off(Duration by) { empty_until_ += by; }

 private:
  Duration per_token_;
  Duration depth_;
  Instant empty_until_{};
};

}  // namespace ecmp
