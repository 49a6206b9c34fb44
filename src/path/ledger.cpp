#include "path/ledger.hpp"

#include <algorithm>

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

Statistics& Ledger::writable() {
  if (statistics_ == nullptr) {
    statistics_ = std::make_shared<Statistics>();
  } else if (told_) {
    statistics_ = std::make_shared<Statistics>(*statistics_);
  }
  told_ = false;
  return *statistics_;
}

void Ledger::fate(const RoundPlace& place, bool lost) {
  Statistics& statistics = writable();
  if (!place.histograms) return;
  intervals_.add(place.interval, lost, [&](double ratio) { statistics.observe(Statistics::Kind::loss, ratio); });
}

void Ledger::reply(const RoundPlace& place, Duration rtt) {
  fate(place, false);
  window_.reply(place.part, rtt);
  if (place.histograms) statistics_->observe(Statistics::Kind::rtt, rtt);
}

void Ledger::jitter(const RoundPlace& place, Duration difference) {
  Statistics& statistics = writable();
  window_.jitter(place.part, difference);
  if (place.histograms) statistics.observe(Statistics::Kind::jitter, difference);
}

void Ledger::loss(const RoundPlace& place) {
  fate(place, true);
  window_.loss(place.part);
}

void Ledger::silence(const RoundPlace& place) {
  fate(place, false);
  window_.silence(place.part);
}

void Ledger::absorb(const Ledger& other) {
  if (other.statistics_ == nullptr) return;
  writable().merge(*other.statistics_);
  window_.merge(other.window_);
  intervals_.merge(other.intervals_);
}

void Ledger::close_intervals() {
  intervals_.close([this](double ratio) { writable().observe(Statistics::Kind::loss, ratio); });
}

void Ledger::clear_window() {
  window_ = Window();
  if (statistics_ != nullptr) writable();
}

std::shared_ptr<const Statistics> Ledger::told(const RoundPlace& now) {
  intervals_.pass(now.interval, [this](double ratio) { writable().observe(Statistics::Kind::loss, ratio); });
  if (statistics_ == nullptr || window_.has_aged(now.part)) {
    window_.drop_aged(now.part);
    writable();
  }
  if (!told_) statistics_->window = window_.figures(now.part);
  told_ = true;
  return statistics_;
}

}  // namespace ecmp
