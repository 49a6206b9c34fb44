#include "agent/http/series_query.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "config/config.hpp"

namespace ecmp {
namespace {

constexpr Duration kShortestStep = std::chrono::milliseconds(1);
/// The end of a step that begins in 2261, the last year that is read, still is a time.
constexpr Duration kLongestStep = std::chrono::hours(90 * 24);
/// Nobody paints more by default.
constexpr std::int64_t kDefaultSteps = 1'000;
constexpr Duration kSecond = std::chrono::seconds(1);

Duration rounded_up(Duration value, Duration unit) {
  return (value + unit - Duration(1)) / unit * unit;
}

TimelineSteps aligned(WallTime from, WallTime to, Duration step) {
  const WallTime begin(from.time_since_epoch() / step * step);
  return {.begin = begin, .step = step, .count = static_cast<std::uint32_t>((to - begin - Duration(1)) / step + 1)};
}

std::optional<Error> apply(SeriesQuery& query, const std::string& name, const std::string& value, WallTime now) {
  if (name == "destination") {
    query.destination = value;
  } else if (name == "from" || name == "to") {
    const auto time = parse_moment(value, now);
    if (!time) return wrong_parameter(name, value, kWantedMoment);
    (name == "from" ? query.from : query.to) = *time;
  } else if (name == "step") {
    query.step = config::parse_duration(value);
    if (!query.step || *query.step < kShortestStep || *query.step > kLongestStep)
      return wrong_parameter(name, value, "must be a duration such as 10s, 1ms to 90d");
  } else if (name == "flows") {
    if (value != "true" && value != "false") return wrong_parameter(name, value, "must be true or false");
    query.flows = value == "true";
  } else {
    return Error{"parameter " + quoted_value(name) + " is unknown: destination, from, to, step and flows are there"};
  }
  return std::nullopt;
}

std::optional<Error> apply(OverviewQuery& query, const std::string& name, const std::string& value, WallTime now) {
  if (name == "from" || name == "to") {
    const auto time = parse_moment(value, now);
    if (!time) return wrong_parameter(name, value, kWantedMoment);
    (name == "from" ? query.from : query.to) = *time;
  } else if (name == "columns") {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), query.columns);
    if (error != std::errc{} || end != value.data() + value.size() || query.columns == 0 ||
        query.columns > OverviewQuery::kMostColumns) {
      return wrong_parameter(name, value, "must be a whole number from 1 to 1000");
    }
  } else if (name == "label") {
    const auto colon = value.find(':');
    if (colon == std::string::npos || colon == 0) return wrong_parameter(name, value, "must be NAME:VALUE");
    query.label.emplace(value.substr(0, colon), value.substr(colon + 1));
  } else {
    return Error{"parameter " + quoted_value(name) + " is unknown: from, to, columns and label are there"};
  }
  return std::nullopt;
}

template <typename Query>
std::optional<Error> apply_all(Query& query, const QueryParameters& parameters, WallTime now) {
  std::set<std::string_view> seen;
  for (const auto& [name, value] : parameters) {
    if (!seen.insert(name).second) return Error{"parameter " + quoted_value(name) + " is given twice"};
    if (auto error = apply(query, name, value, now)) return error;
  }
  if (query.from >= query.to) return Error{"parameter from: must be before to"};
  if (query.from < WallTime{}) return Error{"parameter from: must not be before 1970"};
  return std::nullopt;
}

}  // namespace

Result<SeriesQuery> parse_series_query(const QueryParameters& parameters, WallTime now) {
  SeriesQuery query{
      .destination = {}, .from = now - std::chrono::hours(1), .to = now, .step = std::nullopt, .flows = false};
  if (auto error = apply_all(query, parameters, now)) return *error;
  if (query.destination.empty()) return Error{"parameter destination is missing"};
  if (query.step && (query.to - query.from) / *query.step >= SeriesQuery::kMostSteps)
    return Error{"parameter step: at most 11000 steps are answered"};
  return query;
}

TimelineSteps steps_of(const SeriesQuery& query, Duration interval, Duration least) {
  const Duration span = query.to - query.from;
  Duration step = query.step.value_or(std::max(interval, rounded_up(span / kDefaultSteps, kSecond)));
  step = std::max({step, least, kShortestStep});
  // What is made of minutes has the same number of them in each step.
  if (least >= kRollupStep) step = rounded_up(step, kRollupStep);
  return aligned(query.from, query.to, step);
}

Result<OverviewQuery> parse_overview_query(const QueryParameters& parameters, WallTime now) {
  OverviewQuery query{.from = now - std::chrono::hours(24), .to = now, .label = std::nullopt};
  if (auto error = apply_all(query, parameters, now)) return *error;
  return query;
}

TimelineSteps columns_of(const OverviewQuery& query) {
  const Duration least = (query.to - query.from) / query.columns;
  TimelineSteps columns = aligned(query.from, query.to, std::max(rounded_up(least, kRollupStep), kRollupStep));
  while (columns.count > query.columns)
    columns = aligned(query.from, query.to, columns.step + kRollupStep);
  return columns;
}

}  // namespace ecmp
