#pragma once

#include <memory>

#include "config/config.hpp"
#include "path/statistics.hpp"
#include "render/exposition.hpp"

namespace ecmp {

/// The classic bounds of a configuration, and before them, with the numbers that they have, those of `before` (may be
/// null). The same for the same arguments.
std::shared_ptr<const Statistics::Bounds> with_bounds(const Statistics::Bounds* before,
                                                      const config::Histograms& histograms);

/// How histograms are told, with the bounds that are exact.
render::HistogramOptions options_of(const config::Histograms& histograms,
                                    std::shared_ptr<const Statistics::Bounds> exact);

/// Which groups of metrics are told.
render::MetricGroups groups_of(const config::MetricGroups& groups);

}  // namespace ecmp
