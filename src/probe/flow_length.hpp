#pragma once

#include <algorithm>
#include <cstdint>

namespace ecmp {

/// How far the path of a flow is known to answer while its destination was never reached: the furthest TTL that
/// answers.
///
/// A hop that falls silent stays in it, for it loses its probes, whether for a round or for days. The path is shorter
/// only after it has become another one: somebody else answers nearer by, and beyond a certain TTL nobody does for
/// kForget rounds.
class FlowLength {
 public:
  [[nodiscard]] std::uint8_t value() const { return value_; }

  /// Somebody else answers at a hop.
  void moved() {
    if (doubt_ > 0) return;
    doubt_ = 1;
    seen_ = 0;
  }

  /// A round ended; `furthest` is the last TTL that answered in it, 0 for none.
  void take(std::uint8_t furthest) {
    if (furthest >= value_) {
      value_ = furthest;
      doubt_ = 0;
      return;
    }
    if (doubt_ == 0) return;
    seen_ = std::max(seen_, furthest);
    if (doubt_++ < kForget) return;
    value_ = seen_;
    doubt_ = 0;
  }

 private:
  /// At 30 % loss a hop that is there keeps quiet for so long once in 15,000 times.
  static constexpr std::uint8_t kForget = 8;

  std::uint8_t value_ = 0;
  std::uint8_t doubt_ = 0;  ///< rounds since the path moved, counted from 1; 0: it has not
  std::uint8_t seen_ = 0;   ///< the furthest answer since
};

}  // namespace ecmp
