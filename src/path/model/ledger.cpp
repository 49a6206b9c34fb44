#include "path/model/ledger.hpp"

#include <algorithm>

#include "base/sole_owner.hpp"

namespace ecmp {

void IntervalLoss::Tally::merge(const Tally& other) {
  probes = static_cast<std::uint16_t>(std::min<unsigned>(unsigned{probes} + other.probes, UINT16_MAX));
  losses = static_cast<std::uint16_t>(std::min<unsigned>(unsigned{losses} + other.losses, probes));
}

void IntervalLoss::merge(const IntervalLoss& other) {
  if (other.newest_ > newest_) {
    const IntervalLoss ours = *this;
    *this = other;
    merge(ours);
    return;
  }
  if (other.newest_ == newest_) {
    now_.merge(other.now_);
    before_.merge(other.before_);
  } else {
    before_.merge(other.now_);
    before_.merge(other.before_);
  }
}

void Ledger::observe(const Statistics::Observation& one, const Statistics::Bounds* bounds) {
  // Those of a round, or as many as ever wait: hops are reported each interval, or hardly ever.
  if (waiting_.size() == waiting_.capacity()) waiting_.reserve(waiting_.size() < kOfRound ? kOfRound : kMostWaiting);
  waiting_.push_back(one);
  if (waiting_.size() == kMostWaiting) settle(bounds);
}

/// Counts what waits, in a new copy where the one that is there has readers; with the window as it is now or as it was.
void Ledger::settle(const Statistics::Bounds* bounds, const WindowCounts* now) {
  static const Statistics nothing;
  if (is_sole_owner(statistics_)) {
    statistics_->take(waiting_.view(), bounds, now);
  } else {
    statistics_ =
        std::make_shared<Statistics>(statistics_ != nullptr ? *statistics_ : nothing, waiting_.view(), bounds, now);
  }
  const bool roomy = waiting_.capacity() > 2 * waiting_.size() + kOfRound;
  waiting_.clear();
  if (roomy) waiting_.release();
}

void Ledger::fate(const RoundPlace& place, bool lost) {
  changed_ = true;
  if (!place.histograms) return;
  intervals_.add(place.interval, lost, [&](std::uint16_t losses, std::uint16_t probes) {
    observe(Statistics::Observation::of_loss(losses, probes), place.bounds);
  });
}

void Ledger::reply(const RoundPlace& place, Duration rtt) {
  const std::uint32_t key = log_buckets::key_of(in_seconds(rtt));
  fate(place, false);
  window_.reply(place.part, rtt, key);
  if (place.histograms) observe(Statistics::Observation::of(Statistics::Kind::rtt, key, rtt), place.bounds);
}

void Ledger::jitter(const RoundPlace& place, Duration difference) {
  const std::uint32_t key = log_buckets::key_of(in_seconds(difference));
  changed_ = true;
  window_.jitter(place.part, key);
  if (!place.histograms) return;
  observe(Statistics::Observation::of(Statistics::Kind::jitter, key, difference), place.bounds);
}

void Ledger::loss(const RoundPlace& place) {
  fate(place, true);
  window_.loss(place.part);
}

void Ledger::silence(const RoundPlace& place) {
  fate(place, false);
  window_.silence(place.part);
}

void Ledger::absorb(const Ledger& other, const Statistics::Bounds* bounds) {
  if (other.statistics_ == nullptr && other.waiting_.empty() && !other.changed_) return;
  changed_ = true;
  if (other.statistics_ != nullptr) {
    auto merged = std::make_shared<Statistics>(*other.statistics_);
    if (statistics_ != nullptr) merged->merge(*statistics_);
    statistics_ = std::move(merged);
  }
  for (const Statistics::Observation& one : other.waiting_.view())
    observe(one, bounds);
  window_.merge(other.window_);
  intervals_.merge(other.intervals_);
}

void Ledger::close_intervals(const Statistics::Bounds* bounds) {
  intervals_.close([&](std::uint16_t losses, std::uint16_t probes) {
    changed_ = true;
    observe(Statistics::Observation::of_loss(losses, probes), bounds);
  });
}

void Ledger::clear_window() {
  window_ = Window();
  changed_ = true;
}

std::shared_ptr<const Statistics> Ledger::told(const RoundPlace& now) {
  intervals_.pass(now.interval, [&](std::uint16_t losses, std::uint16_t probes) {
    changed_ = true;
    observe(Statistics::Observation::of_loss(losses, probes), now.bounds);
  });
  const bool aged = window_.has_aged(now.part);
  if (aged) window_.drop_aged(now.part);
  if (statistics_ != nullptr && !changed_ && !aged) return statistics_;
  const WindowCounts counts = window_.counts(now.part);
  settle(now.bounds, &counts);
  changed_ = false;
  return statistics_;
}

}  // namespace ecmp
