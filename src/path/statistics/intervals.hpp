#pragma once

#include <cstddef>
#include <cstdint>

namespace ecmp {

/// Two-sided normal quantiles.
inline constexpr double kZ95 = 1.959963984540054;
inline constexpr double kZ999 = 3.2905267314919255;

struct Interval {
  double low = 0;
  double high = 0;
};

/// Wilson's score interval of a ratio (Wilson 1927): stays within 0..1 and is honest for few trials and for ratios near
/// 0, where the textbook interval is not. [0, 1] without trials.
Interval wilson(double successes, double trials, double z = kZ95);

/// The exact interval of a ratio (Clopper and Pearson 1934): contains the truth at least as often as it says, whatever
/// the truth. Counts may be fractions. [0, 1] without trials.
Interval exact_binomial(double successes, double trials, double chance_outside = 0.05);

/// The ranks, from 0, of the order statistics that enclose the median of `count` samples: Wilson's interval of a ratio
/// of one half. Needs no assumption on what the samples are distributed like.
struct Ranks {
  std::size_t low = 0;
  std::size_t high = 0;
};
Ranks median_ranks(std::size_t count, double z = kZ95);

/// P(X > value) for a chi-square variable of so many degrees of freedom; 1 without any.
double chi_square_tail(double value, std::uint32_t degrees);

}  // namespace ecmp
