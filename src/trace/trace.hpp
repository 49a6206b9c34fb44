#pragma once

#include "trace/trace_options.hpp"

namespace ecmp {

/// Does what was asked for, until it is over or a signal ends it. Returns the exit status; what went wrong has been
/// told on standard error.
int run_trace(const TraceRequest& request);

}  // namespace ecmp
