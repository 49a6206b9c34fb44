#include "path/statistics/flow_jitter.hpp"

#include <chrono>

namespace ecmp {

void FlowJitter::reset() {
  newest_.clear();
  smoothed_ = {};
}

std::optional<Duration> FlowJitter::compare(std::size_t place, std::uint32_t which, std::uint32_t round, Duration rtt) {
  if (place >= newest_.size()) newest_.resize(place + 1);
  Answer& newest = newest_[place];
  const Answer before = newest;
  newest = {rtt, round, which + 1};
  if (before.from != which + 1 || before.round + 1 != round) return std::nullopt;
  return std::chrono::abs(rtt - before.rtt);
}

std::optional<Duration> FlowJitter::end_to_end(std::uint32_t round, Duration rtt) {
  const std::optional<Duration> difference = compare(0, 0, round, rtt);
  if (difference) smoothed_.add(*difference);
  return difference;
}

}  // namespace ecmp
