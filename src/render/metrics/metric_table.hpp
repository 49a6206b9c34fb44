#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "path/statistics/statistics.hpp"

namespace ecmp::render {

enum class MetricType : std::uint8_t { counter, gauge, histogram, summary };

/// What the samples of a family are about: one of each for every such thing there is. The three before the last are
/// of destinations with STAMP streams: their reflector, and the paths and flows of the streams.
enum class Subject : std::uint8_t {
  destination,
  refusal,
  flow,
  path,
  hop,
  responder,
  finding,
  link,
  reflector,
  oneway_path,
  oneway_flow,
  exporter
};

/// The labels that say which one of them, in the order they are written, separated by ",".
std::string_view labels_of(Subject subject);

/// What a family says of the statistics of every path, or of every hop of one.
struct Figure {
  enum class What : std::uint8_t { histogram, window_quantiles, window_loss };

  bool of_hops = false;
  What what{};
  Statistics::Kind kind{};  ///< not of window_loss
};

/// A family. Its unit is what its name ends in (unit_of()).
struct MetricRow {
  Subject subject{};
  std::string_view name;
  MetricType type{};
  std::string_view labels;  ///< those that follow the subject's, separated by ","
  std::string_view help;
  bool user_labels = false;      ///< the labels of the configuration follow
  std::optional<Figure> figure;  ///< none: its values are of another kind
};

/// The families about the network, in the order of their importance; the exporter's own are in agent/own_metrics.hpp.
std::span<const MetricRow> network_metrics();

/// All labels of a family but the user's, separated by ",".
std::string labels_of(const MetricRow& row);

/// "counter", "gauge", "histogram", "summary".
std::string_view to_string(MetricType type);

}  // namespace ecmp::render
