#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/check.hpp"

namespace ecmp {

/// A queue in one piece of memory, which is kept as it empties and fills again: where as many leave as come it
/// allocates nothing, as std::deque does all the time. Items that have left are as new ones.
template <typename T>
class Ring {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }

  T& operator[](std::size_t at) {
    ECMP_CHECK(at < size_);
    return items_[place(at)];
  }
  const T& operator[](std::size_t at) const {
    ECMP_CHECK(at < size_);
    return items_[place(at)];
  }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }

  T& push_back(T item) {
    if (size_ == items_.size()) grow();
    return items_[place(size_++)] = std::move(item);
  }
  void pop_front() {
    ECMP_CHECK(size_ > 0);
    items_[first_] = T();
    first_ = place(1);
    --size_;
  }

 private:
  [[nodiscard]] std::size_t place(std::size_t at) const { return (first_ + at) & (items_.size() - 1); }

  void grow() {
    constexpr std::size_t kLeast = 8;
    std::vector<T> larger(std::max(kLeast, 2 * items_.size()));
    for (std::size_t at = 0; at < size_; ++at)
      larger[at] = std::move(items_[place(at)]);
    items_ = std::move(larger);
    first_ = 0;
  }

  std::vector<T> items_;  ///< a power of two of them, or none
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace ecmp
