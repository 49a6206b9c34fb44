#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace ecmp {

/// Who is due when. An entry is not taken out when its owner's plans change: the owner remembers its one valid time and
/// ignores the others as they come up, which is cheaper than a queue that can delete.
///
/// Most entries are of probes that are due within some ten milliseconds: these wait in the slot of their millisecond,
/// and are put in order when it comes. What is further off waits in a heap, which with tens of thousands of flows is as
/// cold as it is deep.
class TimerQueue {
 public:
  struct Entry {
    Instant at;
    std::uint32_t flow;
  };

  void push(Instant at, std::uint32_t flow) {
    const std::int64_t slot = slot_of(at);
    if (empty()) slot_ = slot;
    if (slot <= slot_) {
      due_.push({at, flow});
    } else if (slot - slot_ < std::int64_t{kSlots}) {
      const auto place = static_cast<std::size_t>(slot) % kSlots;
      slots_[place] = take({{at, flow}, slots_[place]});
      used_[place / kWord] |= std::uint64_t{1} << place % kWord;
      ++in_slots_;
    } else {
      far_.push({at, flow});
    }
  }
  /// The earliest; of one time the one of the lowest flow. Only when not empty, as pop().
  [[nodiscard]] const Entry& top() const { return due_.top(); }
  void pop() {
    due_.pop();
    if (due_.empty()) advance();
  }
  [[nodiscard]] bool empty() const { return due_.empty(); }
  [[nodiscard]] std::size_t size() const { return due_.size() + in_slots_ + far_.size(); }

 private:
  /// A heap of four children a node: half as deep as a binary one, and the four stand in one or two lines of the cache.
  class Heap {
   public:
    void push(const Entry& entry) {
      std::size_t hole = entries_.size();
      entries_.push_back(entry);
      while (hole > 0) {
        const std::size_t parent = (hole - 1) / kChildren;
        if (!before(entry, entries_[parent])) break;
        entries_[hole] = entries_[parent];
        hole = parent;
      }
      entries_[hole] = entry;
    }
    void pop() {
      const Entry last = entries_.back();
      entries_.pop_back();
      if (entries_.empty()) return;
      std::size_t hole = 0;
      while (true) {
        const std::size_t first = kChildren * hole + 1;
        if (first >= entries_.size()) break;
        const std::size_t end = std::min(first + kChildren, entries_.size());
        std::size_t least = first;
        for (std::size_t child = first + 1; child < end; ++child)
          if (before(entries_[child], entries_[least])) least = child;
        if (!before(entries_[least], last)) break;
        entries_[hole] = entries_[least];
        hole = least;
      }
      entries_[hole] = last;
    }
    [[nodiscard]] const Entry& top() const { return entries_.front(); }
    [[nodiscard]] bool empty() const { return entries_.empty(); }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

   private:
    static constexpr std::size_t kChildren = 4;
    static bool before(const Entry& a, const Entry& b) { return a.at != b.at ? a.at < b.at : a.flow < b.flow; }
    std::vector<Entry> entries_;
  };

  static constexpr int kSlotBits = 20;  ///< of nanoseconds: a slot is about a millisecond
  static constexpr std::size_t kSlots = 256;
  static constexpr std::size_t kWord = 64;

  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Node {
    Entry entry;
    std::uint32_t next = kNone;
  };
  static constexpr std::array<std::uint32_t, kSlots> none() {
    std::array<std::uint32_t, kSlots> slots{};
    slots.fill(kNone);
    return slots;
  }
  /// The number that `node` has from now on.
  std::uint32_t take(const Node& node) {
    if (free_ == kNone) {
      nodes_.push_back(node);
      return static_cast<std::uint32_t>(nodes_.size() - 1);
    }
    const std::uint32_t number = free_;
    free_ = std::exchange(nodes_[number], node).next;
    return number;
  }

  static std::int64_t slot_of(Instant at) { return at.time_since_epoch().count() >> kSlotBits; }

  /// How far ahead the next slot is that anybody waits in; kSlots if none is.
  [[nodiscard]] std::size_t next_slot() const {
    const auto here = static_cast<std::size_t>(slot_) % kSlots;
    for (std::size_t ahead = 1; ahead < kSlots;) {
      const std::size_t place = (here + ahead) % kSlots;
      const std::uint64_t rest = used_[place / kWord] >> place % kWord;
      if (rest != 0) return ahead + static_cast<std::size_t>(std::countr_zero(rest));
      ahead += kWord - place % kWord;
    }
    return kSlots;
  }

  /// Nothing is left of this slot: on to the next one in which something is due.
  void advance() {
    if (in_slots_ == 0 && far_.empty()) return;
    const std::int64_t near = in_slots_ > 0 ? slot_ + static_cast<std::int64_t>(next_slot()) : INT64_MAX;
    slot_ = far_.empty() ? near : std::min(near, slot_of(far_.top().at));
    if (slot_ == near) {
      const auto place = static_cast<std::size_t>(slot_) % kSlots;
      for (std::uint32_t at = std::exchange(slots_[place], kNone); at != kNone; --in_slots_) {
        Node& node = nodes_[at];
        due_.push(node.entry);
        at = std::exchange(node.next, std::exchange(free_, at));
      }
      used_[place / kWord] &= ~(std::uint64_t{1} << place % kWord);
    }
    for (; !far_.empty() && slot_of(far_.top().at) <= slot_; far_.pop())
      due_.push(far_.top());
  }

  Heap due_;  ///< up to the slot `slot_`; empty only when nothing waits at all
  std::int64_t slot_ = 0;
  std::array<std::uint32_t, kSlots> slots_ = none();  ///< those after it, by their number modulo kSlots
  std::array<std::uint64_t, kSlots / kWord> used_{};  ///< a bit for each of these that is not empty
  std::size_t in_slots_ = 0;
  std::vector<Node> nodes_;  ///< lists of those in one slot; all that are in none are a list as well
  std::uint32_t free_ = kNone;
  Heap far_;
};

}  // namespace ecmp
