#include "path/statistics/blend.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace ecmp {
namespace {

/// A distribution as straight lines between known points; above p99 nothing is known: what is left is taken to lie
/// there.
struct Part {
  static constexpr std::array<double, 4> kShares{0, 0.5, 0.95, 0.99};
  std::array<double, 4> values{};  ///< nanoseconds, rising
  double weight = 0;

  [[nodiscard]] double share_up_to(double value) const {
    if (value < values.front()) return 0;
    if (value >= values.back()) return 1;
    for (std::size_t i = values.size() - 1; i > 0; --i) {
      if (value < values[i - 1]) continue;
      const double along = (value - values[i - 1]) / (values[i] - values[i - 1]);
      return kShares[i - 1] + along * (kShares[i] - kShares[i - 1]);
    }
    return kShares[0];
  }
};

Part part_of(const Quantiles& quantiles, Duration least, std::uint64_t count) {
  Part part;
  part.weight = static_cast<double>(count);
  double before = 0;
  const std::array<Duration, 4> points{std::min(least, quantiles.p50), quantiles.p50, quantiles.p95, quantiles.p99};
  for (std::size_t i = 0; i < points.size(); ++i)
    part.values[i] = before = std::max(before, static_cast<double>(points[i].count()));
  return part;
}

class Mixture {
 public:
  explicit Mixture(std::vector<Part> parts) : parts_(std::move(parts)) {
    for (const Part& part : parts_) {
      weight_ += part.weight;
      points_.insert(points_.end(), part.values.begin(), part.values.end());
    }
    std::ranges::sort(points_);
  }

  /// The least value that at least this share of all lies at or below.
  [[nodiscard]] Duration quantile(double share) const {
    const double wanted = share * weight_;
    const auto at = std::ranges::partition_point(points_, [&](double point) { return below(point) < wanted; });
    if (at == points_.end()) return Duration(static_cast<std::int64_t>(points_.back()));
    if (at == points_.begin()) return Duration(static_cast<std::int64_t>(*at));
    // Between two neighbouring points the sum is a straight line, but for a step at its end.
    const double from = *(at - 1);
    const double low = below(from);
    double up_to = 0;
    for (const Part& part : parts_)
      up_to += part.weight * rising(part, from, *at);
    if (up_to <= 0 || low + up_to < wanted) return Duration(static_cast<std::int64_t>(*at));
    return Duration(static_cast<std::int64_t>(from + (wanted - low) / up_to * (*at - from)));
  }

 private:
  [[nodiscard]] double below(double value) const {
    double sum = 0;
    for (const Part& part : parts_)
      sum += part.weight * part.share_up_to(value);
    return sum;
  }
  /// The share that lies inside, the step at the end not counted. `from` and `to` are neighbouring points.
  static double rising(const Part& part, double from, double to) {
    for (std::size_t i = 1; i < part.values.size(); ++i) {
      if (part.values[i - 1] > from || part.values[i] < to || part.values[i] <= part.values[i - 1]) continue;
      return (Part::kShares[i] - Part::kShares[i - 1]) * (to - from) / (part.values[i] - part.values[i - 1]);
    }
    return 0;
  }

  std::vector<Part> parts_;
  std::vector<double> points_;
  double weight_ = 0;
};

Quantiles quantiles_of(std::vector<Part> parts) {
  if (parts.empty()) return {};
  const Mixture mixture(std::move(parts));
  Quantiles blended{mixture.quantile(0.5), mixture.quantile(0.95), mixture.quantile(0.99)};
  blended.p95 = std::max(blended.p50, blended.p95);
  blended.p99 = std::max(blended.p95, blended.p99);
  return blended;
}

}  // namespace

WindowFigures WindowBlend::figures() const {
  WindowFigures sum;
  std::vector<Part> rtts;
  std::vector<Part> jitters;
  const WindowFigures* only_rtt = nullptr;
  const WindowFigures* only_jitter = nullptr;
  for (const WindowFigures& one : parts_) {
    sum.probes += one.probes;
    sum.losses += one.losses;
    if (one.rtts > 0) {
      sum.least_rtt = sum.rtts == 0 ? one.least_rtt : std::min(sum.least_rtt, one.least_rtt);
      sum.rtts += one.rtts;
      only_rtt = &one;
      rtts.push_back(part_of(one.rtt, one.least_rtt, one.rtts));
    }
    if (one.jitters > 0) {
      sum.jitters += one.jitters;
      only_jitter = &one;
      jitters.push_back(part_of(one.jitter, Duration(0), one.jitters));
    }
  }
  sum.rtt = rtts.size() == 1 ? only_rtt->rtt : quantiles_of(std::move(rtts));
  sum.jitter = jitters.size() == 1 ? only_jitter->jitter : quantiles_of(std::move(jitters));
  return sum;
}

}  // namespace ecmp
