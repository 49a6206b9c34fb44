#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace ecmp {

/// So many of something may be under way at once; who comes beyond that is refused, and counted.
class Slots {
 public:
  explicit Slots(int most) : most_(most) {}

  /// Null if all are taken; free again when the last copy is gone.
  static std::shared_ptr<const void> take(const std::shared_ptr<Slots>& slots) {
    if (slots->taken_.fetch_add(1) >= slots->most_) {
      slots->taken_.fetch_sub(1);
      slots->refused_.fetch_add(1);
      return nullptr;
    }
    return {slots.get(), [slots](const Slots*) { slots->taken_.fetch_sub(1); }};
  }

  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  const int most_;
  std::atomic<int> taken_ = 0;
  std::atomic<std::uint64_t> refused_ = 0;
};

}  // namespace ecmp
