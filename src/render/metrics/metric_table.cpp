#include "render/metrics/metric_table.hpp"

#include <array>

namespace ecmp::render {

namespace {

using enum MetricType;

constexpr std::array<MetricRow, kMetrics> kTable{{
    {Metric::destination_up, "ecmp_destination_up", gauge, "destination", false,
     "Whether any flow reached the destination in its last round, as the network answered: 1 or 0. Absent until a "
     "round was judged: see ecmp_destination_unjudged."},
    {Metric::destination_unjudged, "ecmp_destination_unjudged", gauge, "destination,reason", false,
     "Present while no newest round of a destination was judged, with the reason: not_resolved, not_traced, "
     "first_round, send_failed, unobserved, suppressed, left_out or undecided; always 1."},
    {Metric::destination_info, "ecmp_destination_info", gauge, "destination,address,family,protocol,port", true,
     "What is configured for a destination, with the labels of the configuration, to join on; always 1."},
    {Metric::paths, "ecmp_paths", gauge, "destination", false, "Paths that flows of the destination are on now."},
    {Metric::destination_expected_paths, "ecmp_destination_expected_paths", gauge, "destination", false,
     "Number of paths expected, from expected_paths of the configuration; absent where that is 0."},
    {Metric::destination_unreachable_replies, "ecmp_destination_unreachable_replies_total", counter,
     "destination,reply,hop", false,
     "Refusals by routers on the way or by the destination, by their reason and by sender."},
    {Metric::destination_paths_refused, "ecmp_destination_paths_refused_total", counter, "destination", false,
     "Times a path was not published because the destination had as many as limits.max_paths_per_destination allows."},
    {Metric::path_coverage_probability, "ecmp_path_coverage_probability", gauge, "destination", false,
     "Probability that the flows in use reach every path, if routers share flows equally among their branches; absent "
     "until a hop has answered."},
    {Metric::flow_probes, "ecmp_flow_probes_total", counter, "destination,flow", false,
     "End-to-end probes of a flow that are finished, answered or not."},
    {Metric::flow_replies, "ecmp_flow_replies_total", counter, "destination,flow", false,
     "End-to-end probes of a flow that the destination answered."},
    {Metric::flow_unjudged, "ecmp_flow_unjudged_total", counter, "destination,flow,reason", false,
     "Rounds of a flow that say nothing about the network, by reason: suppressed (the destination limits its answers), "
     "left_out (not asked, to stay below such a limit) or undecided. They are in no count of probes."},
    {Metric::flow_path_info, "ecmp_flow_path_info", gauge, "destination,flow,path", false,
     "The path a flow is on now; always 1."},
    {Metric::flow_path_changes, "ecmp_flow_path_changes_total", counter, "destination,flow,kind", false,
     "Confirmed changes of a flow's path, by kind: reroute, remap, width or per_packet."},
    {Metric::path_probes, "ecmp_path_probes_total", counter, "destination,path", false,
     "Finished end-to-end probes, by the path their flow was on."},
    {Metric::path_replies, "ecmp_path_replies_total", counter, "destination,path", false,
     "End-to-end probes that the destination answered, by the path their flow was on."},
    {Metric::path_unjudged, "ecmp_path_unjudged_total", counter, "destination,path,reason", false,
     "Rounds that say nothing about the network, by the path their flow was on and by reason: suppressed, left_out or "
     "undecided."},
    {Metric::path_flows, "ecmp_path_flows", gauge, "destination,path", false, "Flows that are on a path now."},
    {Metric::path_hops, "ecmp_path_hops", gauge, "destination,path", false,
     "Length of a path in hops, the destination included."},
    {Metric::reflector_up, "ecmp_reflector_up", gauge, "destination", false,
     "Whether the STAMP reflector of the destination answers: 1 or 0; absent while it is too early to say."},
    {Metric::reflector_info, "ecmp_reflector_info", gauge, "destination,mode,clock", false,
     "What the reflector is: mode stateful (losses have a direction), stateless (only round trips are known) or "
     "unknown; clock synchronised or unsynchronised, as it says itself; always 1."},
    {Metric::reflector_restarts, "ecmp_reflector_restarts_total", counter, "destination", false,
     "Times that the reflector restarted its counters."},
    {Metric::path_oneway_packets, "ecmp_path_oneway_packets_total", counter, "destination,path,direction", false,
     "Packets of STAMP streams whose fate is known, by the path of their flow: forward those of which a loss would "
     "have "
     "been seen on the way there, reverse those of them that reached the reflector, unresolved those of which only the "
     "round trip is known."},
    {Metric::path_oneway_losses, "ecmp_path_oneway_losses_total", counter, "destination,path,direction", false,
     "Those of ecmp_path_oneway_packets_total with the same labels that were lost."},
    {Metric::path_oneway_window_loss_ratio, "ecmp_path_oneway_window_loss_ratio", gauge, "destination,path,direction",
     false,
     "Share of ecmp_path_oneway_packets_total that was lost within the rolling window; absent while there are none."},
    {Metric::path_oneway_severe_seconds, "ecmp_path_oneway_severe_seconds_total", counter, "destination,path,direction",
     false,
     "Seconds in which more than half of the packets sent over a path were lost, outside of unavailable time; counted "
     "once all packets of the second are judged."},
    {Metric::path_oneway_unavailable_seconds, "ecmp_path_oneway_unavailable_seconds_total", counter,
     "destination,path,direction", false,
     "Seconds of unavailable time of a path, which ten seconds in a row with more than half of their packets lost "
     "begin "
     "and ten others in a row end."},
    {Metric::path_oneway_delay_variation, "ecmp_path_oneway_delay_variation_seconds", summary,
     "destination,path,direction", false,
     "How much longer packets took than the fastest of their stream in the last minute, in one direction, which needs "
     "no synchronised clocks: quantiles over the rolling window; sum and count since the path is known."},
    {Metric::path_oneway_relative_delay, "ecmp_path_oneway_relative_delay_seconds", gauge, "destination,path,direction",
     false,
     "How much slower the path's fastest packet of ten seconds was than that of the fastest path to the same "
     "reflector, "
     "in one direction, which needs no synchronised clocks; absent where there is nothing to compare."},
    {Metric::flow_oneway_losses, "ecmp_flow_oneway_losses_total", counter, "destination,flow,direction", false,
     "Packets of a flow's STAMP stream that were lost, by where: forward, reverse, or unresolved."},
    {Metric::flow_oneway_reordered, "ecmp_flow_oneway_reordered_total", counter, "destination,flow,direction", false,
     "Packets of a flow's STAMP stream that arrived after a later one (RFC 4737); only of stateful reflectors."},
    {Metric::flow_oneway_duplicates, "ecmp_flow_oneway_duplicates_total", counter, "destination,flow,direction", false,
     "Copies of packets of a flow's STAMP stream that arrived within its timeout (RFC 5560)."},
    {Metric::flow_reverse_path_info, "ecmp_flow_reverse_path_info", gauge, "destination,flow,path", false,
     "The path of the replies of a flow, as the reflecting agent has traced it; always 1."},
    {Metric::path_window_loss_ratio, "ecmp_path_window_loss_ratio", gauge, "destination,path", false,
     "Share of a path's end-to-end probes that were lost within the rolling window; absent while it has none."},
    {Metric::path_window_rtt, "ecmp_path_window_rtt_seconds", summary, "destination,path", false,
     "End-to-end RTT of a path: quantiles over the rolling window; sum and count since the path is known."},
    {Metric::path_window_jitter, "ecmp_path_window_jitter_seconds", summary, "destination,path", false,
     "Difference of consecutive RTTs of a flow: quantiles over the rolling window; sum and count since the path is "
     "known."},
    {Metric::path_rtt, "ecmp_path_rtt_seconds", histogram, "destination,path", false, "End-to-end RTT of a path."},
    {Metric::path_jitter, "ecmp_path_jitter_seconds", histogram, "destination,path", false,
     "Difference of consecutive end-to-end RTTs of a flow, by the path it is on."},
    {Metric::path_loss_ratio, "ecmp_path_loss_ratio", histogram, "destination,path", false,
     "Loss of a path, end to end, over one round of all its flows."},
    {Metric::flow_info, "ecmp_flow_info", gauge, "destination,flow,source_address", false,
     "The source address of a flow, which its route gives, to join on; always 1."},
    {Metric::flow_path_ordinal, "ecmp_flow_path_ordinal", gauge, "destination,flow", false,
     "Small number of the path a flow is on, given in the order of appearance; 0 while it has none."},
    {Metric::path_hop_info, "ecmp_path_hop_info", gauge, "destination,path,ttl,hop", false,
     "Which responder stands at which TTL of a path; always 1."},
    {Metric::hop_info, "ecmp_hop_info", gauge, "hop,name,asn,city,country,mpls", false,
     "Reverse name, AS number, place and newest MPLS labels of a responder, to join on; always 1."},
    {Metric::hop_finding_info, "ecmp_hop_finding_info", gauge, "destination,path,ttl,hop,kind,detail", false,
     "Findings in replies and their quotes, at the hop where each begins: nat, sequence, dscp, ecn, quoted_ttl, "
     "return_path, mtu or interface; always 1."},
    {Metric::link_flows, "ecmp_link_flows", gauge, "destination,ttl,from,to", false,
     "Flows that go from one responder to the next now; the TTL is that of the next."},
    {Metric::hop_limited, "ecmp_hop_limited", gauge, "destination,path,ttl,hop", false,
     "Present for hops whose responder limits its ICMP errors: 1 if inferred from its silence, 2 if confirmed by "
     "asking it more and less often."},
    {Metric::hop_losses, "ecmp_hop_losses_total", counter, "destination,path,ttl,hop", false,
     "Probes with no answer from this hop or any beyond it."},
    {Metric::hop_probes, "ecmp_hop_probes_total", counter, "destination,path,ttl,hop", false,
     "Finished probes of a hop; one with no answer counts for the last responder known there."},
    {Metric::hop_silences, "ecmp_hop_silences_total", counter, "destination,path,ttl,hop", false,
     "Probes that this hop did not answer while a later hop answered: not loss, often an ICMP limit."},
    {Metric::hop_replies, "ecmp_hop_replies_total", counter, "destination,path,ttl,hop", false,
     "Probes that this hop answered."},
    {Metric::hop_window_loss_ratio, "ecmp_hop_window_loss_ratio", gauge, "destination,path,ttl,hop", false,
     "Share of a hop's probes that neither it nor any beyond it answered within the rolling window; absent while it "
     "has none."},
    {Metric::hop_window_rtt, "ecmp_hop_window_rtt_seconds", summary, "destination,path,ttl,hop", false,
     "RTT to a hop: quantiles over the rolling window; sum and count since the hop is known."},
    {Metric::hop_window_jitter, "ecmp_hop_window_jitter_seconds", summary, "destination,path,ttl,hop", false,
     "Difference of consecutive RTTs of a flow to a hop: quantiles over the rolling window; sum and count since the "
     "hop is known."},
    {Metric::hop_rtt, "ecmp_hop_rtt_seconds", histogram, "destination,path,ttl,hop", false,
     "RTT to one hop of a path."},
    {Metric::hop_loss_ratio, "ecmp_hop_loss_ratio", histogram, "destination,path,ttl,hop", false,
     "Loss at one hop of a path over one round of all its flows."},
    {Metric::hop_jitter, "ecmp_hop_jitter_seconds", histogram, "destination,path,ttl,hop", false,
     "Difference of consecutive RTTs of a flow to one hop of a path."},

    {Metric::build_info, "ecmp_exporter_build_info", gauge, "version,revision", false,
     "Version and revision of the running program; always 1."},
    {Metric::config_last_reload_successful, "ecmp_exporter_config_last_reload_successful", gauge, "", false,
     "Whether the last attempt to load the configuration succeeded."},
    {Metric::config_last_reload_success_timestamp, "ecmp_exporter_config_last_reload_success_timestamp_seconds", gauge,
     "", false, "When the configuration was last loaded with success, in seconds since 1970."},
    {Metric::web_config_current, "ecmp_exporter_web_config_current", gauge, "", false,
     "Whether the web configuration on disk is the one in force: 0 if it is invalid or would open the server, in which "
     "case the last valid one stays. Absent without one."},
    {Metric::discovery_source_up, "ecmp_exporter_discovery_source_up", gauge, "source", false,
     "Whether the newest content of a file or server of [discovery] was valid; if not, its last valid destinations "
     "stay in force."},
    {Metric::discovery_failures, "ecmp_exporter_discovery_failures_total", counter, "source", false,
     "Times that a file or server of [discovery] could not be read or had invalid content."},
    {Metric::discovery_destinations, "ecmp_exporter_discovery_destinations", gauge, "source", false,
     "Destinations that a file or server of [discovery] listed last."},
    {Metric::destinations_left_out, "ecmp_exporter_destinations_left_out", gauge, "reason", false,
     "Destinations that are not traced, since another source has their name or flows, or for limits.max_destinations."},
    {Metric::destinations_elsewhere, "ecmp_exporter_destinations_elsewhere", gauge, "", false,
     "Destinations that belong to other shards."},
    {Metric::probes_sent, "ecmp_exporter_probes_sent_total", counter, "protocol", false, "Probes sent."},
    {Metric::stream_packets_sent, "ecmp_exporter_stream_packets_sent_total", counter, "", false,
     "Packets of STAMP streams sent; the probes of their traces are in ecmp_exporter_probes_sent_total."},
    {Metric::resets_sent, "ecmp_exporter_tcp_resets_sent_total", counter, "", false,
     "RSTs sent to end what a SYN may have begun: it had no answer, or the kernel's own RST did not leave. No probes."},
    {Metric::send_errors, "ecmp_exporter_send_errors_total", counter, "reason", false,
     "Probes that did not leave this host."},
    {Metric::replies_ignored, "ecmp_exporter_replies_ignored_total", counter, "reason", false,
     "Received datagrams that were not counted as replies."},
    {Metric::capture_dropped, "ecmp_exporter_capture_dropped_total", counter, "", false,
     "Packets that the kernel dropped because its capture buffer was full."},
    {Metric::schedule_lag, "ecmp_exporter_schedule_lag_seconds", histogram, "", false,
     "Delay between the time a probe was due and the time it was sent."},
    {Metric::rounds_skipped, "ecmp_exporter_rounds_skipped_total", counter, "", false,
     "Rounds that did not begin because earlier ones of their flow were not over or time ran out."},
    {Metric::rate_limited, "ecmp_exporter_rate_limited_total", counter, "", false,
     "Probes that waited for limits.probes_per_second."},
    {Metric::responder_delayed, "ecmp_exporter_responder_delayed_total", counter, "", false,
     "Probes that waited for limits.probes_per_second_per_responder."},
    {Metric::probes_left_out, "ecmp_exporter_probes_left_out_total", counter, "", false,
     "Probes of near hops that were not sent in their round, because other flows ask the same responder as often as it "
     "answers."},
    {Metric::series, "ecmp_exporter_series", gauge, "", false, "Series about the network in the scrape before this."},
    {Metric::series_dropped, "ecmp_exporter_series_dropped_total", counter, "family", false,
     "Series left out of scrapes because of limits.max_series."},
    {Metric::dns_errors, "ecmp_exporter_dns_errors_total", counter, "", false,
     "DNS queries that failed, of destinations and of reverse names."},
    {Metric::scrape_duration, "ecmp_exporter_scrape_duration_seconds", histogram, "", false,
     "Time taken to render a scrape."},
    {Metric::history_rounds, "ecmp_exporter_history_rounds", gauge, "", false, "Rounds kept for /paths."},
    {Metric::history_bytes, "ecmp_exporter_history_bytes", gauge, "", false, "Memory of the rounds kept for /paths."},
    {Metric::history_forgotten, "ecmp_exporter_history_forgotten_total", counter, "", false,
     "Rounds forgotten because of history.memory."},
    {Metric::history_disk_bytes, "ecmp_exporter_history_disk_bytes", gauge, "", false,
     "Size of the files of history.directory."},
    {Metric::history_disk_files, "ecmp_exporter_history_disk_files", gauge, "", false,
     "Files of rounds and events in history.directory."},
    {Metric::history_disk_oldest_timestamp, "ecmp_exporter_history_disk_oldest_timestamp_seconds", gauge, "", false,
     "Time of the oldest round or event on disk, in seconds since 1970."},
    {Metric::history_disk_writable, "ecmp_exporter_history_disk_writable", gauge, "", false,
     "Whether the newest attempt to write to history.directory was successful."},
    {Metric::history_disk_errors, "ecmp_exporter_history_disk_errors_total", counter, "", false,
     "Failures to open, write or synchronise the files of history.directory."},
    {Metric::history_disk_damaged, "ecmp_exporter_history_disk_damaged_total", counter, "", false,
     "Damaged places found in the files of history.directory, which are passed over, and files left out."},
    {Metric::history_dropped, "ecmp_exporter_history_dropped_total", counter, "reason", false,
     "Rounds and events that are not on disk: queue_full (the disk is too slow), not_written (it failed)."},
    {Metric::events, "ecmp_exporter_events", gauge, "", false, "Events kept for /events."},
    {Metric::events_forgotten, "ecmp_exporter_events_forgotten_total", counter, "", false,
     "Events forgotten because their memory is limited."},
    {Metric::http_connections_refused, "ecmp_exporter_http_connections_refused_total", counter, "reason", false,
     "HTTP connections refused or cut."},
    {Metric::http_requests, "ecmp_exporter_http_requests_total", counter, "code", false,
     "HTTP requests answered, by status code; connections refused before a request are left out."},
    {Metric::http_answer_bytes, "ecmp_exporter_http_answer_memory_bytes", gauge, "", false,
     "Memory of the HTTP answers under way, including old snapshots that only they still hold."},
    {Metric::one_off_traces, "ecmp_exporter_one_off_traces_total", counter, "result", false,
     "Traces made for GET /probe, by whether the destination was reached."},
    {Metric::one_off_refused, "ecmp_exporter_one_off_refused_total", counter, "reason", false,
     "Requests of GET /probe that were refused, or whose trace could not be made."},
    {Metric::reflected, "ecmp_exporter_reflected_total", counter, "", false,
     "Requests of STAMP and TWAMP Light senders that our reflector answered."},
    {Metric::reflector_refused, "ecmp_exporter_reflector_refused_total", counter, "reason", false,
     "Requests that our reflector did not answer: docs/stamp.md lists the reasons."},
    {Metric::reflector_sessions, "ecmp_exporter_reflector_sessions", gauge, "", false,
     "Streams of senders that our reflector remembers."},
    {Metric::privileges_info, "ecmp_exporter_privileges_info", gauge, "user,capabilities,no_new_privs,seccomp", false,
     "What the exporter runs with, all its threads together; always 1."},
    {Metric::log_dropped, "ecmp_exporter_log_dropped_total", counter, "", false,
     "Log lines dropped because their reader is too slow."},
    {Metric::socket_list_failures, "ecmp_exporter_socket_list_failures_total", counter, "", false,
     "Times that the kernel did not return the list of the host's sockets: a flow may then share the port of a "
     "connection unnoticed."},
    {Metric::unobserved_rounds, "ecmp_exporter_unobserved_rounds_total", counter, "reason", false,
     "Rounds that are incomplete because this host or exporter failed; they count as unobserved, not as loss."},
    {Metric::clock_steps, "ecmp_exporter_clock_steps_total", counter, "", false,
     "Times that the wall clock was set. Measured intervals do not depend on it, published times do."},
    {Metric::link_loss_ratio, "ecmp_link_loss_ratio", gauge, "from,to", false,
     "Most likely loss of a suspected link, from the loss of all flows of all destinations since it began; only the "
     "worst links of [localisation]."},
    {Metric::link_suspicion, "ecmp_link_suspicion", gauge, "from,to", false,
     "Loss that only this link explains, as a multiple of what a verdict needs. A score: the verdict is "
     "ecmp_link_blamed."},
    {Metric::link_blamed, "ecmp_link_blamed", gauge, "from,to", false,
     "1 if the verdict is that this link loses probes now, 0 if it is only suspected or no longer loses."},
    {Metric::localisation_verdicts, "ecmp_localisation_verdicts_total", counter, "kind", false,
     "Findings that began, by kind: loss_verdict, delay_verdict, imbalance or polarised."},

    {Metric::process_cpu_seconds, "process_cpu_seconds_total", counter, "", false,
     "Total user and system CPU time spent in seconds."},
    {Metric::process_open_fds, "process_open_fds", gauge, "", false, "Number of open file descriptors."},
    {Metric::process_max_fds, "process_max_fds", gauge, "", false, "Maximum number of open file descriptors."},
    {Metric::process_virtual_memory_bytes, "process_virtual_memory_bytes", gauge, "", false,
     "Virtual memory size in bytes."},
    {Metric::process_resident_memory_bytes, "process_resident_memory_bytes", gauge, "", false,
     "Resident memory size in bytes."},
    {Metric::process_start_time_seconds, "process_start_time_seconds", gauge, "", false,
     "Start time of the process since the unix epoch in seconds."},

    {Metric::probe_success, "ecmp_probe_success", gauge, "", false,
     "Whether any flow reached the destination in its last round."},
    {Metric::probe_duration, "ecmp_probe_duration_seconds", gauge, "", false,
     "Duration of the trace, including the look-up of the name."},
    {Metric::blackbox_success, "probe_success", gauge, "", false,
     "The same as ecmp_probe_success, by the name that blackbox_exporter has for it."},
    {Metric::blackbox_duration, "probe_duration_seconds", gauge, "", false,
     "The same as ecmp_probe_duration_seconds, by the name that blackbox_exporter has for it."},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if (kTable[i].metric != static_cast<Metric>(i)) return false;
  }
  return true;
}
static_assert(in_order(), "a row for every metric, in the order of the enumeration");

constexpr Subject subject_of(const MetricRow& row) {
  struct Begin {
    std::string_view labels;
    Subject subject;
  };
  constexpr std::array<Begin, 8> kBegins{{{"destination,path,ttl,hop,kind", Subject::finding},
                                          {"destination,path,ttl,hop", Subject::hop},
                                          {"destination,path", Subject::path},
                                          {"destination,flow", Subject::flow},
                                          {"destination,ttl,from,to", Subject::link},
                                          {"destination,reply,hop", Subject::refusal},
                                          {"destination", Subject::destination},
                                          {"hop", Subject::responder}}};
  if (static_cast<std::size_t>(row.metric) >= kNetworkMetrics) return Subject::exporter;
  for (const Begin& begin : kBegins)
    if (row.labels.starts_with(begin.labels)) return begin.subject;
  return Subject::exporter;
}

constexpr auto kSubjects = [] {
  std::array<Subject, kMetrics> subjects{};
  for (std::size_t i = 0; i < kMetrics; ++i)
    subjects[i] = subject_of(kTable[i]);
  return subjects;
}();

}  // namespace

std::span<const MetricRow> metric_table() {
  return kTable;
}

Subject subject_of(Metric metric) {
  return kSubjects[static_cast<std::size_t>(metric)];
}

const MetricRow& row(Metric metric) {
  return kTable[static_cast<std::size_t>(metric)];
}

std::string_view to_string(MetricType type) {
  switch (type) {
    case counter:
      return "counter";
    case gauge:
      return "gauge";
    case histogram:
      return "histogram";
    case summary:
      return "summary";
  }
  return "";
}

}  // namespace ecmp::render
