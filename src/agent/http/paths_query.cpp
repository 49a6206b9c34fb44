#include "agent/http/paths_query.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "config/config.hpp"

namespace ecmp {
namespace {

template <typename T>
bool parse_number(std::string_view text, T& value, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

/// Takes `digits` decimal digits off the front of `text`.
bool take_digits(std::string_view& text, std::size_t digits, int& value) {
  if (text.size() < digits || !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(digits),
                                           [](char c) { return c >= '0' && c <= '9'; })) {
    return false;
  }
  parse_number(text.substr(0, digits), value);
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

/// "Z" or "+hh:mm". A plus sign that nobody escaped arrives as a space.
bool take_offset(std::string_view& text, std::chrono::minutes& offset) {
  if (take(text, "Zz")) return true;
  if (text.empty()) return false;
  const char sign = text.front();
  if (!take(text, "+- ")) return false;
  int hours = 0;
  int minutes = 0;
  if (!take_digits(text, 2, hours) || !take(text, ":") || !take_digits(text, 2, minutes)) return false;
  if (hours > 23 || minutes > 59) return false;
  offset = std::chrono::minutes((sign == '-' ? -1 : 1) * (hours * 60 + minutes));
  return true;
}

std::optional<Error> apply(PathsQuery& query, const std::string& name, const std::string& value, WallTime now) {
  if (name == "destination") {
    query.filter.destination = value;
  } else if (name == "flow") {
    std::uint16_t flow = 0;
    if (!parse_number(value, flow)) return wrong_parameter(name, value, "must be a source port, 0 to 65535");
    query.filter.flow = flow;
  } else if (name == "path") {
    std::uint32_t path = 0;
    if (value.size() != 8 || !parse_number(value, path, 16))
      return wrong_parameter(name, value, "must be 8 hex digits");
    query.filter.path = path;
  } else if (name == "since") {
    query.filter.since = parse_moment(value, now);
    if (!query.filter.since) return wrong_parameter(name, value, kWantedMoment);
  } else if (name == "limit") {
    std::size_t limit = 0;
    if (!parse_number(value, limit) || limit == 0)
      return wrong_parameter(name, value, "must be a whole number from 1 on");
    query.limit = limit;
  } else if (name == "follow" || name == "lossy") {
    if (value != "true" && value != "false") return wrong_parameter(name, value, "must be true or false");
    (name == "follow" ? query.follow : query.filter.lossy) = value == "true";
  } else {
    return Error{"parameter " + quoted_value(name) +
                 " is unknown: destination, flow, path, since, limit, lossy and follow are there"};
  }
  return std::nullopt;
}

}  // namespace

std::string quoted_value(std::string_view text) {
  constexpr std::size_t kMost = 64;
  std::string out = "\"";
  for (const char c : text.substr(0, kMost))
    out += c >= ' ' && c != 0x7f && c != '"' ? c : '?';
  return out + (text.size() > kMost ? "...\"" : "\"");
}

Error wrong_parameter(std::string_view name, std::string_view value, std::string_view wanted) {
  return {"parameter " + std::string(name) + "=" + quoted_value(value) + ": " + std::string(wanted)};
}

std::optional<WallTime> parse_moment(std::string_view text, WallTime now) {
  if (const auto duration = config::parse_duration(text)) return now - *duration;
  return parse_time(text);
}

std::optional<WallTime> parse_time(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take_digits(text, 4, year) || !take(text, "-") || !take_digits(text, 2, month) || !take(text, "-") ||
      !take_digits(text, 2, day) || !take(text, "Tt ") || !take_digits(text, 2, hour) || !take(text, ":") ||
      !take_digits(text, 2, minute) || !take(text, ":") || !take_digits(text, 2, second)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  // The years are those that nanoseconds in 64 bits can hold.
  if (!date.ok() || year < 1970 || year > 2261 || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  Duration fraction{};
  if (take(text, ".")) {
    Duration digit_worth = std::chrono::milliseconds(100);
    if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      fraction += digit_worth * (text.front() - '0');
      digit_worth /= 10;
      text.remove_prefix(1);
    }
  }
  std::chrono::minutes offset{};
  if (!take_offset(text, offset) || !text.empty()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + fraction - offset;
}

Result<PathsQuery> parse_paths_query(const QueryParameters& parameters, WallTime now) {
  PathsQuery query;
  std::set<std::string_view> seen;
  for (const auto& [name, value] : parameters) {
    if (!seen.insert(name).second) return Error{"parameter " + quoted_value(name) + " is given twice"};
    if (auto error = apply(query, name, value, now)) return *error;
  }
  return query;
}

}  // namespace ecmp
