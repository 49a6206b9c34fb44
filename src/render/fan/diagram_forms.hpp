#pragma once

#include <string>

#include "path/model/snapshot.hpp"
#include "render/fan/fan.hpp"
#include "render/hop_names.hpp"

namespace ecmp::render {

/// What a diagram is drawn from.
struct DiagramSource {
  const DestinationSnapshot& snapshot;
  const Fan& fan;
  const HopNames& names;
};

void append_text_diagram(std::string& out, const DiagramSource& source, bool utf8);
void append_dot(std::string& out, const DiagramSource& source);
void append_svg(std::string& out, const DiagramSource& source);

}  // namespace ecmp::render
