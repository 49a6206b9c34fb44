#include "agent/own_metrics.hpp"

#include <algorithm>
#include <limits>
#include <prometheus/metric_family.h>
#include <span>
#include <utility>

#include "agent/http/family_encoding.hpp"
#include "packet/five_tuple.hpp"
#include "render/append.hpp"
#include "render/metrics/metric_table.hpp"

namespace ecmp {

namespace {

using render::Metric;

constexpr std::array<Duration, 11> kScrapeBounds = {
    std::chrono::microseconds(1000), std::chrono::microseconds(2500), std::chrono::milliseconds(5),
    std::chrono::milliseconds(10),   std::chrono::milliseconds(25),   std::chrono::milliseconds(50),
    std::chrono::milliseconds(100),  std::chrono::milliseconds(250),  std::chrono::milliseconds(500),
    std::chrono::milliseconds(1000), std::chrono::milliseconds(2500)};

double seconds(Duration duration) {
  // In two parts: the nanoseconds since 1970 do not fit into a double.
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  const std::int64_t count = duration.count();
  const std::int64_t whole = count / kNanoseconds;
  return static_cast<double>(whole) + static_cast<double>(count % kNanoseconds) / 1e9;
}

prometheus::MetricType type_of(render::MetricType type) {
  switch (type) {
    case render::MetricType::counter:
      return prometheus::MetricType::Counter;
    case render::MetricType::gauge:
      return prometheus::MetricType::Gauge;
    case render::MetricType::histogram:
      return prometheus::MetricType::Histogram;
    case render::MetricType::summary:
      return prometheus::MetricType::Summary;
  }
  return prometheus::MetricType::Untyped;
}

/// Makes families of values; what they are called and what they mean stands in the metric table.
class Families {
 public:
  explicit Families(const render::FamilyFilter& wanted) : wanted_(wanted) {}

  /// One sample without labels.
  void add(Metric metric, double value) {
    if (prometheus::MetricFamily* const family = begin(metric)) add_sample(*family, value);
  }
  void add(Metric metric, std::uint64_t value) { add(metric, static_cast<double>(value)); }

  /// A sample for each value of the family's one label.
  void add(Metric metric, std::span<const std::pair<std::string_view, std::uint64_t>> samples) {
    prometheus::MetricFamily* const family = begin(metric);
    if (family == nullptr) return;
    for (const auto& [label_value, count] : samples) {
      auto& sample = add_sample(*family, static_cast<double>(count));
      sample.label.push_back({std::string(render::row(metric).labels), std::string(label_value)});
    }
    if (samples.empty()) made_.pop_back();
  }

  void add_links(Metric metric, std::span<const std::pair<LinkEnds, double>> samples) {
    prometheus::MetricFamily* const family = samples.empty() ? nullptr : begin(metric);
    if (family == nullptr) return;
    for (const auto& [link, value] : samples)
      add_sample(*family, value).label = {{"from", link.from.to_string()}, {"to", link.to.to_string()}};
  }

  /// `counts` has one more than `bounds`: what lies above the last bound.
  void add_histogram(Metric metric, std::span<const Duration> bounds, std::span<const std::uint64_t> counts,
                     Duration sum) {
    prometheus::MetricFamily* const family = begin(metric);
    if (family == nullptr) return;
    prometheus::ClientMetric::Histogram& histogram = family->metric.emplace_back().histogram;
    const std::size_t closed = std::min(bounds.size(), counts.size());
    for (std::size_t i = 0; i < counts.size(); ++i) {
      histogram.sample_count += counts[i];
      if (i < closed) histogram.bucket.push_back({histogram.sample_count, seconds(bounds[i])});
    }
    histogram.bucket.push_back({histogram.sample_count, std::numeric_limits<double>::infinity()});
    histogram.sample_sum = seconds(sum);
  }

  void add_build_info(const OwnMetricsInput& input) {
    prometheus::MetricFamily* const family = begin(Metric::build_info);
    if (family == nullptr) return;
    add_sample(*family, 1).label = {{"version", std::string(input.version)}, {"revision", std::string(input.revision)}};
  }

  void add_privileges(const net::Privileges& privileges) {
    prometheus::MetricFamily* const family = begin(Metric::privileges_info);
    if (family == nullptr) return;
    add_sample(*family, 1).label = {{"user", privileges.user},
                                    {"capabilities", privileges.capabilities},
                                    {"no_new_privs", privileges.no_new_privs ? "1" : "0"},
                                    {"seccomp", privileges.seccomp}};
  }

  [[nodiscard]] const std::vector<prometheus::MetricFamily>& made() const { return made_; }

 private:
  prometheus::MetricFamily* begin(Metric metric) {
    const render::MetricRow& row = render::row(metric);
    if (!render::takes(wanted_, row)) return nullptr;
    return &made_.emplace_back(
        prometheus::MetricFamily{std::string(row.name), std::string(row.help), type_of(row.type), {}});
  }

