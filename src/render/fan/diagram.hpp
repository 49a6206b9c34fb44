#pragma once

#include <cstdint>
#include <string>

#include "path/model/snapshot.hpp"
#include "render/hop_names.hpp"

namespace ecmp::render {

enum class DiagramForm : std::uint8_t {
  ascii,  ///< text of ASCII characters only, whatever the names are
  utf8,   ///< the same with lines instead of |, + and `
  dot,    ///< a graph for graphviz; several one after the other are a file that it reads
  svg,    ///< a file complete in itself, light and dark as the reader's system is
};

/// Appends the fan of one destination as a picture: common hops once, branches, silent hops, loss where it begins, and
/// a table of the paths with their share of the flows. What comes from the network is escaped for each form; the same
/// snapshot and names give the same bytes.
void append_diagram(std::string& out, DiagramForm form, const DestinationSnapshot& snapshot, const HopNames& names);

}  // namespace ecmp::render
