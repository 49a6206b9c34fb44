#pragma once

#include <string_view>

#include "sim/scenario.hpp"

namespace ecmp::sim {

/// tests/sim/scenarios/NAME.toml. Throws std::runtime_error with the error's text: a scenario of ours that cannot be
/// read fails the test.
Scenario load_scenario(std::string_view name);

}  // namespace ecmp::sim
