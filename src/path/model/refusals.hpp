#pragma once

#include <vector>

#include "path/model/snapshot.hpp"
#include "probe/round.hpp"

namespace ecmp {

/// Refusals on the way to a destination, by reason and by who sent them. Of those beyond a bound only the reason is
/// kept.
class Refusals {
 public:
  void count(const Round& round, WallTime started);
  [[nodiscard]] const std::vector<UnreachableSnapshot>& all() const { return all_; }

 private:
  std::vector<UnreachableSnapshot> all_;
};

}  // namespace ecmp
