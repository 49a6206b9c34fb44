#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "agent/history/history_store.hpp"

namespace ecmp {

/// What a reader of rounds or events gets from the disk: all that memory has forgotten of what it wants. Holds one
/// group of items at a time.
template <typename Item>
class HistoryReader {
 public:
  static constexpr HistoryKind kKind = std::is_same_v<Item, StoredRound> ? HistoryKind::rounds : HistoryKind::events;

  HistoryReader(HistoryStore* store, const RoundFilter& filter) : store_(store), filter_(filter) {}

  /// Whether there is a disk to read from.
  [[nodiscard]] bool any() const { return store_ != nullptr; }
  [[nodiscard]] bool has_more() const { return at_ < items_.size(); }

  /// Gives `each` up to `most` items with numbers from `next` to below `below`, where memory begins, and moves `next`
  /// on, to `below` once the disk has no more. False: what is to be written yet was waited for in vain.
  template <typename Each>
  bool read(std::uint64_t& next, std::uint64_t below, std::size_t most, Instant deadline, Each each) {
    if (has_more()) {
      for (; most > 0 && has_more(); --most) {
        next = items_[at_].number + 1;
        each(items_[at_++]);
      }
      if (!has_more()) next = std::max(next, place_.next);
      return true;
    }
    // Asked before the disk is: what is on it then is all that there is.
    const bool settled = store_->settled(kKind, below, Instant{});
    place_.next = std::max(place_.next, next);
    auto step = fetch(below);
    items_ = std::move(step.items);
    at_ = 0;
    if (has_more()) return true;
    next = std::max(next, place_.next);
    if (!step.done) return true;
    if (!settled) return store_->settled(kKind, below, deadline);
    next = std::max(next, below);
    return true;
  }

 private:
  HistoryStore::Step<Item> fetch(std::uint64_t below) {
    if constexpr (kKind == HistoryKind::rounds) {
      return store_->read_rounds(place_, filter_, below);
    } else {
      return store_->read_events(place_, filter_, below);
    }
  }

  HistoryStore* store_;
  RoundFilter filter_;
  HistoryPlace place_;
  std::vector<Item> items_;
  std::size_t at_ = 0;
};

}  // namespace ecmp
