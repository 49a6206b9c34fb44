#include "path/statistics/intervals.hpp"

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

/// ln of the gamma function by Stirling's series, shifted to where it is exact to 1e-12.
double log_gamma(double x) {
  double shift = 0;
  for (; x < 10; x += 1)
    shift -= std::log(x);
  const double inverse = 1 / x;
  const double square = inverse * inverse;
  const double series = inverse * (1.0 / 12 - square * (1.0 / 360 - square * (1.0 / 1260 - square / 1680)));
  return shift + (x - 0.5) * std::log(x) - x + 0.5 * std::log(2 * std::numbers::pi) + series;
}

/// The continued fraction of the incomplete beta function (Lentz).
double beta_fraction(double a, double b, double x) {
  constexpr int kMostTerms = 500;
  constexpr double kEnough = 1e-13;
  constexpr double kTiny = 1e-300;
  const auto kept = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1;
  double d = 1 / kept(1 - (a + b) * x / (a + 1));
  double h = d;
  for (int i = 1; i < kMostTerms; ++i) {
    const double even = i * (b - i) * x / ((a + 2 * i - 1) * (a + 2 * i));
    d = 1 / kept(1 + even * d);
    c = kept(1 + even / c);
    h *= d * c;
    const double odd = -(a + i) * (a + b + i) * x / ((a + 2 * i) * (a + 2 * i + 1));
    d = 1 / kept(1 + odd * d);
    c = kept(1 + odd / c);
    const double change = d * c;
    h *= change;
    if (std::abs(change - 1) < kEnough) break;
  }
  return h;
}

/// The regularised incomplete beta function.
double beta_share(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front = std::exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * std::log(x) + b * std::log1p(-x));
  // Each side of the middle converges by itself only.
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double beta_quantile(double share, double a, double b) {
  double low = 0;
  double high = 1;
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (beta_share(a, b, middle) < share ? low : high) = middle;
  }
  return (low + high) / 2;
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

Interval exact_binomial(double successes, double trials, double chance_outside) {
  if (trials <= 0) return {0, 1};
  const double hits = std::clamp(successes, 0.0, trials);
  const double misses = trials - hits;
  return {hits > 0 ? beta_quantile(chance_outside / 2, hits, misses + 1) : 0.0,
          misses > 0 ? beta_quantile(1 - chance_outside / 2, hits + 1, misses) : 1.0};
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
