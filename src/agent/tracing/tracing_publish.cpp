// When snapshots are made, and when replaced ones are let go.
#include <algorithm>
#include <iterator>

#include "agent/tracing/tracing.hpp"
#include "agent/tracing/tracing_state.hpp"

namespace ecmp {
namespace {

constexpr Duration kPublishEvery = std::chrono::seconds(1);
/// What is read every few seconds at most need not be published more often than a destination's rounds bring something
/// new: each snapshot copies all its paths, and with a thousand destinations this would cost as much as the probing.
constexpr int kPublishesPerInterval = 2;
constexpr std::int64_t kPublishSpread = 16;
/// A destination where nothing happens is published now and then all the same: its old paths run out.
constexpr Duration kRepublishAfter = std::chrono::seconds(30);
/// After the last one has read figures they are kept new for so long: who reads now and then finds them new, but for
/// the first time.
constexpr Duration kReadFor = std::chrono::minutes(2);
/// While nobody reads them.
constexpr Duration kRepublishUnread = std::chrono::minutes(5);
/// Hops of the snapshots made, and of those let go, in one turn of the probing loop: some hundred microseconds at most,
/// so that no probe waits for them.
constexpr std::size_t kPublishSlice = 256;

/// What a snapshot costs to make, and to let go.
std::size_t hops_of(const DestinationSnapshot& snapshot) {
  std::size_t hops = snapshot.flows.size();
  for (const PathSnapshot& path : snapshot.paths)
    hops += path.hops.size();
  return hops;
}

}  // namespace

void Tracing::retire_a_slice() {
  kept_.look(retired_);
  for (std::size_t hops = 0; hops < kPublishSlice && !retired_.empty(); retired_.pop_back()) {
    hops += hops_of(*retired_.back());
    kept_.take(retired_.back());
  }
}

/// Somebody who reads figures for the first time after a while waits for those of all destinations.
void Tracing::look_for_readers(Instant now) {
  if (!outputs_.figures_read) return;
  if (read_until_ == Instant::max()) read_until_ = now + kReadFor;  // it has just begun
  if (outputs_.figures_read()) {
    const bool again = now >= read_until_;
    read_until_ = now + kReadFor;
    if (!again) return;
    for (const auto& traced : traced_)
      traced->behind = true;
    publish_at_once(now);
  } else if (now >= read_until_) {
    figures_new_ = false;
  }
}

void Tracing::publish_all(Instant now) {
  for (const auto& traced : traced_)
    traced->snapshot = nullptr;
  publish_next_ = 0;
  do {
    publish(now);
  } while (publish_next_ != 0);
}

/// What is published from now on begins with the next pass over all destinations, and that with the next turn of the
/// loop.
void Tracing::publish_at_once(Instant now) {
  publish_next_ = 0;
  publish_at_ = now;
  publish_changed_ = true;
}

/// How old the snapshot of a destination may become.
Duration Tracing::pause_of(const Traced& traced, Instant now) const {
  if (now < read_until_) {
    if (traced.behind) return {};
    return traced.changed ? traced.facts->interval / kPublishesPerInterval : kRepublishAfter;
  }
  const bool moved = traced.model.moved() || traced.oneway != nullptr || traced.searching != nullptr;
  return moved ? traced.facts->interval / kPublishesPerInterval : kRepublishUnread;
}

void Tracing::publish(Instant now) {
  const std::size_t size = traced_.size();
  std::size_t hops = 0;
  while (publish_next_ < size && hops < kPublishSlice) {
    Traced& traced = *traced_[publish_next_++];
    const Duration pause = pause_of(traced, now);
    if (traced.snapshot != nullptr && now - traced.published < pause) continue;
    const bool first = traced.snapshot == nullptr || traced.behind;
    if (traced.snapshot != nullptr) replaced_.push_back(std::move(traced.snapshot));
    auto oneway = traced.oneway != nullptr ? traced.oneway->snapshot(now) : nullptr;
    if (oneway != nullptr) follow_reflector(traced, *oneway);
    traced.model.set_oneway(std::move(oneway));
    traced.snapshot = traced.model.snapshot(now);
    if (!traced.first_flow) {
      auto unjudged = std::make_shared<DestinationSnapshot>(*traced.snapshot);
      unjudged->measured = unjudged->up = false;
      unjudged->unjudged = traced.not_traced();
      traced.snapshot = std::move(unjudged);
    }
    traced.changed = traced.behind = false;
    // From the second time on they are spread over the pause: a snapshot that is replaced stays until the board has the
    // new one, and not all of them are to be there twice.
    traced.published = first ? now - traced.facts->interval / kPublishesPerInterval *
                                         (static_cast<std::int64_t>(publish_next_) % kPublishSpread) / kPublishSpread
                             : now;
    publish_changed_ = true;
    hops += hops_of(*traced.snapshot);
  }
  if (publish_next_ < size) return;
  publish_next_ = 0;
  publish_at_ = now + kPublishEvery;
  figures_new_ = now < read_until_;
  if (!publish_changed_) return;
  publish_changed_ = false;
  auto snapshots = std::make_shared<Snapshots>();
  snapshots->reserve(size);
  for (const auto& traced : traced_) {
    if (traced->snapshot != nullptr) snapshots->push_back(traced->snapshot);
  }
  outputs_.snapshots(std::move(snapshots));
  retired_.insert(retired_.end(), std::make_move_iterator(replaced_.begin()), std::make_move_iterator(replaced_.end()));
  replaced_.clear();
}

}  // namespace ecmp
