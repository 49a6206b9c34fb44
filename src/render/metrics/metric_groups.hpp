#pragma once

#include "render/metrics/metric_table.hpp"

namespace ecmp::render {

/// Groups of families that a scrape has, or has not: what [metrics] switches.
struct MetricGroups {
  bool flows = true;         ///< of single flows
  bool path_windows = true;  ///< of paths, over the rolling window
  bool hops = true;          ///< counters of hops
  bool hop_windows = true;   ///< RTT and jitter of hops over the rolling window
  bool links = true;
};

/// Whether the family is in no group that is switched off.
[[nodiscard]] bool takes(const MetricGroups& groups, Metric metric);

}  // namespace ecmp::render
