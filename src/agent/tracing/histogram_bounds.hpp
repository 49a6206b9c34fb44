#pragma once

#include <memory>

#include "config/config.hpp"
#include "path/statistics/statistics.hpp"

namespace ecmp {

/// The classic bounds of a configuration, and before them, with the numbers that they have, those of `before` (may be
/// null). The same for the same arguments.
std::shared_ptr<const Statistics::Bounds> with_bounds(const Statistics::Bounds* before,
                                                      const config::Histograms& histograms);

}  // namespace ecmp
