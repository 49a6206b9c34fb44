#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/check.hpp"

namespace ecmp::net {

/// Bytes that all answers under way may hold together: those that are charged for each, and old states of what is told
/// that only answers keep alive, which somebody else measures.
class ByteBudget {
 public:
  using Token = std::shared_ptr<const void>;

  explicit ByteBudget(std::uint64_t limit) : limit_(limit) {}

  void set_limit(std::uint64_t limit) { limit_.store(limit); }
  /// What answers keep alive besides what was charged for them.
  void set_kept(std::uint64_t bytes) { kept_.store(bytes); }

  /// Null: that would be too much, and is counted. Given back with the last copy.
  static Token take(const std::shared_ptr<ByteBudget>& budget, std::uint64_t bytes) {
    const std::uint64_t before = budget->charged_.fetch_add(bytes);
    if (before + bytes + budget->kept_.load() > budget->limit_.load()) {
      budget->charged_.fetch_sub(bytes);
      budget->refused_.fetch_add(1);
      return nullptr;
    }
    return {budget.get(), [budget, bytes](const ByteBudget*) {
              [[maybe_unused]] const std::uint64_t charged = budget->charged_.fetch_sub(bytes);
              ECMP_CHECK(charged >= bytes);
            }};
  }

  [[nodiscard]] std::uint64_t used() const { return charged_.load() + kept_.load(); }
  [[nodiscard]] bool exceeded() const { return used() > limit_.load(); }
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(); }

 private:
  std::atomic<std::uint64_t> limit_;
  std::atomic<std::uint64_t> charged_ = 0;
  std::atomic<std::uint64_t> kept_ = 0;
  std::atomic<std::uint64_t> refused_ = 0;
};

}  // namespace ecmp::net
