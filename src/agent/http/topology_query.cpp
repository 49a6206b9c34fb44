#include "agent/http/topology_query.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace ecmp {
namespace {

/// More names fit into no request line; what is asked for in one request is bounded all the same.
constexpr std::size_t kMostDestinations = 256;

std::optional<Error> apply(TopologyQuery& query, const std::string& name, const std::string& value, WallTime now) {
  if (name == "destination") {
    if (std::ranges::find(query.destinations, value) != query.destinations.end()) return std::nullopt;
    if (query.destinations.size() >= kMostDestinations) return Error{"parameter destination is given too often"};
    query.destinations.push_back(value);
  } else if (name == "detail") {
    if (value != "full" && value != "summary") return wrong_parameter(name, value, "must be full or summary");
    query.detail = value == "full" ? render::TopologyWriter::Detail::full : render::TopologyWriter::Detail::summary;
  } else if (name == "limit") {
    std::size_t limit = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), limit);
    if (error != std::errc{} || end != value.data() + value.size() || limit == 0)
      return wrong_parameter(name, value, "must be a whole number from 1 on");
    query.limit = limit;
  } else if (name == "format") {
    if (value != "json" && value != "dot") return wrong_parameter(name, value, "must be json or dot");
    query.dot = value == "dot";
  } else if (name == "at") {
    query.at = parse_moment(value, now);
    if (!query.at) return wrong_parameter(name, value, kWantedMoment);
  } else {
    return Error{"parameter " + quoted_value(name) +
                 " is unknown: destination, detail, limit, format and at are there"};
  }
  return std::nullopt;
}

}  // namespace

Result<TopologyQuery> parse_topology_query(const QueryParameters& parameters, WallTime now) {
  TopologyQuery query;
  std::set<std::string_view> seen;
  for (const auto& [name, value] : parameters) {
    if (name != "destination" && !seen.insert(name).second)
      return Error{"parameter " + quoted_value(name) + " is given twice"};
    if (auto error = apply(query, name, value, now)) return *error;
  }
  if (query.at && query.destinations.size() != 1) return Error{"parameter at: one destination has to be named with it"};
  if (query.at && *query.at > now) return Error{"parameter at: is yet to come"};
  return query;
}

}  // namespace ecmp
