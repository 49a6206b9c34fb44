#pragma once

#include <cstdint>
#include <string>

#include "path/model/event.hpp"
#include "render/hop_names.hpp"

namespace ecmp::render {

/// Appends an event as one line of JSON with its newline; docs/http.md has its fields. `id` is its number in the log.
void append_event(std::string& out, const PathEvent& event, std::uint64_t id, const HopNames& names);

}  // namespace ecmp::render
