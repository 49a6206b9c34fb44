#include "render/metrics/metric_groups.hpp"

namespace ecmp::render {

bool takes(const MetricGroups& groups, Metric metric) {
  switch (metric) {
    case Metric::flow_probes:
    case Metric::flow_replies:
    case Metric::flow_unjudged:
    case Metric::flow_path_info:
    case Metric::flow_path_changes:
    case Metric::flow_info:
    case Metric::flow_path_ordinal:
    case Metric::flow_oneway_losses:
    case Metric::flow_oneway_reordered:
    case Metric::flow_oneway_duplicates:
    case Metric::flow_reverse_path_info:
      return groups.flows;
    case Metric::path_window_loss_ratio:
    case Metric::path_window_rtt:
    case Metric::path_window_jitter:
      return groups.path_windows;
    case Metric::hop_probes:
    case Metric::hop_replies:
    case Metric::hop_losses:
    case Metric::hop_silences:
      return groups.hops;
    case Metric::hop_window_rtt:
    case Metric::hop_window_jitter:
      return groups.hop_windows;
    case Metric::link_flows:
      return groups.links;
    default:
      return true;
  }
}

}  // namespace ecmp::render
