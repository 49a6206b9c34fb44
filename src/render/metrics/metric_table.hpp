#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ecmp::render {

enum class MetricType : std::uint8_t { counter, gauge, histogram, summary };

/// Every family there is. Those about the network stand in the order of their importance, hop families last: when a
/// scrape has more series than it may, whole families are left out from the end.
enum class Metric : std::uint8_t {
  destination_up,
  destination_unjudged,
  destination_info,
  paths,
  destination_expected_paths,
  destination_unreachable_replies,
  destination_paths_refused,
  path_coverage_probability,
  flow_probes,
  flow_replies,
  flow_unjudged,
  flow_path_info,
  flow_path_changes,
  path_probes,
  path_replies,
  path_unjudged,
  path_flows,
  path_hops,
  reflector_up,
  reflector_info,
  reflector_restarts,
  path_oneway_packets,
  path_oneway_losses,
  path_oneway_window_loss_ratio,
  path_oneway_severe_seconds,
  path_oneway_unavailable_seconds,
  path_oneway_delay_variation,
  path_oneway_relative_delay,
  flow_oneway_losses,
  flow_oneway_reordered,
  flow_oneway_duplicates,
  flow_reverse_path_info,
  path_window_loss_ratio,
  path_window_rtt,
  path_window_jitter,
  path_rtt,
  path_jitter,
  path_loss_ratio,
  flow_info,
  flow_path_ordinal,
  path_hop_info,
  hop_info,
  hop_finding_info,
  link_flows,
  hop_limited,
  hop_losses,
  hop_probes,
  hop_silences,
  hop_replies,
  hop_window_loss_ratio,
  hop_window_rtt,
  hop_window_jitter,
  hop_rtt,
  hop_loss_ratio,
  hop_jitter,
  // The exporter's own.
  build_info,
  config_last_reload_successful,
  config_last_reload_success_timestamp,
  web_config_current,
  discovery_source_up,
  discovery_failures,
  discovery_destinations,
  destinations_left_out,
  destinations_elsewhere,
  probes_sent,
  stream_packets_sent,
  resets_sent,
  send_errors,
  replies_ignored,
  capture_dropped,
  schedule_lag,
  rounds_skipped,
  rate_limited,
  responder_delayed,
  probes_left_out,
  series,
  series_dropped,
  dns_errors,
  scrape_duration,
  history_rounds,
  history_bytes,
  history_forgotten,
  history_disk_bytes,
  history_disk_files,
  history_disk_oldest_timestamp,
  history_disk_writable,
  history_disk_errors,
  history_disk_damaged,
  history_dropped,
  events,
  events_forgotten,
  http_connections_refused,
  http_requests,
  http_answer_bytes,
  one_off_traces,
  one_off_refused,
  reflected,
  reflector_refused,
  reflector_sessions,
  privileges_info,
  log_dropped,
  socket_list_failures,
  unobserved_rounds,
  clock_steps,
  link_loss_ratio,
  link_suspicion,
  link_blamed,
  localisation_verdicts,
  // The standard process metrics of Prometheus's client libraries.
  process_cpu_seconds,
  process_open_fds,
  process_max_fds,
  process_virtual_memory_bytes,
  process_resident_memory_bytes,
  process_start_time_seconds,
  // Of one-off traces, in answers of GET /probe only.
  probe_success,
  probe_duration,
  blackbox_success,
  blackbox_duration,
};

inline constexpr std::size_t kNetworkMetrics = static_cast<std::size_t>(Metric::build_info);
/// How many are the exporter's own: they follow those about the network.
inline constexpr std::size_t kOwnMetrics = static_cast<std::size_t>(Metric::probe_success) - kNetworkMetrics;
inline constexpr std::size_t kMetrics = static_cast<std::size_t>(Metric::blackbox_duration) + 1;

struct MetricRow {
  Metric metric{};
  std::string_view name;
  MetricType type{};
  std::string_view labels;   ///< in the order they are written, separated by ","
  bool user_labels = false;  ///< the labels of the configuration follow
  std::string_view help;
};

/// What the samples of a family are about: one of each for every such thing there is.
enum class Subject : std::uint8_t { destination, refusal, flow, path, hop, responder, finding, link, exporter };

/// By the labels of its row, which begin with those of the subject. Families about streams (is_oneway()) are about a
/// flow or path as well, but a destination has them together.
Subject subject_of(Metric metric);

inline bool is_oneway(Metric metric) {
  return metric >= Metric::reflector_up && metric <= Metric::flow_reverse_path_info;
}

/// The one place where names, types, labels and helps are written; in the order of the enumeration.
std::span<const MetricRow> metric_table();
const MetricRow& row(Metric metric);

/// "counter", "gauge", "histogram", "summary".
std::string_view to_string(MetricType type);

}  // namespace ecmp::render
