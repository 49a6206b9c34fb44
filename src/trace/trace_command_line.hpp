#pragma once

#include <string>
#include <variant>

#include "agent/command_line.hpp"
#include "trace/trace_options.hpp"

namespace ecmp {

/// Reads the arguments of ecmp_trace, argv[0] being its name. Ends early with 0 after --help and --version, with 1 when
/// values are wrong or contradict each other (as ETR), with 2 when the arguments cannot be understood.
std::variant<TraceRequest, EarlyExit> parse_trace_command_line(int argc, const char* const* argv);

/// What --help prints.
std::string trace_help();

}  // namespace ecmp
