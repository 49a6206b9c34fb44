#include "agent/history/event_log.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace ecmp {
namespace {

/// Events looked at under one lock.
constexpr std::size_t kScan = 1024;

/// About what malloc takes for it.
std::size_t event_bytes(const PathEvent& event) {
  constexpr std::size_t kAllocation = 16;
  std::size_t bytes = sizeof(PathEvent) + 2 * kAllocation + event.moves.capacity() * sizeof(EventMove) + kAllocation;
  for (const EventMove& move : event.moves)
    bytes += move.flows.capacity() * sizeof(std::uint16_t) + kAllocation;
  if (event.detail != nullptr) bytes += sizeof(EventDetail) + kAllocation;
  if (const auto* const loss = event.get<LinkVerdict>()) {
    bytes += loss->links.capacity() * sizeof(LinkEnds) + 3 * kAllocation;
    bytes += (loss->reproduced_by.capacity() + loss->not_reproduced_by.capacity()) * sizeof(WitnessFlow);
  }
  if (const auto* const branching = event.get<Branching>())
    bytes += branching->next_hops.capacity() * sizeof(Branching::NextHop) + kAllocation;
  return bytes;
}

}  // namespace

void EventLog::on_round(const RoundRecord& record) {
  gathering_.on_round(record);
}

void EventLog::drop_destination(const std::string& name) {
  gathering_.drop_destination(name);
}

void EventLog::keep(Event event) {
  const std::size_t bytes = event_bytes(*event) + sizeof(Kept);
  kept_.push_back({std::move(event), bytes});
  bytes_ += bytes;
  while (bytes_ > budget_ && !kept_.empty()) {
    bytes_ -= kept_.front().bytes;
    kept_.pop_front();
    ++first_;
    ++forgotten_;
  }
}

void EventLog::begin(std::vector<Event> events, std::uint64_t next) {
  const std::lock_guard lock(mutex_);
  first_ = next - events.size();
  for (Event& event : events)
    keep(std::move(event));
}

void EventLog::maintain(Instant now) {
  std::ranges::move(gathering_.take(now), std::back_inserter(gathered_));
  if (gathered_.empty()) return;
  {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return;
    keep_all(std::exchange(gathered_, {}));
  }
  added_.notify_all();
}

void EventLog::add(std::vector<Event> events) {
  if (events.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    keep_all(std::move(events));
  }
  added_.notify_all();
}

/// With the lock held: several threads publish, and numbers must rise for whoever is told as well.
void EventLog::keep_all(std::vector<Event> events) {
  for (Event& event : events) {
    if (on_event_) on_event_(first_ + kept_.size(), event);
    keep(std::move(event));
  }
}

EventLog::Page EventLog::read(const RoundFilter& filter, std::uint64_t from, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  Page page;
  const std::uint64_t end = first_ + kept_.size();
  page.from = page.next = std::clamp(from, first_, end);
  for (std::size_t scan = kScan; page.next < end && page.events.size() < limit && scan > 0; ++page.next, --scan) {
    const Event& event = kept_[static_cast<std::size_t>(page.next - first_)].event;
    if (matches(filter, *event)) page.events.push_back({page.next, event});
  }
  return page;
}

EventLog::Start EventLog::start_of_last(const RoundFilter& filter, std::size_t count) const {
  std::uint64_t number = end();
  while (count > 0) {
    const std::lock_guard lock(mutex_);
    number = std::max(number, first_);
    for (std::size_t scan = kScan; number > first_ && count > 0 && scan > 0; --scan)
      if (matches(filter, *kept_[static_cast<std::size_t>(--number - first_)].event)) --count;
    if (number == first_) break;
  }
  return {number, count};
}

void EventLog::wait(std::uint64_t number, Instant deadline) const {
  // steady_clock is CLOCK_MONOTONIC here, as Instant is.
  const std::chrono::steady_clock::time_point until(deadline.time_since_epoch());
  std::unique_lock lock(mutex_);
  added_.wait_until(lock, until, [&] { return first_ + kept_.size() > number; });
}

std::uint64_t EventLog::first() const {
  const std::lock_guard lock(mutex_);
  return first_;
}

std::uint64_t EventLog::end() const {
  const std::lock_guard lock(mutex_);
  return first_ + kept_.size();
}

EventLog::Size EventLog::size() const {
  const std::lock_guard lock(mutex_);
  return {kept_.size(), bytes_, forgotten_};
}

}  // namespace ecmp
