#include "path/localisation/link_delay.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_set>

namespace ecmp {
namespace {

/// A new level that lasts for so many periods is the usual one from then on.
constexpr std::uint8_t kMostStanding = 10;
constexpr std::uint8_t kMostIdle = 3;
constexpr float kSmoothing = 0.25F;

float microseconds(Duration duration) {
  return static_cast<float>(static_cast<double>(duration.count()) / 1e3);
}

Duration from_microseconds(float value) {
  return Duration(static_cast<std::int64_t>(static_cast<double>(value) * 1e3));
}

}  // namespace

/// Algorithm R (Vitter 1985): each sample of the period is kept with the same probability.
void LinkDelays::Reservoir::add(float value, std::uint64_t& random) {
  ++seen;
  if (samples.size() < kSamples) {
    samples.push_back(value);
    return;
  }
  random = random * 6364136223846793005u + 1442695040888963407u;
  const std::uint64_t place = (random >> 33) % seen;
  if (place < kSamples) samples[place] = value;
}

LinkDelays::Median LinkDelays::Median::of(Reservoir& reservoir) {
  Median median;
  auto& samples = reservoir.samples;
  if (samples.size() >= kLeastSamples) {
    std::ranges::sort(samples);
    const Ranks ranks = median_ranks(samples.size(), kZ999);
    median = {samples[ranks.low], samples[samples.size() / 2], samples[ranks.high], reservoir.seen};
  }
  samples.clear();
  reservoir.seen = 0;
  return median;
}

/// 0 where the intervals overlap.
float LinkDelays::Median::step_from(const Median& reference) const {
  if (samples == 0 || reference.samples == 0) return 0;
  return low > reference.high || high < reference.low ? middle - reference.middle : 0;
}

void LinkDelays::add(const LinkEnds& link, Duration to_near, Duration to_far, Duration to_destination) {
  auto at = links_.find(link);
  if (at == links_.end()) {
    if (links_.size() >= kMostLinks) {
      ++left_out_;
      return;
    }
    at = links_.try_emplace(link).first;
  }
  at->second.own.add(microseconds(to_far - to_near), random_);
  at->second.rest.add(microseconds(to_destination - to_near), random_);
}

void LinkDelays::adopt(Median& usual, const Median& newest) {
  if (newest.samples == 0) return;
  if (usual.samples == 0) {
    usual = newest;
    return;
  }
  const auto blend = [](float& old, float value) { old += kSmoothing * (value - old); };
  blend(usual.low, newest.low);
  blend(usual.middle, newest.middle);
  blend(usual.high, newest.high);
}

void LinkDelays::end_period() {
  const float least = microseconds(options_.least_step);
  std::unordered_set<IpAddress> quicker;  // far ends of links that have stepped down
  for (auto& [ends, link] : links_) {
    link.newest = Median::of(link.own);
    link.newest_rest = Median::of(link.rest);
    link.idle = link.newest.samples == 0 ? static_cast<std::uint8_t>(link.idle + 1) : std::uint8_t{0};
    link.step = link.newest.step_from(link.usual_own);
    link.rest_step = link.newest_rest.step_from(link.usual_rest);
    if (link.step <= -least / 2) quicker.insert(ends.to);
    // What stands out does not become usual at once, or a step would end with the second period after it.
    const bool stands = link.step >= least && link.standing < kMostStanding;
    if (!stands) {
      if (std::abs(link.step) >= least) link.usual_own = link.usual_rest = {};  // a new level: begin anew
      adopt(link.usual_own, link.newest);
      adopt(link.usual_rest, link.newest_rest);
    }
  }
  standing_.clear();
  for (auto& [ends, link] : links_) {
    if (link.step >= least && quicker.contains(ends.from)) {
      // Its near end answers quicker than it did: that is how it is from now on.
      link.usual_own = link.newest;
      link.usual_rest = link.newest_rest;
      link.step = 0;
    }
    const bool blamed = link.step >= least && link.rest_step >= link.step / 2 && link.standing < kMostStanding;
    link.standing = link.step >= least && link.standing < kMostStanding ? static_cast<std::uint8_t>(link.standing + 1)
                                                                        : std::uint8_t{0};
    if (!blamed) continue;
    standing_.push_back({ends, from_microseconds(link.newest.middle - link.step), from_microseconds(link.newest.middle),
                         from_microseconds(link.newest.low), from_microseconds(link.newest.high), link.newest.samples});
  }
  std::erase_if(links_, [](const auto& entry) { return entry.second.idle > kMostIdle; });
  std::ranges::sort(standing_, {}, &DelayVerdict::link);
}

const std::vector<DelayVerdict>& LinkDelays::pass(Instant now) {
  if (!begun_) {
    begun_ = true;
    period_ends_ = now + options_.period;
  }
  if (now >= period_ends_) {
    end_period();
    period_ends_ = now + options_.period;
  }
  return standing_;
}

}  // namespace ecmp
