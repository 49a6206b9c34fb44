#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "agent/http/paths_query.hpp"
#include "render/json/topology.hpp"

namespace ecmp {

/// What a request for /topology asks for.
struct TopologyQuery {
  std::vector<std::string> destinations;  ///< names, each once; empty: all
  render::TopologyWriter::Detail detail = render::TopologyWriter::Detail::full;
  std::optional<std::size_t> limit;  ///< destinations told
  bool dot = false;                  ///< for graphviz instead of JSON
  std::optional<WallTime> at;        ///< the fan of that moment, of one destination; none: as it is now
};

/// Understands destination (again and again), detail, limit, format and at, whose durations count back from `now`. The
/// error is one line that names the parameter and what is wrong with it.
Result<TopologyQuery> parse_topology_query(const QueryParameters& parameters, WallTime now);

}  // namespace ecmp
