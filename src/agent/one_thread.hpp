#pragma once

#include "base/check.hpp"

#ifndef NDEBUG
#include <atomic>
#include <thread>
#endif

namespace ecmp {

/// A rule of the form "by the probing loop alone": ECMP_CHECK(owner_.is_caller()) in what only one thread may call. The
/// first caller is that thread. Costs nothing in release.
class OneThread {
 public:
#ifdef NDEBUG
  static constexpr bool is_caller() { return true; }
#else
  [[nodiscard]] bool is_caller() {
    std::thread::id expected;
    const std::thread::id caller = std::this_thread::get_id();
    return owner_.compare_exchange_strong(expected, caller) || expected == caller;
  }

 private:
  std::atomic<std::thread::id> owner_;
#endif
};

}  // namespace ecmp
