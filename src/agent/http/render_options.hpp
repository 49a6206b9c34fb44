#pragma once

#include <memory>

#include "config/config.hpp"
#include "path/statistics/statistics.hpp"
#include "render/metrics/exposition.hpp"

namespace ecmp {

/// What a configuration says about histograms, as the renderer takes it; `exact` are the classic bounds that are
/// counted.
render::HistogramOptions options_of(const config::Histograms& histograms,
                                    std::shared_ptr<const Statistics::Bounds> exact);
/// And about groups of families.
render::MetricGroups groups_of(const config::MetricGroups& groups);

}  // namespace ecmp
