#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "agent/one_thread.hpp"
#include "base/time.hpp"
#include "path/model/snapshot.hpp"

namespace ecmp {

/// The newest snapshot of every destination, by name.
using Snapshots = std::vector<std::shared_ptr<const DestinationSnapshot>>;

/// Where the probing loop leaves snapshots and everybody else reads them. What is read never changes. The loop never
/// waits for a reader, who may hold the lock and have no processor just now.
///
/// Who goes where is always that of now. Figures (counters, histograms, windows) are kept new as long as somebody reads
/// them; whoever is the first to read them again waits for new ones.
class Board {
 public:
  // By the probing loop alone.

  void put(std::shared_ptr<const Snapshots> snapshots) {
    next_ = std::move(snapshots);
    settle(figures_are_new_);
  }
  /// Puts up what found a reader in the way. To be called with every turn. `figures_are_new`: those of the newest
  /// snapshots are, and will be.
  void settle(bool figures_are_new = true) {
    ECMP_CHECK(owner_.is_caller());
    const bool turned = figures_are_new != std::exchange(figures_are_new_, figures_are_new);
    if (next_ == nullptr && !turned && !unsaid_) return;
    unsaid_ = true;
    {
      const std::unique_lock lock(mutex_, std::try_to_lock);
      if (!lock.owns_lock()) return;
      if (next_ != nullptr) snapshots_.swap(next_);
      new_figures_ = figures_are_new;
    }
    next_ = nullptr;
    unsaid_ = false;
    made_.notify_all();
  }

  /// Whether somebody has read figures since the last call, or waits for them.
  [[nodiscard]] bool take_read() { return read_.exchange(false); }
  // By any thread.

  /// For whoever asks where flows go, or what destinations there are.
  [[nodiscard]] std::shared_ptr<const Snapshots> get() const {
    const std::lock_guard lock(mutex_);
    return snapshots_;
  }
  /// For whoever reads figures. Waits for new ones where they were not kept new; for kPatience at most.
  [[nodiscard]] std::shared_ptr<const Snapshots> figures() const {
    read_ = true;
    std::unique_lock lock(mutex_);
    if (!new_figures_) made_.wait_for(lock, kPatience, [this] { return new_figures_; });
    return snapshots_;
  }

  static constexpr Duration kPatience = std::chrono::seconds(5);

 private:
  [[no_unique_address]] OneThread owner_;
  std::shared_ptr<const Snapshots> next_;  ///< of the probing loop; not locked
  bool figures_are_new_ = true;            ///< likewise
  bool unsaid_ = false;                    ///< likewise: readers do not know yet
  mutable std::atomic<bool> read_ = false;
  mutable std::condition_variable made_;
  mutable std::mutex mutex_;
  bool new_figures_ = true;
  std::shared_ptr<const Snapshots> snapshots_ = std::make_shared<const Snapshots>();
};

}  // namespace ecmp
