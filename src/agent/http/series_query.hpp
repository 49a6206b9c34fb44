#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "agent/http/paths_query.hpp"
#include "path/history/timeline.hpp"

namespace ecmp {

/// What a request for /series asks for.
struct SeriesQuery {
  static constexpr std::uint32_t kMostSteps = 11'000;

  std::string destination;
  WallTime from;
  WallTime to;
  std::optional<Duration> step;
  bool flows = false;  ///< also which flow was on which path
};

/// Understands destination, from, to, step and flows, each at most once; without them it is the hour before `now`. The
/// error is one line that names the parameter and what is wrong with it.
Result<SeriesQuery> parse_series_query(const QueryParameters& parameters, WallTime now);

/// The steps of an answer: whole multiples of the step since 1970, so that two answers have the same ones. Without a
/// step in the query it is the interval of the destination, or longer where there were more than a thousand. `least`
/// is the shortest that there are figures for.
TimelineSteps steps_of(const SeriesQuery& query, Duration interval, Duration least);

/// What a request for /overview asks for.
struct OverviewQuery {
  static constexpr std::uint32_t kMostColumns = 1'000;

  WallTime from;
  WallTime to;
  std::uint32_t columns = 144;                               ///< at most
  std::optional<std::pair<std::string, std::string>> label;  ///< only destinations with it
};

/// Understands from, to, columns and label, each at most once; without them it is the day before `now`.
Result<OverviewQuery> parse_overview_query(const QueryParameters& parameters, WallTime now);

/// Whole minutes, no more than the query's columns.
TimelineSteps columns_of(const OverviewQuery& query);

}  // namespace ecmp
