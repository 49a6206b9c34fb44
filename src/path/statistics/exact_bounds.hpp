#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "path/statistics/histogram.hpp"

namespace ecmp {

/// The bounds of classic buckets that lie within a bucket of ours, which cannot tell what is above such a bound from
/// what is below it. Observations in that bucket which do not exceed the bound are counted beside it, by the number of
/// the bound: so that a classic bucket is exact whatever its bound is. Numbers are for the life of the process: a bound
/// that was ever configured keeps its number and is counted for, so that no count falls should it come back.
class ExactBounds {
 public:
  /// More are not exact: their bucket begins at the next edge of ours.
  static constexpr std::size_t kMost = 256;

  /// Takes in those that are not known yet.
  void add(std::span<const double> bounds);

  /// nullopt: the bound is an edge of our buckets, or there were too many before it.
  [[nodiscard]] std::optional<std::uint32_t> number_of(double bound) const;

  /// Calls visit(number) for the bounds within the bucket `key` that `value`, which lies in it, does not exceed.
  template <typename Visit>
  void each_holding(std::uint32_t key, double value, Visit visit) const {
    if (places_[key] == 0) return;
    for (std::size_t at = places_[key] - 1u; at < bounds_.size() && bounds_[at].key == key; ++at)
      if (value <= bounds_[at].value) visit(bounds_[at].number);
  }

 private:
  struct Bound {
    std::uint32_t key = 0;
    std::uint32_t number = 0;
    double value = 0;
  };

  std::vector<Bound> bounds_;                               ///< by key
  std::array<std::uint16_t, log_buckets::kKeys> places_{};  ///< where those of a key begin in bounds_, plus 1; 0: none
};

}  // namespace ecmp
