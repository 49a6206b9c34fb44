#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <string>
#include <string_view>
#include <vector>

#include "agent/discovery/discovery.hpp"
#include "agent/history/history_store.hpp"
#include "agent/process_usage.hpp"
#include "agent/tracing/reflector_thread.hpp"
#include "base/time.hpp"
#include "config/selection.hpp"
#include "net/host/privilege.hpp"
#include "path/localisation/link_verdict.hpp"
#include "probe/engine.hpp"
#include "render/metrics/exposition.hpp"

namespace ecmp {

struct ReasonCount {
  std::string reason;
  std::uint64_t count = 0;
};

/// Everything the exporter reports of itself, at one moment. Counters are totals since the start.
struct OwnMetricsInput {
  std::string_view version;
  std::string_view revision;
  bool config_reload_successful = false;          ///< of the last attempt
  std::optional<WallTime> config_reload_success;  ///< when it last succeeded
  std::optional<bool> web_config_current;         ///< none without a web configuration
  std::vector<SourceReport> sources;              ///< of [discovery], each name once
  std::array<std::uint64_t, static_cast<std::size_t>(config::LeftOut::count_)> destinations_left_out{};
  std::uint64_t destinations_elsewhere = 0;
  EngineCounters engine;
  std::uint64_t capture_dropped = 0;
  std::uint64_t clock_steps = 0;
  std::uint64_t dns_errors = 0;
  std::uint64_t log_dropped = 0;
  std::uint64_t socket_list_failures = 0;
  std::uint64_t history_rounds = 0;
  std::uint64_t history_bytes = 0;
  std::uint64_t history_forgotten = 0;
  std::optional<HistoryStore::Report> history_disk;  ///< none if nothing is kept on disk
  std::uint64_t events = 0;
  std::uint64_t events_forgotten = 0;
  std::vector<ReasonCount> http_connections_refused;  ///< each reason once, also with a count of 0
  std::vector<ReasonCount> http_requests;             ///< by status code
  std::uint64_t http_answer_bytes = 0;
  std::vector<ReasonCount> one_off_traces;           ///< by result; likewise
  std::vector<ReasonCount> one_off_refused;          ///< likewise
  std::optional<ReflectorThread::Report> reflector;  ///< none: nothing is reflected
  std::optional<net::Privileges> privileges;
  std::shared_ptr<const LocalisationReport> localisation;  ///< null: it is off
  std::vector<ReasonCount> localisation_verdicts;          ///< by kind; likewise
  std::optional<ProcessUsage> process;
};

/// What the scrapes since the start were like: prometheus-cpp's counters, which any thread may add to and read.
struct ScrapeCounts {
  ScrapeCounts();

  prometheus::Gauge series;                                 ///< of the newest
  std::map<std::string_view, prometheus::Counter> dropped;  ///< by family, each of those about the network
  prometheus::Histogram durations;                          ///< seconds
};

/// The rows of the exporter's own families, in the order of a scrape.
std::vector<render::MetricRow> own_metrics();

/// The families ecmp_exporter_* and process_*. Current values become families when they are asked for: nothing is
/// counted twice. May be called from several threads.
class OwnMetrics {
 public:
  /// A scrape was rendered: what came of the families about the network, and how long all of it took.
  void on_scrape(const render::RenderOutcome& outcome, Duration took);

  /// Appends the families that the filter takes, and what ends a scrape in that format.
  void append(std::string& out, render::Format format, const OwnMetricsInput& input,
              const render::FamilyFilter& families) const;

 private:
  ScrapeCounts scrapes_;
};

}  // namespace ecmp
