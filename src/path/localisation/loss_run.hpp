#pragma once

#include <cstdint>

namespace ecmp {

/// The rounds of a destination that were lost in a row, whatever their flows, and whether its losses before explain
/// them: where three in ten get lost, all of eight flows do so every few hours, and the destination was there all the
/// time.
class LossRun {
 public:
  void take(bool reached);

  /// Whether so many in a row would be lost once in 100 million rounds at most by the share that was lost so far.
  [[nodiscard]] bool beyond_chance() const { return run_ >= needed(); }

 private:
  [[nodiscard]] double needed() const;

  double rounds_ = 2;  ///< as if three in ten of two had been lost before the first, about which nothing is known
  double lost_ = 0.6;
  std::uint32_t run_ = 0;
};

}  // namespace ecmp
