#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "path/history/rollup.hpp"

namespace ecmp {

/// Equal steps of civil time.
struct TimelineSteps {
  WallTime begin;
  Duration step{1};
  std::uint32_t count = 0;

  [[nodiscard]] WallTime time(std::uint32_t index) const { return begin + step * index; }
  [[nodiscard]] WallTime end() const { return time(count); }
  /// None outside of them.
  [[nodiscard]] std::optional<std::uint32_t> index_of(WallTime time) const {
    if (time < begin || time >= end()) return std::nullopt;
    return static_cast<std::uint32_t>((time - begin) / step);
  }
};

/// A step of a path in which something was measured.
struct TimelineCell {
  std::uint32_t step = 0;
  std::uint32_t flows = 0;  ///< out of roll-ups: the most of a minute
  std::uint64_t probes = 0;
  std::uint64_t losses = 0;
  std::uint64_t silences = 0;
  std::optional<RttQuantiles> rtt;
};

/// One destination over time.
struct Timeline {
  struct Path {
    std::uint32_t id = 0;
    std::vector<TimelineCell> cells;  ///< rising steps
  };
  using Moves = std::vector<std::pair<std::uint32_t, std::uint32_t>>;  ///< step and path, rising steps

  std::vector<Path> paths;               ///< by id
  std::map<std::uint16_t, Moves> flows;  ///< by source port: the path of the last round of each step
};

/// Puts rounds and roll-ups of one destination into steps. A step is made of one or the other.
class TimelineBuilder {
 public:
  explicit TimelineBuilder(const TimelineSteps& steps) : steps_(steps) {}

  void add(const std::shared_ptr<const RoundRecord>& record);
  void add(const Rollup& rollup);

  /// Of what it holds, roughly.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// All that was added. The builder is spent then.
  Timeline finish();

 private:
  struct Sample {
    std::uint32_t step = 0;
    std::uint16_t port = 0;
    bool lost = false;
    std::uint32_t silences = 0;
    Duration rtt{-1};  ///< none
  };
  struct Sum {
    TimelineCell cell;
    RollupCounts rtt;
  };
  struct Path {
    std::vector<Sample> samples;
    std::map<std::uint32_t, Sum> sums;
  };

  void count(const RoundRecord& record, std::uint32_t path);
  static void append_cells(std::vector<TimelineCell>& cells, std::vector<Sample>& samples);

  TimelineSteps steps_;
  FlowPaths flow_paths_;
  std::map<std::uint32_t, Path> paths_;
  std::map<std::uint16_t, std::map<std::uint32_t, std::uint32_t>> flows_;
  std::size_t bytes_ = 0;
};

}  // namespace ecmp
