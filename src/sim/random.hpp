#pragma once

#include <array>
#include <cstdint>

#include "base/time.hpp"

namespace ecmp::sim {

/// Spreads every bit of a number over all bits of the result (the finaliser of splitmix64). A bijection.
constexpr std::uint64_t mix(std::uint64_t number) {
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
  number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
  return number ^ (number >> 31);
}

/// How often something happens, as a threshold for a random 64-bit number, so that "never" needs no random number.
class Probability {
 public:
  constexpr Probability() = default;
  /// From a ratio; what lies outside 0..1 is clamped.
  static Probability of(double ratio);
  [[nodiscard]] bool never() const { return threshold_ == 0; }
  [[nodiscard]] double ratio() const;

 private:
  friend class Random;
  std::uint64_t threshold_ = 0;
};

/// What comes on top of the fixed delay of a link or a node.
enum class JitterShape : std::uint8_t {
  none,
  uniform,      ///< 0 .. 2 x scale
  normal,       ///< around 0 with standard deviation `scale`; what is below 0 becomes 0
  exponential,  ///< with mean `scale`
  pareto,       ///< heavy tail: shape 2.5, with mean `scale`
};

struct Delay {
  Duration fixed{};
  JitterShape shape = JitterShape::none;
  Duration scale{};
};

/// xoshiro256++ 1.0 (Blackman and Vigna), seeded by splitmix64. The distributions are our own, since those of the
/// standard library differ from one implementation to the next, and a seed has to mean the same run everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed);

  std::uint64_t next();
  /// 0 <= x < bound, for bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// 0 <= x < 1
  double unit();
  /// Draws no number when the probability is 0.
  bool happens(Probability probability) {
    return !probability.never() && (next() < probability.threshold_ || probability.threshold_ == kAlways);
  }
  /// Never negative. Draws no number when there is no jitter.
  Duration draw(const Delay& delay) {
    return delay.shape == JitterShape::none ? delay.fixed : delay.fixed + jitter(delay);
  }

 private:
  friend class Probability;
  static constexpr std::uint64_t kAlways = ~std::uint64_t{0};

  Duration jitter(const Delay& delay);

  std::array<std::uint64_t, 4> state_{};
};

}  // namespace ecmp::sim
