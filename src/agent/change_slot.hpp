#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "config/changes.hpp"

namespace ecmp {

/// Changes of the configuration on their way to the probing loop, one at a time. The thread that has read them waits
/// until they are made, and frees them: ten thousand destinations are more than the loop has time for.
class ChangeSlot {
 public:
  /// Returns when the loop, which wake() makes turn, has made the changes; false if it never will, since it stops.
  template <typename Wake>
  bool hand_over(const std::shared_ptr<const config::Changes>& changes, Wake wake) {
    std::unique_lock lock(mutex_);
    if (stopped_) return false;
    changes_ = changes;
    busy_ = true;
    waiting_.store(true);
    wake();
    made_.wait(lock, [&] { return !busy_ || stopped_; });
    return !busy_;
  }

  // The loop's side.

  /// Mostly null, and then without a lock.
  std::shared_ptr<const config::Changes> take() {
    if (!waiting_.load()) return nullptr;
    const std::lock_guard lock(mutex_);
    waiting_.store(false);
    return std::move(changes_);
  }

  /// What was taken is made. The loop holds nothing of it any more.
  void made() {
    {
      const std::lock_guard lock(mutex_);
      busy_ = false;
    }
    made_.notify_all();
  }

  /// Any thread.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    made_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable made_;
  std::atomic<bool> waiting_ = false;
  std::shared_ptr<const config::Changes> changes_;
  bool busy_ = false;
  bool stopped_ = false;
};

}  // namespace ecmp
