#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "path/history/timeline.hpp"
#include "path/model/snapshot.hpp"

namespace ecmp::render {

/// RFC 3339, UTC; a fraction only where there is one: "2026-01-01T00:00:00Z".
void append_short_time(std::string& out, WallTime time);

/// The answer of GET /series, piece by piece: docs/http.md has its fields. Steps without a measurement are null.
class SeriesWriter {
 public:
  SeriesWriter(std::string destination, const TimelineSteps& steps, Timeline timeline, bool flows)
      : destination_(std::move(destination)), steps_(steps), timeline_(std::move(timeline)), flows_(flows) {}

  /// Appends the next piece; false if that was the last one.
  bool next(std::string& out);

 private:
  /// Numbers of one path, or the paths of one flow.
  struct List {
    std::string before;
    std::string after;
    std::size_t path = 0;
    int column = 0;  ///< -1: times; kFlow: of a flow
    const Timeline::Moves* moves = nullptr;
  };
  void plan();
  void append_item(std::string& out, const List& list);

  std::string destination_;
  TimelineSteps steps_;
  Timeline timeline_;
  bool flows_;
  bool planned_ = false;
  std::vector<List> lists_;
  std::size_t list_ = 0;
  std::uint32_t step_ = 0;
  std::size_t cell_ = 0;  ///< of the list, the first at step_ or behind it
};

/// One row of GET /overview: a destination, and the loss ratio of its worst path in each column.
struct OverviewRow {
  std::shared_ptr<const DestinationFacts> facts;
  std::vector<std::optional<double>> loss;
};

/// Worst first: by what was lost last, then by the mean of all columns, then by name.
void sort_worst_first(std::vector<OverviewRow>& rows);

void append_overview_head(std::string& out, const TimelineSteps& columns);
void append_overview_row(std::string& out, const OverviewRow& row, bool first);

}  // namespace ecmp::render
