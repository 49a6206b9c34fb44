#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace ecmp {

/// Who is due when. An entry is not taken out when its owner's plans change: the owner remembers its one valid time and
/// ignores the others as they come up, which is cheaper than a heap that can delete.
///
/// A heap of four children a node: with tens of thousands of flows it is half as deep as a binary one, and the four
/// stand in one or two lines of the cache.
class TimerQueue {
 public:
  struct Entry {
    Instant at;
    std::uint32_t flow;
  };

  void push(Instant at, std::uint32_t flow) {
    const Entry entry{at, flow};
    std::size_t hole = heap_.size();
    heap_.push_back(entry);
    while (hole > 0) {
      const std::size_t parent = (hole - 1) / kChildren;
      if (!before(entry, heap_[parent])) break;
      heap_[hole] = heap_[parent];
      hole = parent;
    }
    heap_[hole] = entry;
  }
  /// Only when not empty, as top().
  void pop() {
    const Entry last = heap_.back();
    heap_.pop_back();
    if (heap_.empty()) return;
    std::size_t hole = 0;
    while (true) {
      const std::size_t first = kChildren * hole + 1;
      if (first >= heap_.size()) break;
      const std::size_t end = std::min(first + kChildren, heap_.size());
      std::size_t least = first;
      for (std::size_t child = first + 1; child < end; ++child)
        if (before(heap_[child], heap_[least])) least = child;
      if (!before(heap_[least], last)) break;
      heap_[hole] = heap_[least];
      hole = least;
    }
    heap_[hole] = last;
  }
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] const Entry& top() const { return heap_.front(); }
  [[nodiscard]] std::size_t size() const { return heap_.size(); }

 private:
  static constexpr std::size_t kChildren = 4;
  static bool before(const Entry& a, const Entry& b) { return a.at != b.at ? a.at < b.at : a.flow < b.flow; }
  std::vector<Entry> heap_;
};

}  // namespace ecmp
