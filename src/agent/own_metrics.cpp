#include "agent/own_metrics.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "agent/http/family_writer.hpp"
#include "packet/five_tuple.hpp"
#include "render/append.hpp"

namespace ecmp {

namespace {

constexpr std::array<Duration, 11> kScrapeBounds = {
    std::chrono::microseconds(1000), std::chrono::microseconds(2500), std::chrono::milliseconds(5),
    std::chrono::milliseconds(10),   std::chrono::milliseconds(25),   std::chrono::milliseconds(50),
    std::chrono::milliseconds(100),  std::chrono::milliseconds(250),  std::chrono::milliseconds(500),
    std::chrono::milliseconds(1000), std::chrono::milliseconds(2500)};

using Out = FamilyWriter;

struct From {
  const OwnMetricsInput& in;
  const ScrapeCounts& scrapes;
};

/// Calls `out(value, {value of each label})` once for each sample of a family.
using Values = void (*)(From from, Out& out);

struct OwnFamily {
  render::MetricRow row;
  Values values = nullptr;
};

constexpr OwnFamily family(std::string_view name, render::MetricType type, std::string_view labels,
                           std::string_view help, Values values) {
  return {{render::Subject::exporter, name, type, labels, help, false, std::nullopt}, values};
}

/// A sample for each enumerator from `first` on, by its name.
template <typename Enumeration, typename Counts>
void each_of(const Counts& counts, std::size_t first, Out& out) {
  for (std::size_t i = first; i < counts.size(); ++i)
    out(counts[i], {to_string(static_cast<Enumeration>(i))});
}

void each_reason(const std::vector<ReasonCount>& counts, Out& out) {
  for (const ReasonCount& one : counts)
    out(one.count, {one.reason});
}

/// Each link once: of several verdicts the first, which is the strongest.
template <typename Value>
void each_link(const OwnMetricsInput& in, Out& out, const Value& value) {
  if (in.localisation == nullptr) return;
  std::map<LinkEnds, double> links;
  for (const LinkVerdict& verdict : in.localisation->links) {
    for (const LinkEnds& link : verdict.links)
      links.try_emplace(link, value(verdict));
  }
  for (const auto& [link, of_link] : links)
    out(of_link, {link.from.to_string(), link.to.to_string()});
}

std::vector<double> in_seconds(std::span<const Duration> bounds) {
  std::vector<double> made;
  for (const Duration bound : bounds)
    made.push_back(seconds(bound));
  return made;
}

void scrape_durations(const prometheus::Histogram& durations, Out& out) {
  const prometheus::ClientMetric::Histogram collected = durations.Collect().histogram;
  std::array<std::uint64_t, kScrapeBounds.size() + 1> counts{};
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    counts[i] = collected.bucket[i].cumulative_count - below;
    below = collected.bucket[i].cumulative_count;
  }
  out.histogram(kScrapeBounds, counts,
                std::chrono::duration_cast<Duration>(std::chrono::duration<double>(collected.sample_sum)));
}

using enum render::MetricType;

// In the order of a scrape.
constexpr std::array kOfConfiguration{
    family("ecmp_exporter_build_info", gauge, "version,revision",
           "Version and revision of the running program; always 1.",
           [](From from, Out& out) { out(1, {from.in.version, from.in.revision}); }),
    family("ecmp_exporter_config_last_reload_successful", gauge, "",
           "Whether the last attempt to load the configuration succeeded.",
           [](From from, Out& out) { out(from.in.config_reload_successful); }),
    family("ecmp_exporter_config_last_reload_success_timestamp_seconds", gauge, "",
           "When the configuration was last loaded with success, in seconds since 1970.",
           [](From from, Out& out) {
             if (from.in.config_reload_success) out(seconds(from.in.config_reload_success->time_since_epoch()));
           }),
    family("ecmp_exporter_web_config_current", gauge, "",
           "Whether the web configuration on disk is the one in force: 0 if it is invalid or would open the server, in "
           "which case the last valid one stays. Absent without one.",
           [](From from, Out& out) {
             if (from.in.web_config_current) out(*from.in.web_config_current);
           }),
    family("ecmp_exporter_discovery_source_up", gauge, "source",
           "Whether the newest content of a file or server of [discovery] was valid; if not, its last valid "
           "destinations stay in force.",
           [](From from, Out& out) {
             for (const SourceReport& source : from.in.sources)
               out(source.up, {source.source});
           }),
    family("ecmp_exporter_discovery_failures_total", counter, "source",
           "Times that a file or server of [discovery] could not be read or had invalid content.",
           [](From from, Out& out) {
             for (const SourceReport& source : from.in.sources)
               out(source.failures, {source.source});
           }),
    family("ecmp_exporter_discovery_destinations", gauge, "source",
           "Destinations that a file or server of [discovery] listed last.",
           [](From from, Out& out) {
             for (const SourceReport& source : from.in.sources)
               out(source.destinations, {source.source});
           }),
    family("ecmp_exporter_destinations_left_out", gauge, "reason",
           "Destinations that are not traced, since another source has their name or flows, or for "
           "limits.max_destinations.",
           [](From from, Out& out) { each_of<config::LeftOut>(from.in.destinations_left_out, 0, out); }),
    family("ecmp_exporter_destinations_elsewhere", gauge, "", "Destinations that belong to other shards.",
           [](From from, Out& out) { out(from.in.destinations_elsewhere); })};

constexpr std::array kOfProbing{
    family("ecmp_exporter_probes_sent_total", counter, "protocol", "Probes sent.",
           [](From from, Out& out) {
             for (std::size_t i = 0; i < from.in.engine.probes_sent.size(); ++i)
               out(from.in.engine.probes_sent[i], {traits(static_cast<Protocol>(i)).name});
           }),
    family("ecmp_exporter_stream_packets_sent_total", counter, "",
           "Packets of STAMP streams sent; the probes of their traces are in ecmp_exporter_probes_sent_total.",
           [](From from, Out& out) { out(from.in.engine.stream_packets_sent); }),
    family("ecmp_exporter_send_errors_total", counter, "reason", "Probes that did not leave this host.",
           [](From from, Out& out) {
             each_of<SendError>(from.in.engine.send_errors, 1, out);  // 0 is none
           }),
    family("ecmp_exporter_tcp_resets_sent_total", counter, "",
           "RSTs sent to end what a SYN may have begun: it had no answer, or the kernel's own RST did not leave. No "
           "probes.",
           [](From from, Out& out) { out(from.in.engine.resets_sent); }),
    family("ecmp_exporter_replies_ignored_total", counter, "reason",
           "Received datagrams that were not counted as replies.",
           [](From from, Out& out) { each_of<Ignored>(from.in.engine.ignored, 0, out); }),
    family("ecmp_exporter_schedule_lag_seconds", histogram, "",
           "Delay between the time a probe was due and the time it was sent.",
           [](From from, Out& out) {
             out.histogram(schedule_lag_bounds(), from.in.engine.schedule_lag, from.in.engine.schedule_lag_sum);
           }),
    family("ecmp_exporter_unobserved_rounds_total", counter, "reason",
           "Rounds that are incomplete because this host or exporter failed; they count as unobserved, not as loss.",
           [](From from, Out& out) {
             each_of<Unobserved>(from.in.engine.unobserved, 1, out);  // 0 is none
           }),
    family("ecmp_exporter_rounds_skipped_total", counter, "",
           "Rounds that did not begin because earlier ones of their flow were not over or time ran out.",
           [](From from, Out& out) { out(from.in.engine.rounds_skipped); }),
    family("ecmp_exporter_rate_limited_total", counter, "", "Probes that waited for limits.probes_per_second.",
           [](From from, Out& out) { out(from.in.engine.rate_limited); }),
    family("ecmp_exporter_responder_delayed_total", counter, "",
           "Probes that waited for limits.probes_per_second_per_responder.",
           [](From from, Out& out) { out(from.in.engine.responder_delayed); }),
    family("ecmp_exporter_probes_left_out_total", counter, "",
           "Probes of near hops that were not sent in their round, because other flows ask the same responder as often "
           "as it answers.",
           [](From from, Out& out) { out(from.in.engine.left_out); }),
    family("ecmp_exporter_capture_dropped_total", counter, "",
           "Packets that the kernel dropped because its capture buffer was full.",
           [](From from, Out& out) { out(from.in.capture_dropped); }),
    family("ecmp_exporter_clock_steps_total", counter, "",
           "Times that the wall clock was set. Measured intervals do not depend on it, published times do.",
           [](From from, Out& out) { out(from.in.clock_steps); }),
    family("ecmp_exporter_series", gauge, "", "Series about the network in the scrape before this.",
           [](From from, Out& out) { out(from.scrapes.series.Value()); }),
    family("ecmp_exporter_series_dropped_total", counter, "family",
           "Series left out of scrapes because of limits.max_series.",
           [](From from, Out& out) {
             for (const render::MetricRow& family : render::network_metrics())
               out(from.scrapes.dropped.at(family.name).Value(), {family.name});
           }),
    family("ecmp_exporter_dns_errors_total", counter, "",
           "DNS queries that failed, of destinations and of reverse names.",
           [](From from, Out& out) { out(from.in.dns_errors); }),
    family("ecmp_exporter_scrape_duration_seconds", histogram, "", "Time taken to render a scrape.",
           [](From from, Out& out) { scrape_durations(from.scrapes.durations, out); })};

constexpr std::array kOfServing{
    family("ecmp_exporter_history_rounds", gauge, "", "Rounds kept for /paths.",
           [](From from, Out& out) { out(from.in.history_rounds); }),
    family("ecmp_exporter_history_bytes", gauge, "", "Memory of the rounds kept for /paths.",
           [](From from, Out& out) { out(from.in.history_bytes); }),
    family("ecmp_exporter_history_forgotten_total", counter, "", "Rounds forgotten because of history.memory.",
           [](From from, Out& out) { out(from.in.history_forgotten); }),
    family("ecmp_exporter_history_disk_bytes", gauge, "", "Size of the files of history.directory.",
           [](From from, Out& out) {
             if (from.in.history_disk) out(from.in.history_disk->bytes);
           }),
    family("ecmp_exporter_history_disk_files", gauge, "", "Files of rounds and events in history.directory.",
           [](From from, Out& out) {
             if (from.in.history_disk) out(from.in.history_disk->files);
           }),
    family("ecmp_exporter_history_disk_oldest_timestamp_seconds", gauge, "",
           "Time of the oldest round or event on disk, in seconds since 1970.",
           [](From from, Out& out) {
             if (from.in.history_disk && from.in.history_disk->oldest)
               out(seconds(from.in.history_disk->oldest->time_since_epoch()));
           }),
    family("ecmp_exporter_history_disk_writable", gauge, "",
           "Whether the newest attempt to write to history.directory was successful.",
           [](From from, Out& out) {
             if (from.in.history_disk) out(!from.in.history_disk->failing);
           }),
    family("ecmp_exporter_history_disk_errors_total", counter, "",
           "Failures to open, write or synchronise the files of history.directory.",
           [](From from, Out& out) {
             if (from.in.history_disk) out(from.in.history_disk->errors);
           }),
    family("ecmp_exporter_history_disk_damaged_total", counter, "",
           "Damaged places found in the files of history.directory, which are passed over, and files left out.",
           [](From from, Out& out) {
             if (from.in.history_disk) out(from.in.history_disk->damaged);
           }),
    family("ecmp_exporter_history_dropped_total", counter, "reason",
           "Rounds and events that are not on disk: queue_full (the disk is too slow), not_written (it failed).",
           [](From from, Out& out) {
             if (!from.in.history_disk) return;
             out(from.in.history_disk->dropped_queue_full, {"queue_full"});
             out(from.in.history_disk->dropped_not_written, {"not_written"});
           }),
    family("ecmp_exporter_events", gauge, "", "Events kept for /events.",
           [](From from, Out& out) { out(from.in.events); }),
    family("ecmp_exporter_events_forgotten_total", counter, "", "Events forgotten because their memory is limited.",
           [](From from, Out& out) { out(from.in.events_forgotten); }),
    family("ecmp_exporter_http_connections_refused_total", counter, "reason", "HTTP connections refused or cut.",
           [](From from, Out& out) { each_reason(from.in.http_connections_refused, out); }),
    family("ecmp_exporter_http_requests_total", counter, "code",
           "HTTP requests answered, by status code; connections refused before a request are left out.",
           [](From from, Out& out) { each_reason(from.in.http_requests, out); }),
    family("ecmp_exporter_http_answer_memory_bytes", gauge, "",
           "Memory of the HTTP answers under way, including old snapshots that only they still hold.",
           [](From from, Out& out) { out(from.in.http_answer_bytes); }),
    family("ecmp_exporter_one_off_traces_total", counter, "result",
           "Traces made for GET /probe, by whether the destination was reached.",
           [](From from, Out& out) { each_reason(from.in.one_off_traces, out); }),
    family("ecmp_exporter_one_off_refused_total", counter, "reason",
           "Requests of GET /probe that were refused, or whose trace could not be made.",
           [](From from, Out& out) { each_reason(from.in.one_off_refused, out); })};

constexpr std::array kOfTheRest{
    family("ecmp_exporter_reflected_total", counter, "",
           "Requests of STAMP and TWAMP Light senders that our reflector answered.",
           [](From from, Out& out) {
             if (from.in.reflector) out(from.in.reflector->reflected);
           }),
    family("ecmp_exporter_reflector_refused_total", counter, "reason",
           "Requests that our reflector did not answer: docs/stamp.md lists the reasons.",
           [](From from, Out& out) {
             if (from.in.reflector) each_of<stamp::Refusal>(from.in.reflector->refused, 0, out);
           }),
    family("ecmp_exporter_reflector_sessions", gauge, "", "Streams of senders that our reflector remembers.",
           [](From from, Out& out) {
             if (from.in.reflector) out(from.in.reflector->sessions);
           }),
    family("ecmp_exporter_privileges_info", gauge, "user,capabilities,no_new_privs,seccomp",
           "What the exporter runs with, all its threads together; always 1.",
           [](From from, Out& out) {
             if (!from.in.privileges) return;
             const net::Privileges& with = *from.in.privileges;
             out(1, {with.user, with.capabilities, with.no_new_privs ? "1" : "0", with.seccomp});
           }),
    family("ecmp_exporter_log_dropped_total", counter, "", "Log lines dropped because their reader is too slow.",
           [](From from, Out& out) { out(from.in.log_dropped); }),
    family("ecmp_exporter_socket_list_failures_total", counter, "",
           "Times that the kernel did not return the list of the host's sockets: a flow may then share the port of a "
           "connection unnoticed.",
           [](From from, Out& out) { out(from.in.socket_list_failures); }),
    family(
        "ecmp_link_loss_ratio", gauge, "from,to",
        "Most likely loss of a suspected link, from the loss of all flows of all destinations since it began; only the "
        "worst links of [localisation].",
        [](From from, Out& out) { each_link(from.in, out, [](const LinkVerdict& verdict) { return verdict.loss; }); }),
    family("ecmp_link_suspicion", gauge, "from,to",
           "Loss that only this link explains, as a multiple of what a verdict needs. A score: the verdict is "
           "ecmp_link_blamed.",
           [](From from, Out& out) {
             each_link(from.in, out, [](const LinkVerdict& verdict) { return verdict.suspicion; });
           }),
    family("ecmp_link_blamed", gauge, "from,to",
           "1 if the verdict is that this link loses probes now, 0 if it is only suspected or no longer loses.",
           [](From from, Out& out) {
             each_link(from.in, out, [](const LinkVerdict& verdict) { return verdict.blamed ? 1.0 : 0.0; });
           }),
    family("ecmp_localisation_verdicts_total", counter, "kind",
           "Findings that began, by kind: loss_verdict, delay_verdict, imbalance or polarised.",
           [](From from, Out& out) {
             if (from.in.localisation != nullptr) each_reason(from.in.localisation_verdicts, out);
           }),
    family("process_cpu_seconds_total", counter, "", "Total user and system CPU time spent in seconds.",
           [](From from, Out& out) {
             if (from.in.process) out(from.in.process->cpu_seconds);
           }),
    family("process_open_fds", gauge, "", "Number of open file descriptors.",
           [](From from, Out& out) {
             if (from.in.process) out(from.in.process->open_fds);
           }),
    family("process_max_fds", gauge, "", "Maximum number of open file descriptors.",
           [](From from, Out& out) {
             if (from.in.process) out(from.in.process->max_fds);
           }),
    family("process_virtual_memory_bytes", gauge, "", "Virtual memory size in bytes.",
           [](From from, Out& out) {
             if (from.in.process) out(from.in.process->virtual_bytes);
           }),
    family("process_resident_memory_bytes", gauge, "", "Resident memory size in bytes.",
           [](From from, Out& out) {
             if (from.in.process) out(from.in.process->resident_bytes);
           }),
    family("process_start_time_seconds", gauge, "", "Start time of the process since the unix epoch in seconds.",
           [](From from, Out& out) {
             if (from.in.process) out(from.in.process->start_time_seconds);
           })};

template <typename Visit>
void each_family(const Visit& visit) {
  for (const std::span<const OwnFamily> some :
       std::array<std::span<const OwnFamily>, 4>{kOfConfiguration, kOfProbing, kOfServing, kOfTheRest})
    std::for_each(some.begin(), some.end(), visit);
}

/// All counters of the exporter itself are of the process: since it began.
WallTime began(const OwnMetricsInput& input) {
  if (!input.process) return {};
  return WallTime(
      std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(input.process->start_time_seconds)));
}

}  // namespace

std::vector<render::MetricRow> own_metrics() {
  std::vector<render::MetricRow> rows;
  each_family([&rows](const OwnFamily& family) { rows.push_back(family.row); });
  return rows;
}

ScrapeCounts::ScrapeCounts() : durations(in_seconds(kScrapeBounds)) {
  for (const render::MetricRow& family : render::network_metrics())
    dropped.try_emplace(family.name);
}

void OwnMetrics::on_scrape(const render::RenderOutcome& outcome, Duration took) {
  scrapes_.series.Set(static_cast<double>(outcome.series));
  for (const render::DroppedFamily& family : outcome.dropped)
    scrapes_.dropped.at(family.family).Increment(static_cast<double>(family.series));
  scrapes_.durations.Observe(seconds(took));
}

void OwnMetrics::append(std::string& out, render::Format format, const OwnMetricsInput& input,
                        const render::FamilyFilter& wanted) const {
  FamilyWriter writer(out, format, began(input));
  each_family([&](const OwnFamily& family) {
    if (!render::takes(wanted, family.row)) return;
    writer.begin(family.row);
    family.values({input, scrapes_}, writer);
    writer.end();
  });
  writer.finish();
}

}  // namespace ecmp
