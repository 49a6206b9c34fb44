#pragma once

#include <string>
#include <string_view>

#include "path/oneway/oneway_snapshot.hpp"

/// JSON of what STAMP streams say: values, as in json_parts.hpp.
namespace ecmp::render {

/// "stateful", "stateless", "unknown".
std::string_view mode_name(stamp::ReflectorMode mode);

/// {"up":true,"mode":"stateful","clock":"unsynchronised","clock_error_ns":null,"restarts":0}; "up" may be
/// null.
void append_reflector(std::string& out, const ReflectorSnapshot& reflector);

/// {"forward":{...},"reverse":{...},"unresolved":{...},"reverse_path":"...","reverse_routers":[...]}: packets, losses,
/// reordered, duplicates.
void append_oneway_flow(std::string& out, const OnewayFlowSnapshot& flow);

/// {"forward":{...},"reverse":{...},"unresolved":{...}}: packets, losses, window, relative_delay_ns. `there` says what
/// is known of the way there, `back` of the way back; null: nothing, and its figures are null.
void append_oneway_path(std::string& out, const OnewayPathSnapshot* there, const OnewayPathSnapshot* back);

/// What a round says: reflector, flow and path.
void append_oneway_round(std::string& out, const OnewayRound& round);

}  // namespace ecmp::render
