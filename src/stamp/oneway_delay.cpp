#include "stamp/oneway_delay.hpp"

#include <algorithm>

namespace ecmp::stamp {
namespace {

/// A clock that is set by less looks like what the network does.
constexpr Duration kLeastStep = std::chrono::milliseconds(5);

}  // namespace

Duration RecentLeast::add(Instant at, Duration value) {
  if (!now_ || at - begun_ >= kHalf) {
    before_ = now_ && at - begun_ < 2 * kHalf ? now_ : std::nullopt;
    now_ = value;
    begun_ = at;
  }
  now_ = std::min(*now_, value);
  return before_ ? std::min(*before_, *now_) : *now_;
}

/// The round trip stays what it was while both directions jump.
bool DelayVariation::is_step(const Exchange& exchange) const {
  const Duration forward = exchange.forward() - last_->forward;
  const Duration reverse = exchange.reverse() - last_->reverse;
  const Duration jump = std::min(std::chrono::abs(forward), std::chrono::abs(reverse));
  return (forward > Duration::zero()) != (reverse > Duration::zero()) && jump >= kLeastStep &&
         std::chrono::abs(forward + reverse) < jump / 8;
}

std::optional<Variation> DelayVariation::add(const Exchange& exchange, std::uint32_t forward_path,
                                             std::uint32_t reverse_path) {
  const bool step = last_ && is_step(exchange);
  if (step || (last_ && last_->forward_path != forward_path)) forward_.reset();
  if (step || (last_ && last_->reverse_path != reverse_path)) reverse_.reset();
  last_ = Last{exchange.forward(), exchange.reverse(), forward_path, reverse_path};
  const Variation variation{exchange.forward() - forward_.add(exchange.received, exchange.forward()),
                            exchange.reverse() - reverse_.add(exchange.received, exchange.reverse())};
  if (!step) return variation;
  ++steps_;
  return std::nullopt;
}

void DelayVariation::reset() {
  forward_.reset();
  reverse_.reset();
  last_.reset();
}

std::optional<AbsoluteDelay> absolute_delay(const Exchange& exchange, Duration wall_offset, const ErrorEstimate& own,
                                            const ErrorEstimate& theirs) {
  if (!own.synchronised || !theirs.synchronised) return std::nullopt;
  // Beyond this no clock is kept, whatever it claims; and the sum has no overflow.
  constexpr Duration kMost = std::chrono::minutes(1);
  if (own.error() > kMost || theirs.error() > kMost) return std::nullopt;
  const Duration error = own.error() + theirs.error();
  const Duration forward = exchange.forward() - wall_offset;
  const Duration reverse = exchange.reverse() + wall_offset;
  if (forward < -error || reverse < -error) return std::nullopt;
  return AbsoluteDelay{std::max(forward, Duration(0)), std::max(reverse, Duration(0)), error};
}

void RelativeDelay::add(Instant at, std::uint32_t path, Duration delay) {
  const std::int64_t slot = at.time_since_epoch() / kSlot;
  if (slot != slot_) {
    if (current_.size() > 1) {
      done_ = std::move(current_);
    } else if (slot > slot_ + 6) {
      done_.clear();  // a minute without a comparison: what there was is no longer so
    }
    current_.clear();
    slot_ = slot;
  }
  const auto found = std::ranges::find(current_, path, &Least::path);
  if (found == current_.end()) {
    current_.push_back({path, delay});
  } else {
    found->delay = std::min(found->delay, delay);
  }
}

std::optional<Duration> RelativeDelay::of(std::uint32_t path) const {
  const auto found = std::ranges::find(done_, path, &Least::path);
  if (found == done_.end()) return std::nullopt;
  return found->delay - std::ranges::min_element(done_, {}, &Least::delay)->delay;
}

}  // namespace ecmp::stamp
