#include "net/http/fair_places.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.hpp"

namespace ecmp::net {

namespace {

/// How soon who waits sees that a place may be taken from somebody, or that the server stops.
constexpr Duration kLook = std::chrono::milliseconds(50);
/// While a connection waits for its turn nothing is done for it yet: it may give way.
class Queueing {
 public:
  explicit Queueing(ClientPlace* place) : place_(place) {
    if (place_ == nullptr) return;
    before_ = place_->stage();
    place_->enter(ClientPlace::Stage::queued);
  }
  Queueing(const Queueing&) = delete;
  Queueing& operator=(const Queueing&) = delete;
  ~Queueing() {
    if (place_ != nullptr) place_->enter(before_);
  }

 private:
  ClientPlace* place_;
  ClientPlace::Stage before_ = ClientPlace::Stage::working;
};

/// Clients that are remembered. One that is forgotten counts as one that never had a place.
constexpr std::size_t kMostRemembered = 1024;

}  // namespace

void FairPlaces::set_share(std::size_t share) {
  const std::lock_guard lock(mutex_);
  share_ = share;
}

std::uint64_t FairPlaces::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

std::uint64_t FairPlaces::evicted() const {
  const std::lock_guard lock(mutex_);
  return evicted_;
}

std::size_t FairPlaces::held_by(const IpAddress& client) const {
  return static_cast<std::size_t>(std::ranges::count(holders_, client, &Applicant::client));
}

bool FairPlaces::goes_first(const Waiter& waiter) const {
  const auto rank = [this](const Waiter& one) {
    const auto served = served_.find(one.client);
    return std::tuple(held_by(one.client), served == served_.end() ? 0 : served->second, one.number);
  };
  const auto own = rank(waiter);
  return std::ranges::none_of(waiters_, [&](const Waiter& other) { return rank(other) < own; });
}

FairPlaces::Holders::iterator FairPlaces::hold(const Applicant& applicant) {
  if (served_.size() >= kMostRemembered && !served_.contains(applicant.client)) {
    served_.erase(std::ranges::min_element(served_, {}, [](const auto& one) { return one.second; }));
  }
  ECMP_CHECK(holders_.size() < most_);
  served_[applicant.client] = next_++;
  return holders_.insert(holders_.end(), applicant);
}

bool FairPlaces::evict_slowest(const IpAddress& client, bool own_only) {
  const Instant now = monotonic_now();
  // Who was made to go is not gone yet: no more than wait for a place.
  const auto going = static_cast<std::size_t>(std::ranges::count_if(
      holders_, [](const Applicant& one) { return one.place && !one.stays && one.place->evicted(); }));
  if (going >= waiters_.size()) return false;
  const Applicant* slowest = nullptr;
  for (const Applicant& holder : holders_) {
    if (holder.place == nullptr || holder.stays || holder.place->evicted() || !holder.place->stalled(now)) continue;
    const bool own = holder.client == client;
    if (!own && (own_only || held_by(holder.client) <= held_by(client))) continue;
    if (slowest == nullptr || holder.place->rate(now) < slowest->place->rate(now)) slowest = &holder;
  }
  if (slowest == nullptr) return false;
  slowest->place->evict();
  ++evicted_;
  return true;
}

void FairPlaces::give_back(Holders::iterator holder) {
  {
    const std::lock_guard lock(mutex_);
    holders_.erase(holder);
  }
  changed_.notify_all();
}

FairPlaces::Token FairPlaces::take(const std::shared_ptr<FairPlaces>& places, const Applicant& applicant,
                                   Instant deadline, const StopSignal* stop) {
  FairPlaces& self = *places;
  std::unique_lock lock(self.mutex_);
  const bool is_short = self.holders_.size() * 4 >= self.most_ * 3;
  const auto waiter = self.waiters_.insert(self.waiters_.end(), {applicant.client, self.next_++});
  const bool bound = self.share_ > 0 && is_short && self.held_by(applicant.client) >= self.share_;
  const Queueing queueing(applicant.place.get());
  if (bound && !self.evict_slowest(applicant.client, true)) deadline = Instant{};
  for (;;) {
    if (deadline != Instant{} && self.goes_first(*waiter)) {
      if (self.holders_.size() < self.most_) {
        self.waiters_.erase(waiter);
        const auto holder = self.hold(applicant);
        self.changed_.notify_all();
        return {places.get(), [places, holder](const FairPlaces*) { places->give_back(holder); }};
      }
      self.evict_slowest(applicant.client, false);
    }
    const Instant now = monotonic_now();
    const bool over = (stop != nullptr && stop->raised()) || (applicant.place != nullptr && applicant.place->over());
    if (over || now >= deadline) break;
    const std::chrono::steady_clock::time_point until{std::min(deadline, now + kLook).time_since_epoch()};
    self.changed_.wait_until(lock, until);
  }
  self.waiters_.erase(waiter);
  ++self.refused_;
  self.changed_.notify_all();
  return nullptr;
}

}  // namespace ecmp::net
