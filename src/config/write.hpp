#pragma once

#include <string>

#include "config/config.hpp"

namespace ecmp::config {

/// The whole configuration as TOML, with every key of its tables and, of each destination, those that are not the
/// defaults of the code; before each destination a comment says where it stands. Secrets are masked. Read again it
/// gives the same, but for those secrets, and for [discovery]: what was found stands there too.
std::string to_toml(const Config& config);

}  // namespace ecmp::config
