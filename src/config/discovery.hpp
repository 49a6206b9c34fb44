#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.hpp"

namespace ecmp::config {

/// A destination from elsewhere, and where it stands there.
struct Found {
  Destination destination;
  std::string origin;  ///< "file:line:column"
};

/// All destinations of one file or answer, or all that is wrong with it, never empty.
using FoundOutcome = std::variant<std::vector<Found>, std::vector<Problem>>;

/// A TOML text with [[destination]] tables and nothing else. `source` is what places are named by.
FoundOutcome parse_destinations(std::string_view text, std::string_view source, const Config& base);

/// A JSON text in the form of Prometheus' file_sd and http_sd: `[{"targets": ["host", ...], "labels": {...}}, ...]`.
/// A target is a host as in `host`, or "host:port". Labels become labels of the destination, but for those that begin
/// with "__": "__ecmp_KEY" is KEY of [[destination]], others are for Prometheus and left out, as it does.
FoundOutcome parse_targets(std::string_view text, std::string_view source, const Config& base);

}  // namespace ecmp::config
