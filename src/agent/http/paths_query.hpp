#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "path/history/history.hpp"

namespace ecmp {

/// What a request for /paths asks for.
struct PathsQuery {
  RoundFilter filter;
  std::optional<std::size_t> limit;  ///< lines
  bool follow = false;
};

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

/// Understands the parameters destination, flow, path, since, limit, lossy and follow, each at most once. `now` is what
/// a `since` given as a duration counts back from. The error is one line that names the parameter and what is wrong
/// with it.
Result<PathsQuery> parse_paths_query(const QueryParameters& parameters, WallTime now);

/// What may stand in an error message of whatever somebody sent: in quotes, printable, not long.
std::string quoted_value(std::string_view text);

/// "parameter NAME="VALUE": WANTED".
Error wrong_parameter(std::string_view name, std::string_view value, std::string_view wanted);

/// RFC 3339 section 5.6, with any number of fractional digits and any offset; nothing else.
std::optional<WallTime> parse_time(std::string_view text);

/// A time as parse_time() reads it, or a duration such as "15m" that is counted back from `now`.
std::optional<WallTime> parse_moment(std::string_view text, WallTime now);
/// What an error says of a value that parse_moment() does not read.
constexpr std::string_view kWantedMoment = "must be a time such as 2026-01-01T00:00:00Z or a duration such as 15m";

}  // namespace ecmp
