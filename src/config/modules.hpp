#pragma once

#include "config/config.hpp"
#include "config/probe_keys.hpp"
#include "config/reader.hpp"

namespace ecmp::config {

/// Reads [modules.NAME] and [one_off]: what GET /probe may do. `defaults` are those of [probe].
void read_modules(TableReader& root, const ProbeKeys& defaults, Config& config);

}  // namespace ecmp::config
