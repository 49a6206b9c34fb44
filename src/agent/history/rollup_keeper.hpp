#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "agent/history/history_store.hpp"
#include "agent/history/rollup_log.hpp"
#include "agent/history/round_log.hpp"

namespace ecmp {

/// Makes roll-ups beside the probing loop: a thread of low priority that reads the rounds from the log, as a reader of
/// /paths does. Minutes that are over go to memory and, where there is a disk, to the thread that writes it. After a
/// restart memory begins with what the disk has of the last day.
class RollupKeeper {
 public:
  struct Sources {
    const RoundLog* rounds = nullptr;
    RollupLog* log = nullptr;
    HistoryStore* store = nullptr;  ///< null: nothing is on disk
  };

  explicit RollupKeeper(const Sources& sources) : sources_(sources) {}
  ~RollupKeeper() { stop(); }
  RollupKeeper(const RollupKeeper&) = delete;
  RollupKeeper& operator=(const RollupKeeper&) = delete;

  void start();
  /// Closes what is under way, so that the disk has it. Before the store stops.
  void stop();

 private:
  void run(const std::stop_token& stop);
  void load(const std::stop_token& stop);
  void read_rounds(const std::stop_token& stop);
  void close(WallTime before);

  Sources sources_;
  RollupBuilder builder_;
  std::uint64_t next_ = 0;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace ecmp
