#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "path/model/round_record.hpp"

namespace ecmp {

/// Finds out which path rounds of one destination count for: a round whose path is not confirmed counts for the one
/// that its flow's next round is sure of (see PathVerdict::unconfirmed). Rounds of a flow come in order.
class FlowPaths {
 public:
  using Record = std::shared_ptr<const RoundRecord>;

  /// Calls each(record, path) for the rounds whose path is known now.
  template <typename Each>
  void add(const Record& record, Each each) {
    std::vector<Record>& held = held_[record->flow_index];
    if (record->verdict.unconfirmed && held.size() < kMostHeld) {
      held.push_back(record);
      return;
    }
    for (const Record& earlier : held)
      each(*earlier, record->verdict.path);
    held.clear();
    each(*record, record->verdict.path);
  }

  /// The same for rounds that began before `before` and wait still: they count for the path that they were on so far.
  template <typename Each>
  void release(WallTime before, Each each) {
    for (auto& [flow, held] : held_) {
      std::size_t old = 0;
      for (; old < held.size() && held[old]->wall(held[old]->round.started) < before; ++old)
        each(*held[old], held[old]->verdict.path);
      held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(old));
    }
  }

  /// Whether rounds wait.
  [[nodiscard]] bool any() const {
    for (const auto& [flow, held] : held_)
      if (!held.empty()) return true;
    return false;
  }

 private:
  /// A change is confirmed by the second round, by default.
  static constexpr std::size_t kMostHeld = 16;

  std::unordered_map<std::uint32_t, std::vector<Record>> held_;  ///< by flow
};

}  // namespace ecmp
