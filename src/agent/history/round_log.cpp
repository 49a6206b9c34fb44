#include "agent/history/round_log.hpp"

#include <chrono>
#include <utility>

namespace ecmp {
namespace {

/// Rounds taken in under one lock.
constexpr std::size_t kSettle = 64;
/// Rounds forgotten under one lock: about as long.
constexpr std::size_t kForget = 64;

}  // namespace

void RoundLog::set_budget(std::size_t bytes) {
  for (bool kept = false; !kept;) {
    const std::lock_guard lock(mutex_);
    history_.set_budget(bytes);
    kept = history_.trim(kForget);
  }
}

std::uint64_t RoundLog::add(History::Record record) {
  later({std::move(record), {}});
  return next_number_++;
}

void RoundLog::drop_destination(const std::string& name) {
  later({nullptr, name});
}

void RoundLog::later(Waiting waiting) {
  waiting_.push_back(std::move(waiting));
  settle();
}

void RoundLog::settle() {
  ECMP_CHECK(owner_.is_caller());
  if (waiting_.empty()) return;
  {
    std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) {
      if (waiting_.size() < kMostWaiting) return;
      lock.lock();
    }
    if (spare_ == nullptr) spare_ = history_.take_spare();
    for (std::size_t done = 0; done < kSettle && !waiting_.empty(); ++done, waiting_.pop_front()) {
      Waiting& first = waiting_.front();
      if (first.record != nullptr) {
        history_.add(std::move(first.record));
      } else {
        history_.drop_destination(first.gone);
      }
    }
  }
  added_.notify_all();
}

History::NewestPage RoundLog::newest(const RoundFilter& filter, std::string_view after, std::uint64_t before) const {
  const std::lock_guard lock(mutex_);
  return history_.newest(filter, after, before, kPage);
}

History::Page RoundLog::read(const RoundFilter& filter, std::uint64_t from, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  return history_.read(filter, from, limit, kPage);
}

void RoundLog::wait(std::uint64_t sequence, Instant deadline) const {
  // steady_clock is CLOCK_MONOTONIC here, as Instant is.
  const std::chrono::steady_clock::time_point until(deadline.time_since_epoch());
  std::unique_lock lock(mutex_);
  added_.wait_until(lock, until, [&] { return history_.end() > sequence; });
}

std::uint64_t RoundLog::first() const {
  const std::lock_guard lock(mutex_);
  return history_.first();
}

std::uint64_t RoundLog::end() const {
  const std::lock_guard lock(mutex_);
  return history_.end();
}

RoundLog::Size RoundLog::size() const {
  const std::lock_guard lock(mutex_);
  return {history_.end() - history_.first(), history_.bytes(), history_.forgotten()};
}

}  // namespace ecmp
