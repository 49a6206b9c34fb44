#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "sim/network.hpp"

namespace ecmp::sim {

/// Reads a scenario from TOML; tests/sim/scenarios/README.md tells its words. Errors read "file:line:column: what".
Result<Scenario> parse_scenario(std::string_view text, std::string_view file);

/// tests/sim/scenarios/NAME.toml. Throws std::runtime_error with the error's text: a scenario of ours that cannot be
/// read fails the test.
Scenario load_scenario(std::string_view name);

}  // namespace ecmp::sim
