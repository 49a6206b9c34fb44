#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/history/history_files.hpp"
#include "agent/history/path_names_file.hpp"
#include "agent/tracing/board.hpp"
#include "base/result.hpp"
#include "path/history/rollup_codec.hpp"

namespace ecmp {

/// The history on disk. The probing loop hands over rounds and events and never waits; a thread of its own writes them
/// twice a second, so that a process that is killed loses no more than that; readers on any thread take what they want.
/// When the disk is full, broken or gone, this is said once and counted, and tried again and again: what could not be
/// written is in memory as long as that reaches.
class HistoryStore {
 public:
  struct Options {
    std::string directory;
    Duration retention{};
    std::uint64_t max_size = 0;  ///< of the files of rounds and events, in bytes
    Duration rollup_retention = std::chrono::hours(24) * 30;
    std::uint64_t rollup_max_size = std::uint64_t{1} << 30;  ///< of those of roll-ups, in bytes
  };

  /// Takes the directory, which is made if it is not there. The error is one line: another process has it, or a newer
  /// program wrote it. A directory that cannot be used for another reason is tried again later.
  static Result<std::unique_ptr<HistoryStore>> open(Options options);
  HistoryStore(const HistoryStore&) = delete;
  HistoryStore& operator=(const HistoryStore&) = delete;
  ~HistoryStore() { stop(); }

  using SnapshotSource = std::function<std::shared_ptr<const Snapshots>()>;
  /// The paths of `snapshots` keep their names.
  void start(SnapshotSource snapshots);
  /// Writes what it still has.
  void stop();

  /// Before start(): what numbers of this run begin with, the newest events there are, and how paths were called.
  [[nodiscard]] std::uint64_t first_round() const { return first_round_; }
  [[nodiscard]] std::uint64_t first_event() const { return first_event_; }
  std::vector<std::shared_ptr<const PathEvent>> newest_events(std::size_t at_most);
  [[nodiscard]] const PathNames& path_names() const { return names_.begun_with(); }

  // By the probing loop. Numbers rise.
  void add(std::uint64_t number, History::Record record);
  void add(std::uint64_t number, std::shared_ptr<const PathEvent> event);

  // By any thread.
  /// Roll-ups of minutes that are over. They are numbered when they are written.
  void add(std::vector<Rollup> rollups);
  void set_limits(Duration retention, std::uint64_t max_size);
  void set_rollup_limits(Duration retention, std::uint64_t max_size);

  /// A step of a reader, see HistoryFiles::read(). Items are in order, those of a retention that is over left out.
  template <typename Item>
  struct Step {
    bool done = false;
    std::vector<Item> items;
  };
  Step<StoredRound> read_rounds(HistoryPlace& place, RoundFilter filter, std::uint64_t below);
  Step<StoredEvent> read_events(HistoryPlace& place, RoundFilter filter, std::uint64_t below);
  Step<StoredRollup> read_rollups(HistoryPlace& place, RoundFilter filter, std::uint64_t below);

  /// Whether what was handed over with a number below is written, or lost. Waits for it until the deadline.
  bool settled(HistoryKind kind, std::uint64_t below, Instant deadline) const;

  struct Report {
    std::uint64_t bytes = 0;
    std::uint64_t files = 0;
    std::optional<WallTime> oldest;  ///< of rounds and events
    std::uint64_t damaged = 0;
    std::uint64_t errors = 0;
    std::uint64_t dropped_queue_full = 0;
    std::uint64_t dropped_not_written = 0;
    bool failing = false;
  };
  [[nodiscard]] Report report() const;

 private:
  struct Queue {
    std::vector<StoredRound> rounds;
    std::vector<StoredEvent> events;
    std::vector<Rollup> rollups;
    std::uint64_t rounds_end = 0;  ///< above all numbers that were handed over
    std::uint64_t events_end = 0;
  };
  struct Unusable {
    Error error;
    bool for_good = false;
  };

  explicit HistoryStore(Options options);

  std::optional<Unusable> take_directory();
  void run();
  void write(Queue& taken);
  bool ready(Instant now);
  void upkeep(Instant now);
  void fail(const Error& error);
  void recovered();
  void close();
  [[nodiscard]] HistoryFiles::Limits limits(HistoryKind kind) const;
  [[nodiscard]] RoundFilter kept(RoundFilter filter, Duration retention) const;
  template <typename Item, typename Decode>
  Step<Item> read(HistoryFiles& files, Duration retention, HistoryPlace& place, RoundFilter filter, std::uint64_t below,
                  const Decode& decode);
  std::vector<StoredRollup> numbered(std::vector<Rollup> rollups);
  [[nodiscard]] WallTime believed_now() const;
  void watch_clock();

  const std::string directory_;
  SnapshotSource snapshots_;
  std::atomic<std::int64_t> retention_;
  std::atomic<std::uint64_t> max_size_;
  std::atomic<std::int64_t> rollup_retention_;
  std::atomic<std::uint64_t> rollup_max_size_;
  HistoryFiles rounds_, events_, rollups_;
  PathNamesFile names_;
  net::FileDescriptor lock_;
  std::uint64_t first_round_ = 0, first_event_ = 0;

  /// What CLOCK_MONOTONIC lacks to a civil time that is believed, in nanoseconds.
  std::atomic<std::int64_t> believed_offset_ = 0;

  // Of the writing thread.
  std::int64_t seen_offset_ = 0;  ///< the same of the clock as it is
  Instant seen_since_{};          ///< since when it has not jumped
  std::uint64_t next_rollup_ = 0;
  bool open_ = false;
  Instant retry_at_{}, upkeep_at_{}, sync_at_{};

  // Each part of the queue has a lock of its own, that of the rounds only for the probing loop and the writing thread:
  // others have a low priority, and could hold a lock for as long as there is no processor for them.
  std::mutex mutex_, events_mutex_, rollups_mutex_;
  std::condition_variable changed_;
  Queue queue_;
  std::atomic<std::uint64_t> dropped_queue_full_ = 0;
  std::atomic<bool> stop_ = false;
  mutable std::mutex report_mutex_;  ///< of the next three; never the loop's
  mutable std::condition_variable settled_;
  std::uint64_t settled_rounds_ = 0, settled_events_ = 0;
  Report report_;
  std::thread thread_;
};

}  // namespace ecmp
