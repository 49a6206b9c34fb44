#include "path/intervals.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ecmp {
namespace {

/// ln of the gamma function of `halves` / 2. By recurrence: std::lgamma writes to a global.
double log_gamma_of_halves(std::uint32_t halves) {
  double sum = halves % 2 == 0 ? 0 : 0.5 * std::log(std::numbers::pi);
  for (std::uint32_t i = halves % 2 == 0 ? 2 : 1; i < halves; i += 2)
    sum += std::log(i / 2.0);
  return sum;
}

}  // namespace

Interval wilson(double successes, double trials, double z) {
  if (trials <= 0) return {0, 1};
  const double ratio = std::clamp(successes / trials, 0.0, 1.0);
  const double squared = z * z;
  const double centre = (ratio + squared / (2 * trials)) / (1 + squared / trials);
  const double half =
      z * std::sqrt(ratio * (1 - ratio) / trials + squared / (4 * trials * trials)) / (1 + squared / trials);
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

Ranks median_ranks(std::size_t count, double z) {
  if (count == 0) return {};
  const auto trials = static_cast<double>(count);
  const Interval share = wilson(trials / 2, trials, z);
  const auto rank = [&](double at) {
    return std::min(count - 1, static_cast<std::size_t>(std::max(0.0, std::floor(at))));
  };
  return {rank(share.low * trials), rank(std::ceil(share.high * trials))};
}

/// The regularised incomplete gamma function Q(degrees / 2, value / 2): by its series where that converges quickly,
/// else by its continued fraction (Lentz).
double chi_square_tail(double value, std::uint32_t degrees) {
  if (degrees == 0 || value <= 0) return 1;
  const double a = degrees / 2.0;
  const double x = value / 2;
  const double scale = std::exp(a * std::log(x) - x - log_gamma_of_halves(degrees));
  constexpr int kMostTerms = 1000;
  constexpr double kEnough = 1e-14;
  if (x < a + 1) {
    double term = 1 / a;
    double sum = term;
    for (int i = 1; i < kMostTerms && term > sum * kEnough; ++i) {
      term *= x / (a + i);
      sum += term;
    }
    return std::clamp(1 - scale * sum, 0.0, 1.0);
  }
  constexpr double kTiny = 1e-300;
  double b = x + 1 - a;
  double c = 1 / kTiny;
  double d = 1 / b;
  double h = d;
  for (int i = 1; i < kMostTerms; ++i) {
    const double n = -i * (i - a);
    b += 2;
    d = n * d + b;
    d = 1 / (std::abs(d) < kTiny ? kTiny : d);
    c = b + n / c;
    if (std::abs(c) < kTiny) c = kTiny;
    const double change = d * c;
    h *= change;
    if (std::abs(change - 1) < kEnough) break;
  }
  return std::clamp(scale * h, 0.0, 1.0);
}

}  // namespace ecmp