  static prometheus::ClientMetric& add_sample(prometheus::MetricFamily& family, double value) {
    prometheus::ClientMetric& sample = family.metric.emplace_back();
    if (family.type == prometheus::MetricType::Counter) {
      sample.counter.value = value;
    } else {
      sample.gauge.value = value;
    }
    return sample;
  }

  const render::FamilyFilter& wanted_;
  std::vector<prometheus::MetricFamily> made_;
};

using Samples = std::vector<std::pair<std::string_view, std::uint64_t>>;

void add_engine(Families& families, const EngineCounters& counters) {
  Samples sent;
  for (std::size_t i = 0; i < counters.probes_sent.size(); ++i) {
    sent.emplace_back(render::lower_case(static_cast<Protocol>(i)), counters.probes_sent[i]);
  }
  families.add(Metric::probes_sent, sent);
  families.add(Metric::stream_packets_sent, counters.stream_packets_sent);
  Samples errors;
  for (std::size_t i = 1; i < counters.send_errors.size(); ++i) {  // 0 is SendError::none
    errors.emplace_back(to_string(static_cast<SendError>(i)), counters.send_errors[i]);
  }
  families.add(Metric::send_errors, errors);
  families.add(Metric::resets_sent, counters.resets_sent);
  Samples ignored;
  for (std::size_t i = 0; i < counters.ignored.size(); ++i) {
    ignored.emplace_back(to_string(static_cast<Ignored>(i)), counters.ignored[i]);
  }
  families.add(Metric::replies_ignored, ignored);
  families.add_histogram(Metric::schedule_lag, schedule_lag_bounds(), counters.schedule_lag, counters.schedule_lag_sum);
  Samples unobserved;
  for (std::size_t i = 1; i < counters.unobserved.size(); ++i) {  // 0 is Unobserved::none
    unobserved.emplace_back(to_string(static_cast<Unobserved>(i)), counters.unobserved[i]);
  }
  families.add(Metric::unobserved_rounds, unobserved);
  families.add(Metric::rounds_skipped, counters.rounds_skipped);
  families.add(Metric::rate_limited, counters.rate_limited);
  families.add(Metric::responder_delayed, counters.responder_delayed);
  families.add(Metric::probes_left_out, counters.left_out);
}

void add_reasons(Families& families, Metric metric, const std::vector<ReasonCount>& counts) {
  Samples samples;
  for (const ReasonCount& one : counts)
    samples.emplace_back(one.reason, one.count);
  families.add(metric, samples);
}

void add_discovery(Families& families, const OwnMetricsInput& input) {
  Samples up;
  Samples failures;
  Samples found;
  for (const SourceReport& source : input.sources) {
    up.emplace_back(source.source, source.up ? 1u : 0u);
    failures.emplace_back(source.source, source.failures);
    found.emplace_back(source.source, source.destinations);
  }
  families.add(Metric::discovery_source_up, up);
  families.add(Metric::discovery_failures, failures);
  families.add(Metric::discovery_destinations, found);
  Samples left_out;
  for (std::size_t i = 0; i < input.destinations_left_out.size(); ++i) {
    left_out.emplace_back(config::to_string(static_cast<config::LeftOut>(i)), input.destinations_left_out[i]);
  }
  families.add(Metric::destinations_left_out, left_out);
  families.add(Metric::destinations_elsewhere, input.destinations_elsewhere);
}

void add_history_disk(Families& families, const HistoryStore::Report& disk) {
  families.add(Metric::history_disk_bytes, disk.bytes);
  families.add(Metric::history_disk_files, disk.files);
  if (disk.oldest) families.add(Metric::history_disk_oldest_timestamp, seconds(disk.oldest->time_since_epoch()));
  families.add(Metric::history_disk_writable, disk.failing ? 0.0 : 1.0);
  families.add(Metric::history_disk_errors, disk.errors);
  families.add(Metric::history_disk_damaged, disk.damaged);
  families.add(Metric::history_dropped,
               Samples{{"queue_full", disk.dropped_queue_full}, {"not_written", disk.dropped_not_written}});
}

void add_localisation(Families& families, const OwnMetricsInput& input) {
  if (input.localisation == nullptr) return;
  std::map<LinkEnds, const LinkVerdict*> links;  // each once: the verdict told first is the stronger one
  for (const LinkVerdict& verdict : input.localisation->links) {
    for (const LinkEnds& link : verdict.links)
      links.try_emplace(link, &verdict);
  }
  std::vector<std::pair<LinkEnds, double>> losses;
  std::vector<std::pair<LinkEnds, double>> suspicions;
  std::vector<std::pair<LinkEnds, double>> blamed;
  for (const auto& [link, verdict] : links) {
    losses.emplace_back(link, verdict->loss);
    suspicions.emplace_back(link, verdict->suspicion);
    blamed.emplace_back(link, verdict->blamed ? 1.0 : 0.0);
  }
  families.add_links(Metric::link_loss_ratio, losses);
  families.add_links(Metric::link_suspicion, suspicions);
  families.add_links(Metric::link_blamed, blamed);
  add_reasons(families, Metric::localisation_verdicts, input.localisation_verdicts);
}

void add_reflector(Families& families, const ReflectorThread::Report& reflector) {
  families.add(Metric::reflected, reflector.reflected);
  Samples refused;
  for (std::size_t i = 0; i < reflector.refused.size(); ++i)
    refused.emplace_back(to_string(static_cast<stamp::Refusal>(i)), reflector.refused[i]);
  families.add(Metric::reflector_refused, refused);
  families.add(Metric::reflector_sessions, reflector.sessions);
}

void add_process(Families& families, const ProcessUsage& usage) {
  families.add(Metric::process_cpu_seconds, usage.cpu_seconds);
  families.add(Metric::process_open_fds, usage.open_fds);
  families.add(Metric::process_max_fds, usage.max_fds);
  families.add(Metric::process_virtual_memory_bytes, usage.virtual_bytes);
  families.add(Metric::process_resident_memory_bytes, usage.resident_bytes);
  families.add(Metric::process_start_time_seconds, usage.start_time_seconds);
}

/// All counters of the exporter itself are of the process. It tells when that began, and they must not tell another
/// time.
WallTime began(const OwnMetricsInput& input) {
  if (!input.process) return {};
  return WallTime(
      std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(input.process->start_time_seconds)));
}

}  // namespace

