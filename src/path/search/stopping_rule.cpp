#include "path/search/stopping_rule.hpp"

#include <algorithm>
#include <cmath>

namespace ecmp {

double chance_to_miss(std::uint32_t branches, std::uint32_t flows) {
  if (flows < branches) return 1;
  const double k = branches;
  const double n = flows;
  // The terms grow up to about e^(k (1-1/k)^n) before they shrink: where that is much the chance is as good as 1, and
  // the alternating sum would be nothing but rounding.
  constexpr double kCertain = 15;
  if (k * std::pow(1 - 1 / k, n) > kCertain) return 1;
  double sum = 0;
  double binomial = 1;
  for (double j = 1; j < k; ++j) {
    binomial *= (k - j + 1) / j;
    const double term = binomial * std::pow((k - j) / k, n);
    sum += std::fmod(j, 2) == 1 ? term : -term;
    if (term < 1e-17) break;
  }
  return std::clamp(sum, 0.0, 1.0);
}

std::uint32_t flows_to_see(std::uint32_t branches, double eps) {
  if (branches <= 1) return 1;
  std::uint32_t few = 0;  // too few
  std::uint32_t many = branches;
  while (chance_to_miss(branches, many) > eps) {
    few = many;
    many *= 2;
  }
  while (many - few > 1) {
    const std::uint32_t middle = few + (many - few) / 2;
    (chance_to_miss(branches, middle) > eps ? few : many) = middle;
  }
  return many;
}

double error_per_hop(double confidence, std::uint32_t dividing) {
  return 1 - std::pow(confidence, 1.0 / std::max<std::uint32_t>(1, dividing));
}

std::uint32_t StoppingRule::needed(std::uint32_t seen) const {
  const std::uint32_t at = std::max<std::uint32_t>(1, seen);
  if (known_.size() < at) known_.resize(at);
  std::uint32_t& flows = known_[at - 1];
  if (flows != 0) return flows;
  flows = flows_to_see(at + 1, eps_);
  if (p_min_ > 0) {
    const double uneven = std::ceil(std::log(eps_ / (at + 1)) / std::log1p(-p_min_));
    flows = std::max(flows, static_cast<std::uint32_t>(std::min(uneven, 1e9)));
  }
  return flows;
}

double StoppingRule::chance_of_another(std::uint32_t seen, std::uint32_t flows, double p_min) {
  double chance = chance_to_miss(seen + 1, flows);
  if (p_min > 0) chance = std::max(chance, std::min(1.0, (seen + 1) * std::pow(1 - p_min, flows)));
  return chance;
}

}  // namespace ecmp
