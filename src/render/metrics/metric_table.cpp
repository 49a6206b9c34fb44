#include "render/metrics/metric_table.hpp"

#include <array>

namespace ecmp::render {

std::string_view labels_of(Subject subject) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(Subject::exporter) + 1> kLabels{
      "destination",
      "destination,reply,hop",
      "destination,flow",
      "destination,path",
      "destination,path,ttl,hop",
      "hop,name,asn,city,country,mpls",
      "destination,path,ttl,hop,kind,detail",
      "destination,ttl,from,to",
      "destination",
      "destination,path",
      "destination,flow",
      ""};
  return kLabels[static_cast<std::size_t>(subject)];
}

std::string labels_of(const MetricRow& row) {
  std::string labels(labels_of(row.subject));
  if (!labels.empty() && !row.labels.empty()) labels += ',';
  return labels.append(row.labels);
}

std::string_view to_string(MetricType type) {
  constexpr std::array<std::string_view, 4> kNames{"counter", "gauge", "histogram", "summary"};
  return kNames[static_cast<std::size_t>(type)];
}

}  // namespace ecmp::render
