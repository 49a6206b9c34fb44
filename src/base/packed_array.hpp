#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "base/check.hpp"

namespace ecmp {

/// A sequence of plain values for whoever keeps it by the hundred thousand: sixteen bytes where a vector has 24, and
/// memory that grows to what malloc hands out anyway (16 n + 8 bytes with glibc) instead of doubling.
template <typename T>
class PackedArray {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);

 public:
  PackedArray() = default;
  PackedArray(const PackedArray& other) { assign(other.view()); }
  PackedArray(PackedArray&& other) noexcept { swap(other); }
  PackedArray& operator=(const PackedArray& other) {
    if (this != &other) assign(other.view());
    return *this;
  }
  PackedArray& operator=(PackedArray&& other) noexcept {
    PackedArray moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~PackedArray() = default;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  T& operator[](std::size_t at) {
    ECMP_CHECK(at < size_);
    return items_[at];
  }
  const T& operator[](std::size_t at) const {
    ECMP_CHECK(at < size_);
    return items_[at];
  }
  [[nodiscard]] std::span<const T> view() const { return {items_.get(), size_}; }
  [[nodiscard]] std::span<T> view() { return {items_.get(), size_}; }

  /// Makes room for so many at once.
  void reserve(std::size_t least) {
    if (least > capacity_) grow(least);
  }
  void push_back(T item) {
    if (size_ == capacity_) grow(size_ + 1);
    items_[size_++] = item;
  }
  /// Puts `with` in the place of `count` items from `at` on.
  void replace(std::size_t at, std::size_t count, std::span<const T> with) {
    ECMP_CHECK(at <= size_ && count <= size_ - at);
    const std::size_t behind = size_ - at - count;
    const std::size_t size = at + with.size() + behind;
    if (size > capacity_) grow(size);
    T* const items = items_.get();
    if (behind > 0 && with.size() != count)
      std::memmove(items + at + with.size(), items + at + count, behind * sizeof(T));
    if (!with.empty()) std::memcpy(items + at, with.data(), with.size() * sizeof(T));
    size_ = static_cast<std::uint32_t>(size);
  }
  void assign(std::span<const T> items) {
    size_ = 0;
    replace(0, 0, items);
  }
  void clear() { size_ = 0; }
  /// Gives the memory back as well.
  void release() { *this = PackedArray(); }

 private:
  void swap(PackedArray& other) noexcept {
    std::swap(items_, other.items_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  void grow(std::size_t least) {
    constexpr std::size_t kStep = 16;
    const std::size_t bytes = (least * sizeof(T) + kStep / 2 - 1) / kStep * kStep + kStep / 2;
    const std::size_t capacity = bytes / sizeof(T);
    std::unique_ptr<T[]> items(new T[capacity]);  // NOLINT(modernize-avoid-c-arrays): to be filled, not zeroed first
    if (size_ > 0) std::memcpy(items.get(), items_.get(), size_ * sizeof(T));
    items_ = std::move(items);
    capacity_ = static_cast<std::uint32_t>(capacity);
  }

  std::unique_ptr<T[]> items_;  // NOLINT(modernize-avoid-c-arrays)
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace ecmp
