#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "path/history/rollup.hpp"
#include "path/history/timeline.hpp"

namespace ecmp {

/// Bytes for roll-ups: up to half as many as rounds take, besides.
constexpr std::size_t rollup_budget(std::uint64_t history_memory) {
  return static_cast<std::size_t>(history_memory / 2);
}

/// Roll-ups in memory, within a budget of bytes. The oldest histograms go first, so that counts, which take little
/// where little changes, reach further back. One thread adds, any reads; the probing loop does neither.
class RollupLog {
 public:
  explicit RollupLog(std::size_t budget_bytes) : budget_(budget_bytes) {}

  void set_budget(std::size_t bytes);

  /// Minutes that are over. Those of a minute that is there already are added to it by whoever reads them.
  void add(const std::vector<Rollup>& closed);
  /// Minutes that are under way, instead of those that were. Only overview_of() tells of them.
  void set_open(std::vector<Rollup> open);

  /// Those of a destination that begin within [from, to), by path and then time within some hours. Such whose histogram
  /// is forgotten have none.
  [[nodiscard]] std::vector<Rollup> read(const std::string& destination, WallTime from, WallTime to) const;

  /// The earliest minute of a destination that still has its histograms.
  [[nodiscard]] std::optional<WallTime> first(const std::string& destination) const;

  /// The loss ratio of the path that lost most in each step, none where nothing was measured. Steps are whole minutes.
  using Row = std::vector<std::optional<double>>;
  [[nodiscard]] Row overview_of(const std::string& destination, const TimelineSteps& steps) const;

  struct Size {
    std::size_t bytes = 0;
    std::size_t chunks = 0;
  };
  [[nodiscard]] Size size() const;

 private:
  /// So many minutes on end with the same counts.
  struct Run {
    std::uint16_t minute = 0;  ///< of the chunk
    std::uint16_t minutes = 0;
    std::uint32_t flows = 0;
    std::uint32_t probes = 0;
    std::uint32_t losses = 0;
    std::uint32_t silences = 0;
  };
  struct Path {
    std::uint32_t id = 0;
    std::string runs;  ///< those that are over, in few bytes
    Run last;
    std::string rtt;  ///< histograms, minute by minute
  };
  /// Some hours of a destination.
  struct Chunk {
    WallTime begin;
    std::vector<Path> paths;
    std::uint16_t rtt_from = 0;  ///< the histograms of minutes before are forgotten
    std::uint16_t end = 0;       ///< behind its newest minute
  };
  using Chunks = std::deque<Chunk>;
  using Place = std::pair<std::string, WallTime>;

  static std::size_t bytes_of(const Path& path);
  void take(const Rollup& rollup);
  Chunk& chunk_of(const std::string& destination, WallTime begin);
  Chunk* find(const Place& place);
  void trim();
  /// Calls each(run) for the runs of a path, in the order in which they were added.
  template <typename Each>
  static void each_run(const Path& path, Each each);
  static void append_run(std::string& out, const Run& run);
  void forget_rtt(Chunk& chunk);
  static void read_path(std::vector<Rollup>& out, const Chunk& chunk, const Path& path, WallTime from, WallTime to);

  mutable std::mutex mutex_;
  std::size_t budget_;
  std::size_t bytes_ = 0;
  std::size_t rtt_bytes_ = 0;
  WallTime newest_{};
  std::unordered_map<std::string, Chunks> destinations_;
  std::deque<Place> with_counts_, with_rtt_;  ///< in the order in which chunks were begun
  std::unordered_map<std::string, std::vector<Rollup>> open_;
};

}  // namespace ecmp
