#include "path/localisation/loss_run.hpp"

#include <algorithm>
#include <cmath>

namespace ecmp {
namespace {

/// At 30 % loss 16 rounds in a row. With a round of eight flows each ten seconds that comes by chance once in five
/// years.
constexpr double kOneIn = 1e8;
/// No destination is known so well that one lost round, or two, would be an outage.
constexpr double kLeastShare = 1e-3;
/// Older rounds count less and less.
constexpr double kMemory = 1000;

}  // namespace

void LossRun::take(bool reached) {
  if (!reached) {
    if (run_ < UINT32_MAX) ++run_;
    return;
  }
  // What comes after it is told is the outage; up to then it counts, so that one that is hardly ever reached does not
  // go up and down for ever.
  const double counted = run_ == 0 ? 0 : std::min<double>(run_, needed());
  rounds_ += counted + 1;
  lost_ += counted;
  run_ = 0;
  if (rounds_ > kMemory) {
    rounds_ /= 2;
    lost_ /= 2;
  }
}

double LossRun::needed() const {
  return std::ceil(std::log(kOneIn) / -std::log(std::max(kLeastShare, lost_ / rounds_)));
}

}  // namespace ecmp
