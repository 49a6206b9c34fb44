#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "path/model/snapshot.hpp"

namespace ecmp {

/// The newest snapshot of every destination, by name.
using Snapshots = std::vector<std::shared_ptr<const DestinationSnapshot>>;

/// Where the probing loop leaves snapshots and everybody else reads them. What is read never changes. The loop never
/// waits for a reader, who may hold the lock and have no processor just now.
class Board {
 public:
  // By the probing loop alone.

  void put(std::shared_ptr<const Snapshots> snapshots) {
    next_ = std::move(snapshots);
    settle();
  }
  /// Puts up what found a reader in the way. To be called with every turn.
  void settle() {
    if (next_ == nullptr) return;
    {
      const std::unique_lock lock(mutex_, std::try_to_lock);
      if (!lock.owns_lock()) return;
      snapshots_.swap(next_);
    }
    next_ = nullptr;
  }

  // By any thread.

  [[nodiscard]] std::shared_ptr<const Snapshots> get() const {
    const std::lock_guard lock(mutex_);
    return snapshots_;
  }

 private:
  std::shared_ptr<const Snapshots> next_;  ///< of the probing loop; not locked
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshots> snapshots_ = std::make_shared<const Snapshots>();
};

}  // namespace ecmp
