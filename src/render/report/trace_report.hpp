#pragma once

#include <string>

#include "path/model/snapshot.hpp"
#include "path/statistics/flow_tally.hpp"
#include "render/hop_names.hpp"

namespace ecmp::render {

/// What ecmp_trace prints when it ends: the figures of all rounds, times in milliseconds. Figures of several flows at
/// one hop stand as one: counts added up, averages weighted by replies, the least of the best and the most of the
/// worst.

/// The destination, every path in use with its hops, and every flow: for people, and steady enough to be compared.
void append_trace_report(std::string& out, const DestinationFacts& facts, const DestinationTally& tally,
                         const HopNames& names);

/// The destination, and a line for each path in use.
void append_trace_summary(std::string& out, const DestinationFacts& facts, const DestinationTally& tally);

}  // namespace ecmp::render
