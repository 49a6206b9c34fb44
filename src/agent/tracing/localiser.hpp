#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "agent/history/event_log.hpp"
#include "agent/history/round_log.hpp"
#include "agent/tracing/board.hpp"
#include "config/config.hpp"
#include "path/localisation/balance_watch.hpp"
#include "path/localisation/directed_localisation.hpp"
#include "path/localisation/localisation.hpp"

namespace ecmp {

/// Localisation beside the probing loop: a thread of low priority that reads the rounds from the log, as a reader of
/// /paths does, and the snapshots from the board. The loop knows nothing of it. Where the log forgets rounds before
/// they are read, they are missing from the evidence, and nothing else happens.
class Localiser {
 public:
  struct Sources {
    const Board* board = nullptr;
    const RoundLog* log = nullptr;
    EventLog* events = nullptr;
  };

  Localiser(const config::Localisation& options, Duration window, const Sources& sources);
  ~Localiser() { stop(); }
  Localiser(const Localiser&) = delete;
  Localiser& operator=(const Localiser&) = delete;

  void start();
  void stop();
  void set_window(Duration window) { window_.store(window.count()); }

  /// The newest findings; empty before the first pass, or if it is not enabled. By any thread.
  [[nodiscard]] std::shared_ptr<const LocalisationReport> report() const;

  /// Findings that began, by kind: loss_verdict, delay_verdict, imbalance, polarised.
  static constexpr std::size_t kKinds =
      static_cast<std::size_t>(EventKind::polarised) - static_cast<std::size_t>(EventKind::loss_verdict) + 1;
  [[nodiscard]] std::array<std::uint64_t, kKinds> findings() const;

 private:
  void run(const std::stop_token& stop);
  void read_rounds(const std::stop_token& stop);
  void pass();
  void publish(const std::vector<std::shared_ptr<const PathEvent>>& events);

  config::Localisation options_;
  Sources sources_;
  std::atomic<Duration::rep> window_;

  // Of the thread.
  Localisation localisation_;
  DirectedLocalisation directed_;
  BalanceWatch balance_;
  std::uint64_t next_round_ = 0;
  Duration wall_offset_{};

  mutable std::mutex mutex_;
  std::shared_ptr<const LocalisationReport> report_ = std::make_shared<const LocalisationReport>();
  std::array<std::atomic<std::uint64_t>, kKinds> findings_{};
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace ecmp
