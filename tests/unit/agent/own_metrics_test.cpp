#include "agent/own_metrics.hpp"

#include <set>

#include "../render/golden.hpp"
#include "catch.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

OwnMetricsInput example_input() {
  OwnMetricsInput input;
  input.version = "1.2.3";
  input.revision = "abc1234";
  input.config_reload_successful = true;
  input.config_reload_success = WallTime(1767225600s + 250ms);
  input.sources = {{"targets/a.json", true, 0, 12}, {"http://user:<secret>@127.0.0.1/\"x\"", false, 3, 4}};
  input.destinations_left_out = {1, 2, 3};
  input.destinations_elsewhere = 99;
  input.engine.probes_sent = {384'000'000'001, 20, 30};
  input.engine.stream_packets_sent = 3184;
  for (std::size_t i = 0; i < input.engine.send_errors.size(); ++i) {
    input.engine.send_errors[i] = i;
  }
  for (std::size_t i = 0; i < input.engine.ignored.size(); ++i) {
    input.engine.ignored[i] = 10 + i;
  }
  for (std::size_t i = 0; i < input.engine.unobserved.size(); ++i) {
    input.engine.unobserved[i] = 50 + i;
  }
  input.clock_steps = 2;
  input.engine.rounds_skipped = 5;
  input.engine.rate_limited = 6;
  input.engine.responder_delayed = 7;
  input.engine.left_out = 11;
  input.capture_dropped = 8;
  input.dns_errors = 9;
  input.socket_list_failures = 3;
  input.history_rounds = 1000;
  input.history_bytes = 64ull << 20;
  input.history_forgotten = 11;
  input.history_disk = HistoryStore::Report{.bytes = 123456789,
                                            .files = 12,
                                            .oldest = WallTime(std::chrono::seconds(1700000000)),
                                            .damaged = 1,
                                            .errors = 2,
                                            .dropped_queue_full = 3,
                                            .dropped_not_written = 4,
                                            .failing = false};
  input.events = 21;
  input.events_forgotten = 22;
  input.http_connections_refused = {{"full", 12}, {"address", 0}};
  input.http_requests = {{"200", 31}, {"404", 2}};
  input.http_answer_bytes = 524288;
  input.one_off_traces = {{"reached", 13}, {"not_reached", 1}};
  input.one_off_refused = {{"rate", 14}, {"busy", 0}};
  input.reflector = ReflectorThread::Report{.reflected = 4711, .sessions = 16};
  for (std::size_t i = 0; i < input.reflector->refused.size(); ++i)
    input.reflector->refused[i] = 70 + i;
  input.privileges = net::Privileges{"ecmp-exporter", "none", true, "filter"};
  input.process = ProcessUsage{12.34, 1767225599.99, 123456789, 34567890, 17, 1048576};
  return input;
}

void note_scrapes(OwnMetrics& metrics) {
  metrics.on_scrape({1000, {{"ecmp_hop_replies_total", 400}}}, 1ms);
  metrics.on_scrape({900, {{"ecmp_hop_replies_total", 400}, {"ecmp_hop_silences_total", 3}}}, 1100us);
  metrics.on_scrape({800, {}}, 3s);
}

std::string text_of(const OwnMetrics& metrics, const OwnMetricsInput& input, const render::FamilyFilter& filter,
                    render::Format format = render::Format::text) {
  std::string text;
  metrics.append(text, format, input, filter);
  return text;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("the exporter's own metrics are exactly these, in every format", "[agent]") {
  OwnMetrics metrics;
  note_scrapes(metrics);
  // The bounds of the schedule's lag are the engine's, so that family is not in this file.
  render::FamilyFilter all_but_lag;
  for (const render::MetricRow& family : own_metrics())
    if (family.name != "ecmp_exporter_schedule_lag_seconds") all_but_lag.emplace(family.name);
  const auto golden = [&](const char* name, render::Format format) {
    render::test::check_golden(name, text_of(metrics, example_input(), all_but_lag, format));
  };
  golden("own_metrics.txt", render::Format::text);
  golden("own_metrics.openmetrics.txt", render::Format::openmetrics);
  golden("own_metrics.protobuf", render::Format::protobuf);
}

TEST_CASE("every own family of the table is published, and no other", "[agent]") {
  OwnMetricsInput input = example_input();
  LocalisationReport report;
  report.links.resize(2);
  report.links[0].links = {{IpAddress::v4(0x0a000001), IpAddress::v4(0x0a000002)}};
  report.links[0].loss = 0.25;
  report.links[0].suspicion = 3;
  report.links[1].links = report.links[0].links;  // published once: the stronger suspicion
  input.localisation = std::make_shared<const LocalisationReport>(report);
  input.localisation_verdicts = {{"loss_verdict", 5}};
  input.web_config_current = false;
  const std::string text = text_of(OwnMetrics(), input, {});
  CHECK(count_of(text, "\necmp_exporter_web_config_current 0\n") == 1);
  CHECK(count_of(text, "ecmp_link_loss_ratio{from=\"10.0.0.1\",to=\"10.0.0.2\"} 0.25\n") == 1);
  CHECK(count_of(text, "ecmp_link_suspicion{from=\"10.0.0.1\",to=\"10.0.0.2\"} 3\n") == 1);
  // A score of 3 and no verdict: hops have contradicted it.
  CHECK(count_of(text, "ecmp_link_blamed{from=\"10.0.0.1\",to=\"10.0.0.2\"} 0\n") == 1);
  CHECK(count_of(text, "ecmp_localisation_verdicts_total{kind=\"loss_verdict\"} 5\n") == 1);
  const auto own = own_metrics();
  for (const render::MetricRow& family : own) {
    CAPTURE(family.name);
    CHECK(count_of(text, "# TYPE " + std::string(family.name) + " " + std::string(to_string(family.type)) + "\n") == 1);
  }
  CHECK(count_of(text, "# TYPE ") == own.size());
}

TEST_CASE("the lag of the schedule becomes a cumulative histogram", "[agent]") {
  OwnMetricsInput input = example_input();
  input.engine.schedule_lag.fill(0);
  input.engine.schedule_lag.front() = 3;
  input.engine.schedule_lag.back() = 2;
  input.engine.schedule_lag_sum = 2500ms;
  const std::string text = text_of(OwnMetrics(), input, {"ecmp_exporter_schedule_lag_seconds"});
  CHECK(count_of(text, "ecmp_exporter_schedule_lag_seconds_bucket{") == schedule_lag_bounds().size() + 1);
  CHECK(count_of(text, "\"} 3\n") == schedule_lag_bounds().size());
  CHECK(count_of(text, "ecmp_exporter_schedule_lag_seconds_bucket{le=\"+Inf\"} 5\n") == 1);
  CHECK(count_of(text, "ecmp_exporter_schedule_lag_seconds_count 5\n") == 1);
  CHECK(count_of(text, "ecmp_exporter_schedule_lag_seconds_sum 2.5\n") == 1);
}

TEST_CASE("what is not known is not published", "[agent]") {
  OwnMetricsInput input = example_input();
  input.process.reset();
  input.config_reload_success.reset();
  input.http_connections_refused.clear();
  const std::string text = text_of(OwnMetrics(), input, {});
  CHECK(text.find("process_") == std::string::npos);
  CHECK(text.find("success_timestamp") == std::string::npos);
  CHECK(text.find("connections_refused") == std::string::npos);
}

TEST_CASE("a filter takes own families by name", "[agent]") {
  const std::string text = text_of(OwnMetrics(), example_input(), {"process_open_fds", "ecmp_paths"});
  CHECK(text ==
        "# HELP process_open_fds Number of open file descriptors.\n# TYPE process_open_fds gauge\n"
        "process_open_fds 17\n");
  CHECK(text_of(OwnMetrics(), example_input(), {"ecmp_paths"}).empty());
}

TEST_CASE("the usage of a process is read from /proc/PID/stat, whatever the program is called", "[agent]") {
  const auto stat = parse_process_stat(
      "4242 (a) b (c) S 1 4242 4242 0 -1 4194304 100 0 0 0 250 150 0 0 20 0 3 0 987654 123456789 4321 "
      "18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0\n");
  REQUIRE(stat);
  CHECK(stat->cpu_ticks == 400);
  CHECK(stat->start_ticks == 987654);
  CHECK(stat->virtual_bytes == 123456789);
  CHECK(stat->resident_pages == 4321);
  CHECK_FALSE(parse_process_stat(""));
  CHECK_FALSE(parse_process_stat("1 (x) S 1 2 3"));
  CHECK_FALSE(parse_process_stat("1 (x) S 1 2 3 4 5 6 7 8 9 10 x 150 0 0 20 0 3 0 987654 123456789 4321"));
}

TEST_CASE("this process can be read", "[agent]") {
  const auto usage = ProcessReader().read();
  REQUIRE(usage);
  CHECK(usage->resident_bytes > 0);
  CHECK(usage->virtual_bytes >= usage->resident_bytes);
  CHECK(usage->open_fds >= 1);
  CHECK(usage->max_fds >= usage->open_fds);
  CHECK(usage->start_time_seconds > 1.6e9);
}
