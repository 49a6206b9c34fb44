#include "path/oneway/loss_seconds.hpp"

#include <algorithm>
#include <chrono>

namespace ecmp {
namespace {

std::int64_t number_of(Instant at) {
  return std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count();
}

}  // namespace

void LossSeconds::add(Instant sent, bool lost) {
  const std::int64_t number = number_of(sent);
  if (closed_ && number < *closed_) return;
  auto place = open_.end();
  while (place != open_.begin() && (place - 1)->number >= number)
    --place;
  if (place == open_.end() || place->number != number) place = open_.insert(place, {.number = number});
  ++place->packets;
  if (lost) ++place->lost;
}

void LossSeconds::close(Instant until) {
  const std::int64_t number = number_of(until);
  if (closed_ && number <= *closed_) return;
  closed_ = number;
  const auto rest = std::ranges::find_if(open_, [&](const Second& second) { return second.number >= number; });
  std::for_each(open_.begin(), rest, [&](const Second& second) { count(second); });
  open_.erase(open_.begin(), rest);
}

void LossSeconds::begin_anew() {
  if (available_) sum_.severe += row_;
  row_ = 0;
  available_ = true;
}

/// `row_` are the newest seconds, one after the other, that speak against `available_`. They count only once it is
/// known whether the row becomes kTurn long, and so turns `available_` from its first second on.
void LossSeconds::count(const Second& second) {
  if (counted_ && second.number - *counted_ > kLongestHole) begin_anew();
  counted_ = second.number;
  const bool severe = 2 * std::uint64_t{second.lost} > second.packets;
  if (severe == available_) {
    if (++row_ < kTurn) return;
    if (available_) sum_.unavailable += row_;
    available_ = !available_;
  } else if (available_) {
    sum_.severe += row_;
  } else {
    sum_.unavailable += row_ + 1u;  // the row did not end it
  }
  row_ = 0;
}

}  // namespace ecmp
