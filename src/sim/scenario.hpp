#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "sim/network.hpp"

namespace ecmp::sim {

/// Reads a scenario from TOML; tests/sim/scenarios/README.md tells its words. Errors read "file:line:column: what".
Result<Scenario> parse_scenario(std::string_view text, std::string_view file);

}  // namespace ecmp::sim
