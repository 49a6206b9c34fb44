#include "agent/tracing/clock_watch.hpp"

#include <chrono>
#include <optional>
#include <sys/random.h>

#include "agent/log.hpp"
#include "net/host/clock_error.hpp"
#include "stamp/ntp_answer.hpp"

namespace ecmp {
namespace {

/// At 500 ppm, the most that the kernel steers, a clock drifts 4 ms in it.
constexpr auto kApart = std::chrono::seconds(8);
/// Until somebody wants to know.
constexpr auto kTurn = std::chrono::seconds(1);

/// For processes that may not ask the kernel.
std::optional<Duration> local_ntp_clock_error() {
  std::uint64_t nonce = 0;
  if (::getrandom(&nonce, sizeof nonce, 0) != static_cast<ssize_t>(sizeof nonce)) return std::nullopt;
  const auto exchange = net::ask_local_ntp(stamp::ntp_question(nonce));
  if (!exchange) return std::nullopt;
  return stamp::clock_error_of(exchange->answer, nonce, exchange->sent, exchange->received);
}

}  // namespace

void ClockWatch::start() {
  thread_ = std::thread([this] { run(); });
}

void ClockWatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ClockWatch::look() {
  std::optional<Duration> error = net::kernel_clock_error();
  if (!error) error = local_ntp_clock_error();
  const auto estimate = error ? stamp::ErrorEstimate::of(*error, true) : stamp::kUnsynchronised;
  bits_.store(estimate.bits(), std::memory_order_relaxed);
  if (logged_ == error.has_value()) return;
  logged_ = error.has_value();
  if (error) {
    log::info("the clock is synchronised", {{"error_seconds", std::chrono::duration<double>(*error).count()}});
  } else {
    log::info("the clock is not synchronised, or nothing says how far it is off: there are no one-way delays");
  }
}

void ClockWatch::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool wanted = wanted_.load(std::memory_order_relaxed);
    if (wanted) {
      lock.unlock();
      look();
      lock.lock();
    }
    changed_.wait_for(lock, wanted ? kApart : kTurn, [this] { return stopping_; });
  }
}

}  // namespace ecmp
