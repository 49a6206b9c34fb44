#include "path/model/sightings.hpp"

#include <algorithm>

namespace ecmp {

void Sightings::note(std::size_t ttl, const IpAddress& responder, Instant now, Duration memory, const InUse& in_use) {
  if (by_ttl_.size() <= ttl) by_ttl_.resize(ttl + 1);
  std::vector<Sighting>& seen = by_ttl_[ttl];
  const auto at = std::ranges::find(seen, responder, &Sighting::responder);
  if (at != seen.end()) {
    if (now - at->last > memory && !in_use(ttl, responder)) {
      at->since = now;
      at->former = IpAddress();
    }
    at->last = std::max(at->last, now);
  } else if (seen.size() < kPerTtl) {
    seen.push_back({responder, now, now, {}});
  } else {
    *std::ranges::min_element(seen, {}, &Sighting::last) = {responder, now, now, {}};
  }
}

void Sightings::forget(std::size_t ttl, const IpAddress& responder) {
  if (ttl < by_ttl_.size())
    std::erase_if(by_ttl_[ttl], [&](const Sighting& sighting) { return sighting.responder == responder; });
}

const Sightings::Sighting* Sightings::find(std::size_t ttl, const IpAddress& responder) const {
  if (ttl >= by_ttl_.size()) return nullptr;
  const auto at = std::ranges::find(by_ttl_[ttl], responder, &Sighting::responder);
  return at != by_ttl_[ttl].end() ? &*at : nullptr;
}

Instant Sightings::since(std::size_t ttl, const IpAddress& responder) const {
  const Sighting* const sighting = find(ttl, responder);
  return sighting != nullptr ? sighting->since : Instant::max();
}

void Sightings::take_place(std::size_t ttl, const IpAddress& responder, const IpAddress& former) {
  if (ttl >= by_ttl_.size()) return;
  const auto at = std::ranges::find(by_ttl_[ttl], responder, &Sighting::responder);
  if (at != by_ttl_[ttl].end()) at->former = former;
}

IpAddress Sightings::former(std::size_t ttl, const IpAddress& responder) const {
  const Sighting* const sighting = find(ttl, responder);
  return sighting != nullptr ? sighting->former : IpAddress();
}

}  // namespace ecmp
