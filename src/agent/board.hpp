#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "path/snapshot.hpp"

namespace ecmp {

/// The newest snapshot of every destination, by name.
using Snapshots = std::vector<std::shared_ptr<const DestinationSnapshot>>;

/// Where the probing loop leaves snapshots and everybody else reads them. What is read never changes.
class Board {
 public:
  void put(std::shared_ptr<const Snapshots> snapshots) {
    const std::lock_guard lock(mutex_);
    snapshots_.swap(snapshots);
  }
  [[nodiscard]] std::shared_ptr<const Snapshots> get() const {
    const std::lock_guard lock(mutex_);
    return snapshots_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshots> snapshots_ = std::make_shared<const Snapshots>();
};

}  // namespace ecmp
