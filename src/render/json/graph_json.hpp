#pragma once

#include <string>

#include "path/localisation/link_verdict.hpp"
#include "path/model/path_graph.hpp"
#include "path/model/snapshot.hpp"
#include "render/hop_names.hpp"

namespace ecmp::render {

/// The nodes of one destination for /topology, each after a comma and a line break, or a line break where `first` says
/// so, which is false from then on.
void append_nodes(std::string& out, const DestinationSnapshot& snapshot, const HopNames& names, bool& first);

/// What no answer has shown of its paths: `graph` has its Ends apart. Between answering hops, and where paths end that
/// never reached the destination.
void append_gaps(std::string& out, const PathGraph& graph);

/// Its links; `report` null: localisation is off, and nothing of it is written.
void append_links(std::string& out, const DestinationSnapshot& snapshot, const LocalisationReport* report, bool& first);

}  // namespace ecmp::render