void OwnMetrics::on_scrape(const render::RenderOutcome& outcome, Duration took) {
  const auto bucket = std::lower_bound(kScrapeBounds.begin(), kScrapeBounds.end(), took) - kScrapeBounds.begin();
  static_assert(kScrapeBuckets == kScrapeBounds.size() + 1);
  const std::lock_guard lock(mutex_);
  scrapes_.series = outcome.series;
  for (const render::DroppedFamily& dropped : outcome.dropped) {
    scrapes_.dropped[dropped.family] += dropped.series;
  }
  ++scrapes_.durations[static_cast<std::size_t>(bucket)];
  scrapes_.duration_sum += took;
}

void OwnMetrics::append(std::string& out, render::Format format, const OwnMetricsInput& input,
                        const render::FamilyFilter& wanted) const {
  const Scrapes scrapes = [this] {
    const std::lock_guard lock(mutex_);
    return scrapes_;
  }();
  Families families(wanted);
  families.add_build_info(input);
  families.add(Metric::config_last_reload_successful, input.config_reload_successful ? 1.0 : 0.0);
  if (input.config_reload_success) {
    families.add(Metric::config_last_reload_success_timestamp,
                 seconds(input.config_reload_success->time_since_epoch()));
  }
  if (input.web_config_current) families.add(Metric::web_config_current, *input.web_config_current ? 1.0 : 0.0);
  add_discovery(families, input);
  add_engine(families, input.engine);
  families.add(Metric::capture_dropped, input.capture_dropped);
  families.add(Metric::clock_steps, input.clock_steps);
  families.add(Metric::series, scrapes.series);
  Samples dropped;
  for (const render::MetricRow& family : render::metric_table().first(render::kNetworkMetrics)) {
    const auto found = scrapes.dropped.find(family.name);
    dropped.emplace_back(family.name, found == scrapes.dropped.end() ? 0 : found->second);
  }
  families.add(Metric::series_dropped, dropped);
  families.add(Metric::dns_errors, input.dns_errors);
  families.add_histogram(Metric::scrape_duration, kScrapeBounds, scrapes.durations, scrapes.duration_sum);
  families.add(Metric::history_rounds, input.history_rounds);
  families.add(Metric::history_bytes, input.history_bytes);
  families.add(Metric::history_forgotten, input.history_forgotten);
  if (input.history_disk) add_history_disk(families, *input.history_disk);
  families.add(Metric::events, input.events);
  families.add(Metric::events_forgotten, input.events_forgotten);
  add_reasons(families, Metric::http_connections_refused, input.http_connections_refused);
  add_reasons(families, Metric::http_requests, input.http_requests);
  families.add(Metric::http_answer_bytes, input.http_answer_bytes);
  add_reasons(families, Metric::one_off_traces, input.one_off_traces);
  add_reasons(families, Metric::one_off_refused, input.one_off_refused);
  if (input.reflector) add_reflector(families, *input.reflector);
  if (input.privileges) families.add_privileges(*input.privileges);
  families.add(Metric::log_dropped, input.log_dropped);
  families.add(Metric::socket_list_failures, input.socket_list_failures);
  add_localisation(families, input);
  if (input.process) add_process(families, *input.process);
  append_families(out, format, families.made(), began(input));
}

}  // namespace ecmp
