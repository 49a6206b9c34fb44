#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "stamp/packet.hpp"

namespace ecmp {

/// Looks now and then how far the host's clock may be off, on a thread of its own, since an answer may be waited for:
/// what STAMP packets say of the times in them.
class ClockWatch {
 public:
  ~ClockWatch() { stop(); }

  void start();
  void stop();

  /// The newest look; unsynchronised before the first, and while nobody keeps the clock. Nobody looks as long as
  /// nobody reads. By any thread.
  [[nodiscard]] stamp::ErrorEstimate estimate() {
    wanted_.store(true, std::memory_order_relaxed);
    return stamp::ErrorEstimate::from_bits(bits_.load(std::memory_order_relaxed));
  }

 private:
  void run();
  void look();

  std::atomic<std::uint16_t> bits_ = stamp::kUnsynchronised.bits();
  std::atomic<bool> wanted_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;       ///< under mutex_
  std::optional<bool> logged_;  ///< of the thread: whether it was synchronised by the last line in the log
  std::thread thread_;
};

}  // namespace ecmp
