#pragma once

#include <memory>
#include <utility>

#include "base/ring.hpp"
#include "base/sole_owner.hpp"
#include "path/statistics/statistics.hpp"

namespace ecmp {

/// Makes windows for the rounds of a destination out of those that no round has any more: rounds are forgotten in the
/// order in which they came.
class WindowPool {
 public:
  std::shared_ptr<const PathWindow> make(const PathWindow& window) {
    // A path that is used no more keeps its last window: the one behind it may be free.
    if (made_.size() > 1 && !is_sole_owner(made_.front()) && is_sole_owner(made_[1])) {
      made_.push_back(std::move(made_.front()));
      made_.pop_front();
    }
    if (!made_.empty() && is_sole_owner(made_.front())) {
      auto oldest = std::move(made_.front());
      made_.pop_front();
      // Where the next one is free as well, fewer are in use than there were.
      if (!made_.empty() && is_sole_owner(made_.front())) made_.pop_front();
      *oldest = window;
      made_.push_back(oldest);
      return oldest;
    }
    if (made_.size() == kMost) made_.pop_front();
    auto made = std::make_shared<PathWindow>(window);
    made_.push_back(made);
    return made;
  }

  /// Windows that it looks after.
  [[nodiscard]] std::size_t size() const { return made_.size(); }

 private:
  static constexpr std::size_t kMost = 4096;

  Ring<std::shared_ptr<PathWindow>> made_;
};

}  // namespace ecmp
