#pragma once

#include <string>

#include "path/model/snapshot.hpp"

namespace ecmp::render {

/// What the STAMP streams of a destination's flows show of each direction, as text for a terminal: a line for every
/// flow. Nothing for a destination without streams.
void append_oneway_report(std::string& out, const DestinationSnapshot& snapshot);

}  // namespace ecmp::render
