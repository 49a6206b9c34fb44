#include "agent/round_log.hpp"

#include <chrono>

namespace ecmp {
namespace {

/// Rounds looked at under one lock: some 20 microseconds.
constexpr std::size_t kScan = 2048;
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
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = history_.end();
    history_.add(std::move(record));
  }
  added_.notify_all();
  return number;
}

void RoundLog::drop_destination(const std::string& name) {
  const std::lock_guard lock(mutex_);
  history_.drop_destination(name);
}

std::vector<History::Record> RoundLog::newest(const RoundFilter& filter) const {
  const std::lock_guard lock(mutex_);
  return history_.newest(filter);
}

History::Page RoundLog::read(const RoundFilter& filter, std::uint64_t from, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  return history_.read(filter, from, limit, kScan);
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
