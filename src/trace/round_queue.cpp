#include "trace/round_queue.hpp"

#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "base/check.hpp"

namespace ecmp {

RoundQueue::RoundQueue(WhenFull when_full) : when_full_(when_full), ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!ready_.valid()) throw std::system_error(errno, std::generic_category(), "cannot open an eventfd");
}

void RoundQueue::signal() {
  const std::uint64_t once = 1;
  (void)!::write(ready_.get(), &once, sizeof once);
}

void RoundQueue::push(std::shared_ptr<const RoundRecord> record) {
  std::unique_lock lock(mutex_);
  if (when_full_ == WhenFull::wait) {
    room_.wait(lock, [this] { return records_.size() < kCapacity || closed_ || abandoned_; });
  }
  if (closed_ || abandoned_) return;
  if (records_.size() >= kCapacity) {
    ++left_out_;
    return;
  }
  records_.push_back(std::move(record));
  ECMP_CHECK(records_.size() <= kCapacity);
  if (records_.size() == 1) signal();
}

void RoundQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  room_.notify_all();
  signal();
}

void RoundQueue::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  records_.clear();
  room_.notify_all();
}

RoundQueue::Taken RoundQueue::take() {
  std::uint64_t times = 0;
  (void)!::read(ready_.get(), &times, sizeof times);
  const std::lock_guard lock(mutex_);
  Taken taken{std::exchange(records_, {}), closed_};
  room_.notify_all();
  return taken;
}

std::uint64_t RoundQueue::left_out() const {
  const std::lock_guard lock(mutex_);
  return left_out_;
}

}  // namespace ecmp
