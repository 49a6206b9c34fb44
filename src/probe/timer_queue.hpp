#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace ecmp {

/// Who is due when. An entry is not taken out when its owner's plans change: the owner remembers its one valid time and
/// ignores the others as they come up, which is cheaper than a heap that can delete.
class TimerQueue {
 public:
  struct Entry {
    Instant at;
    std::uint32_t flow;
  };

  void push(Instant at, std::uint32_t flow) {
    heap_.push_back({at, flow});
    std::ranges::push_heap(heap_, later);
  }
  void pop() {
    std::ranges::pop_heap(heap_, later);
    heap_.pop_back();
  }
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] const Entry& top() const { return heap_.front(); }
  [[nodiscard]] std::size_t size() const { return heap_.size(); }

 private:
  static bool later(const Entry& a, const Entry& b) { return a.at != b.at ? a.at > b.at : a.flow > b.flow; }
  std::vector<Entry> heap_;
};

}  // namespace ecmp
