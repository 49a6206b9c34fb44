#pragma once

#include <memory>

#include "agent/trace_options.hpp"
#include "path/origin_table.hpp"

namespace ecmp {

/// Shows `request.recording` in the form that the request asks for, and sends nothing. `origins` may be null. Returns
/// the exit status; what went wrong was said on standard error.
int run_replay(const TraceRequest& request, const std::shared_ptr<const OriginTable>& origins);

}  // namespace ecmp
