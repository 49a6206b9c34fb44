#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "path/localisation/balance.hpp"
#include "path/model/event.hpp"

namespace ecmp {

/// Tells once when a destination's flows come to be spread unevenly, or by a choice that follows from another one, and
/// once when they no longer are. Pure.
class BalanceWatch {
 public:
  /// Looks at a destination anew.
  void on_snapshot(const DestinationSnapshot& snapshot, WallTime now);
  /// Forgets the destinations that were not looked at since the last time, and what was reported of them.
  void forget_gone();
  std::vector<std::shared_ptr<const PathEvent>> take_events() { return std::exchange(events_, {}); }

 private:
  struct Finding {
    EventKind kind{};
    std::uint8_t ttl = 0;
    std::shared_ptr<const EventDetail> detail;  ///< Branching or Polarisation
    WallTime begun;
    int seen = 0;
    int missed = 0;  ///< in a row
    bool reported = false;
    bool met = false;

    [[nodiscard]] bool same_place(const Finding& other) const;
  };
  struct Watched {
    std::vector<Finding> findings;
    Balance balance;           ///< of the paths and flows that
    std::uint64_t layout = 0;  ///< is a digest of
    bool looked_at = false;
  };

  static void meet(Watched& watched, Finding found, WallTime now);

  std::unordered_map<std::string, Watched> watched_;
  std::vector<std::shared_ptr<const PathEvent>> events_;
};

}  // namespace ecmp
