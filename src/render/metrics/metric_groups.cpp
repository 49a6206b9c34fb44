#include "render/metrics/metric_groups.hpp"

namespace ecmp::render {

bool takes(const MetricGroups& groups, Metric metric) {
  const MetricType type = row(metric).type;
  const bool window = row(metric).name.find("_window_") != std::string_view::npos;
  switch (subject_of(metric)) {
    case Subject::flow:
      return groups.flows;
    case Subject::path:
      return groups.path_windows || !window || is_oneway(metric);
    case Subject::hop:
      if (type == MetricType::counter) return groups.hops;
      return groups.hop_windows || type != MetricType::summary;
    case Subject::link:
      return groups.links;
    default:
      return true;
  }
}

}  // namespace ecmp::render
