#pragma once

// Private to series.cpp: the samples of destinations with STAMP streams.

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

#include "path/model/snapshot.hpp"
#include "path/statistics/histogram.hpp"
#include "render/json/oneway_json.hpp"
#include "render/metrics/encoder.hpp"
#include "render/metrics/metric_table.hpp"

namespace ecmp::render {

template <typename Value>
std::uint64_t samples_of(const Value& /*value*/) {
  return 1;
}
inline std::uint64_t samples_of(const SummarySample& summary) {
  return summary.quantiles.size() + 2;  // its sum and its count
}

inline constexpr std::string_view kForward = "forward";
inline constexpr std::string_view kReverse = "reverse";
inline constexpr std::string_view kUnresolved = "unresolved";

/// Calls visit(direction, packets, lost). `back`: what the way back is read from.
template <typename Visit>
void each_direction(const stamp::OnewayCounts& counts, const stamp::OnewayCounts& back, const Visit& visit) {
  visit(kForward, counts.resolved, counts.forward);
  visit(kReverse, back.reached(), back.reverse);
  visit(kUnresolved, counts.round_trips, counts.unresolved);
}

/// Of a path: nothing of a direction that none of its flows goes over it in.
template <typename Visit>
void each_direction_of(const OnewayPathSnapshot& path, const stamp::OnewayCounts& counts,
                       const stamp::OnewayCounts& back, const Visit& visit) {
  const bool there = path.counts != stamp::OnewayCounts{};
  const bool on_way_back = path.back != stamp::OnewayCounts{};
  each_direction(counts, back, [&](std::string_view direction, std::uint64_t packets, std::uint64_t lost) {
    if (direction == kReverse ? on_way_back : there) visit(direction, packets, lost);
  });
}

inline const LossSecondsSum& seconds_of(const OnewayPathSnapshot& path, std::string_view direction) {
  return direction == kForward   ? path.forward_seconds
         : direction == kReverse ? path.reverse_seconds
                                 : path.unresolved_seconds;
}

/// A window without observations has no quantiles: NaN.
template <typename Sink, typename Labels, typename More>
void write_variation(const Sink& sink, const Labels& labels, const VariationSum& sum, const Quantiles& window,
                     bool observed, const More& more) {
  const auto value = [&](Duration quantile) {
    return observed ? in_seconds(quantile) : std::numeric_limits<double>::quiet_NaN();
  };
  const std::array<QuantileValue, 3> quantiles = {
      {{0.5, "0.5", value(window.p50)}, {0.95, "0.95", value(window.p95)}, {0.99, "0.99", value(window.p99)}}};
  sink(labels, SummarySample{.count = sum.count, .sum = sum.seconds, .quantiles = quantiles}, more);
}

template <typename Sink, typename Labels>
void visit_oneway_path(Metric metric, const OnewayPathSnapshot& path, const Labels& labels, const Sink& sink) {
  const auto with = [&path](std::string_view direction) {
    return [id = path.path, direction](LabelWriter& more) {
      more.add_path(id);
      more.add("direction", direction);
    };
  };
  switch (metric) {
    case Metric::path_oneway_packets:
      each_direction_of(path, path.counts, path.back,
                        [&](auto direction, auto packets, auto) { sink(labels, packets, with(direction)); });
      break;
    case Metric::path_oneway_losses:
      each_direction_of(path, path.counts, path.back,
                        [&](auto direction, auto, auto lost) { sink(labels, lost, with(direction)); });
      break;
    case Metric::path_oneway_window_loss_ratio:
      each_direction_of(path, path.window, path.back_window, [&](auto direction, auto packets, auto lost) {
        if (packets > 0) sink(labels, static_cast<double>(lost) / static_cast<double>(packets), with(direction));
      });
      break;
    case Metric::path_oneway_severe_seconds:
      each_direction_of(path, path.counts, path.back, [&](auto direction, auto, auto) {
        sink(labels, seconds_of(path, direction).severe, with(direction));
      });
      break;
    case Metric::path_oneway_unavailable_seconds:
      each_direction_of(path, path.counts, path.back, [&](auto direction, auto, auto) {
        sink(labels, seconds_of(path, direction).unavailable, with(direction));
      });
      break;
    case Metric::path_oneway_delay_variation:
      if (path.forward.count > 0)
        write_variation(sink, labels, path.forward, path.forward_window, path.exchanges > 0, with(kForward));
      if (path.reverse.count > 0)
        write_variation(sink, labels, path.reverse, path.reverse_window, path.back_exchanges > 0, with(kReverse));
      break;
    case Metric::path_oneway_relative_delay:
      if (path.relative_forward) sink(labels, in_seconds(*path.relative_forward), with(kForward));
      if (path.relative_reverse) sink(labels, in_seconds(*path.relative_reverse), with(kReverse));
      break;
    default:
      break;
  }
}

template <typename Sink, typename Labels>
void visit_oneway_flow(Metric metric, std::uint16_t port, const OnewayFlowSnapshot& flow, const Labels& labels,
                       const Sink& sink) {
  const auto with = [port](std::string_view direction) {
    return [port, direction](LabelWriter& more) {
      more.add_number("flow", port);
      more.add("direction", direction);
    };
  };
  switch (metric) {
    case Metric::flow_oneway_losses:
      each_direction(flow.counts, flow.counts,
                     [&](auto direction, auto, auto lost) { sink(labels, lost, with(direction)); });
      break;
    case Metric::flow_oneway_reordered:
      sink(labels, flow.counts.reordered_forward, with(kForward));
      sink(labels, flow.counts.reordered_reverse, with(kReverse));
      break;
    case Metric::flow_oneway_duplicates:
      sink(labels, flow.duplicates_forward, with(kForward));
      sink(labels, flow.duplicates_reverse, with(kReverse));
      break;
    case Metric::flow_reverse_path_info:
      if (flow.reverse_path == 0) break;
      sink(labels, 1u, [port, id = flow.reverse_path](LabelWriter& more) {
        more.add_number("flow", port);
        more.add_path(id);
      });
      break;
    default:
      break;
  }
}

/// Of a destination with streams.
template <typename Sink, typename Labels>
void visit_oneway(Metric metric, const DestinationSnapshot& snapshot, const Labels& labels, const Sink& sink) {
  const OnewaySnapshot& oneway = *snapshot.oneway;
  switch (metric) {
    case Metric::reflector_up:
      if (oneway.up) sink(labels, *oneway.up ? 1u : 0u);
      break;
    case Metric::reflector_info:
      sink(labels, 1u, [&oneway](LabelWriter& more) {
        more.add("mode", mode_name(oneway.mode));
        more.add("clock", oneway.synchronised ? "synchronised" : "unsynchronised");
      });
      break;
    case Metric::reflector_restarts:
      sink(labels, oneway.restarts);
      break;
    case Metric::flow_oneway_losses:
    case Metric::flow_oneway_reordered:
    case Metric::flow_oneway_duplicates:
    case Metric::flow_reverse_path_info:
      for (std::uint32_t i = 0; i < oneway.flows.size(); ++i)
        if (is_steady(*snapshot.facts, i))
          visit_oneway_flow(metric, snapshot.facts->source_ports[i], oneway.flows[i], labels, sink);
      break;
    default:
      for (const OnewayPathSnapshot& path : oneway.paths)
        visit_oneway_path(metric, path, labels, sink);
      break;
  }
}

}  // namespace ecmp::render
