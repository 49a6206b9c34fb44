#pragma once

#include "agent/names/address_source.hpp"
#include "trace/trace_options.hpp"

namespace ecmp {

/// Shows `request.recording` in the form that the request asks for, and sends nothing. Returns the exit
/// status; what went wrong was said on standard error.
int run_replay(const TraceRequest& request, const AddressSources& sources);

}  // namespace ecmp
