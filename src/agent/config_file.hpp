#pragma once

#include <string>
#include <variant>
#include <vector>

#include "config/config.hpp"

namespace ecmp {

/// A configuration, or the lines that say what is wrong with the file.
using LoadOutcome = std::variant<config::Config, std::vector<std::string>>;

/// Reads and checks a configuration file, of at most 64 MiB. The web configuration that it names is not read, but its
/// path is relative to this file.
LoadOutcome load_config(const std::string& path);

}  // namespace ecmp
