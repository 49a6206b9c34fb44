#include "render/json/ndjson.hpp"

#include <nlohmann/json.hpp>
#include <random>

#include "catch.hpp"
#include "snapshots.hpp"

using namespace ecmp;
using namespace ecmp::render;
using namespace ecmp::render::test;
using namespace std::chrono_literals;

namespace {

HopResult hop(std::uint8_t ttl, HopOutcome outcome) {
  HopResult result;
  result.ttl = ttl;
  result.outcome = outcome;
  return result;
}

HopResult replied(std::uint8_t ttl, const char* from, Duration rtt, Instant received, packet::ReplyKind kind) {
  HopResult result = hop(ttl, HopOutcome::replied);
  result.responder = ip(from);
  result.rtt = rtt;
  result.received = received;
  result.reply = kind;
  result.reply_ttl = static_cast<std::uint8_t>(65 - ttl);
  return result;
}

/// A round that started at 2026-01-01T00:00:00Z: an answer with an MPLS label, a silence, a send that failed, and the
/// destination.
RoundRecord example_round() {
  const Instant start(100s);
  DestinationFacts facts;
  facts.name = "fra-edge";
  facts.host = "192.0.2.1";
  facts.address = ip("192.0.2.1");
  facts.protocol = Protocol::udp;
  facts.port = 33434;
  facts.source_ports = 50000;
  facts.flows = 16;
  RoundRecord record;
  record.destination = std::make_shared<const DestinationFacts>(facts);
  record.flow_index = 3;
  record.source_port = 50003;
  record.source = ip("198.51.100.1");
  record.round.number = 12;
  record.round.started = start;
  record.round.finished = start + 2s;
  record.round.end_to_end = EndToEnd::reached;
  record.round.distance = 4;
  record.wall_offset = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1).time_since_epoch() - 100s;
  HopResult first = replied(1, "198.51.100.254", 312044ns, start + 312us, packet::ReplyKind::time_exceeded);
  packet::MplsStack labels;
  labels.depth = 2;
  labels.labels[0] = {.label = 16004, .traffic_class = 5, .bottom = false, .ttl = 1};
  labels.labels[1] = {.label = 24005, .traffic_class = 0, .bottom = true, .ttl = 254};
  first.mpls = labels;
  record.round.hops = {first, hop(2, HopOutcome::silent), hop(3, HopOutcome::send_failed),
                       replied(4, "192.0.2.1", 1499999ns, start + 301ms, packet::ReplyKind::port_unreachable)};
  record.verdict.path = 0x5c1e09aa;
  record.verdict.ordinal = 2;
  record.verdict.changed = ChangeKind::remap;
  record.verdict.previous = 1;
  PathWindow window;
  window.figures.probes = 32;
  window.figures.losses = 1;
  window.figures.rtt = {1400us, 1500us, 1600001ns};
  window.figures.jitter = {10us, 20us, 30us};
  window.delay_variation = {1us, 2us, 3us};
  record.verdict.window = std::make_shared<const PathWindow>(window);
  record.verdict.smoothed_jitter = 12345ns;
  record.verdict.responders = std::make_shared<const std::vector<IpAddress>>(
      std::vector<IpAddress>{ip("198.51.100.254"), ip("203.0.113.7"), IpAddress{}, ip("192.0.2.1")});
  return record;
}

std::string line_of(const RoundRecord& record, const HopNames& names) {
  std::string line;
  append_round(line, record, names);
  return line;
}

}  // namespace

TEST_CASE("a round becomes exactly this line", "[render]") {
  NamesOfTest names;
  names.names[ip("198.51.100.254")] = "gw.example.net";
  names.names[ip("192.0.2.1")] = "fra.example.net";
  // The hash: `printf '198.51.100.254|203.0.113.7|192.0.2.1|' | gzip -c | tail -c8 | od -An -tx4 -N4`
  const std::string expected =
      R"({"probe_id":3,"probe_num":12,"path_hash":"142ce319","source_ip":"198.51.100.1","source_port":50003,)"
      R"("destination_ip":"192.0.2.1","destination_port":33434,"destination_ptr":"fra.example.net","protocol":"UDP",)"
      R"("reached_dest":true,"hops":[)"
      R"({"ttl":1,"ip":"198.51.100.254","rtt":312,"timeout":false,"ptr":"gw.example.net",)"
      R"("recv_time":"2026-01-01T00:00:00.000312000Z","rtt_ns":312044,"silent":false,"reply_ttl":64,)"
      R"("reply":"time_exceeded","mpls":[{"label":16004,"tc":5,"s":false,"ttl":1},)"
      R"({"label":24005,"tc":0,"s":true,"ttl":254}]},)"
      R"({"ttl":2,"ip":"","rtt":0,"timeout":true,"ptr":"","recv_time":"","rtt_ns":0,"silent":true,"reply_ttl":0,)"
      R"("reply":"","mpls":[]},)"
      R"({"ttl":3,"ip":"","rtt":0,"timeout":true,"ptr":"","recv_time":"","rtt_ns":0,"silent":false,"reply_ttl":0,)"
      R"("reply":"send_failed","mpls":[]},)"
      R"({"ttl":4,"ip":"192.0.2.1","rtt":1499,"timeout":false,"ptr":"fra.example.net",)"
      R"("recv_time":"2026-01-01T00:00:00.301000000Z","rtt_ns":1499999,"silent":false,"reply_ttl":61,)"
      R"("reply":"port_unreachable","mpls":[]}],)"
      R"("timestamp":"2026-01-01T00:00:00.000000000Z","destination":"fra-edge","path":"5c1e09aa","path_ordinal":2,)"
      R"("changed":"remap","outcome":"reached","loss":false,"window":{"loss_ratio":0.03125,)"
      R"("rtt_ns":{"p50":1400000,"p95":1500000,"p99":1600001},"jitter_ns":{"p50":10000,"p95":20000,"p99":30000},)"
      R"("jitter_rfc3550_ns":12345,"pdv_ns":{"p50":1000,"p95":2000,"p99":3000}}})"
      "\n";
  CHECK(line_of(example_round(), names) == expected);
}

TEST_CASE("a round of a flow with a stream says what the stream saw", "[render][stamp]") {
  OnewayPathSnapshot path;
  path.path = 0x5c1e09aa;
  path.counts = {.resolved = 2400, .forward = 24, .round_trips = 50, .unresolved = 5};
  path.window = {.resolved = 1200, .forward = 12};
  path.exchanges = 1170;
  path.forward_window = {1us, 2us, 3us};
  path.relative_forward = 250us;
  path.forward_delay = {.sum = {.count = 7, .seconds = 1}, .window = 7, .quantiles = {10ms, 11ms, 12ms}};
  path.forward_seconds = {.severe = 3, .unavailable = 21};
  path.unresolved_seconds = {.severe = 2, .unavailable = 0};
  OnewayPathSnapshot back;
  back.path = 0x0badcafe;
  back.back = {.resolved = 500, .forward = 100, .reverse = 8};  // 400 packets came there
  back.reverse_seconds = {.severe = 1, .unavailable = 10};
  OnewayRound oneway;
  oneway.flow.counts = {.resolved = 10, .forward = 2, .reverse = 1, .reordered_forward = 3};
  oneway.flow.duplicates_reverse = 4;
  oneway.flow.reverse_path = back.path;
  oneway.flow.reverse_routers =
      std::make_shared<const std::vector<IpAddress>>(std::vector<IpAddress>{ip("198.51.100.9"), IpAddress()});
  oneway.reflector = {
      .up = true, .mode = stamp::ReflectorMode::stateful, .synchronised = true, .restarts = 6, .clock_error = 3ms};
  oneway.there = std::make_shared<const OnewayPathSnapshot>(path);
  oneway.back = std::make_shared<const OnewayPathSnapshot>(back);
  RoundRecord record = example_round();
  record.oneway = std::make_shared<const OnewayRound>(oneway);
  std::string line;
  append_round(line, record, NoNames{});
  const nlohmann::json expected = nlohmann::json::parse(R"({
    "reflector":{"up":true,"mode":"stateful","clock":"synchronised","clock_error_ns":3000000,"restarts":6},
    "flow":{"forward":{"packets":10,"losses":2,"reordered":3,"duplicates":0},
            "reverse":{"packets":8,"losses":1,"reordered":0,"duplicates":4},
            "unresolved":{"packets":0,"losses":0},"reverse_path":"0badcafe",
            "reverse_routers":["198.51.100.9",""]},
    "path":{"forward":{"packets":2400,"losses":24,"severe_seconds":3,"unavailable_seconds":21,
                       "window":{"packets":1200,"losses":12,"loss_ratio":0.01,
                       "delay_variation_ns":{"p50":1000,"p95":2000,"p99":3000},
                       "delay_ns":{"p50":10000000,"p95":11000000,"p99":12000000}},"relative_delay_ns":250000},
            "reverse":{"packets":400,"losses":8,"severe_seconds":1,"unavailable_seconds":10,
                       "window":{"packets":0,"losses":0,"loss_ratio":null,
                       "delay_variation_ns":null,"delay_ns":null},"relative_delay_ns":null},
            "unresolved":{"packets":50,"losses":5,"severe_seconds":2,"unavailable_seconds":0,
                          "window":{"packets":0,"losses":0,"loss_ratio":null}}}})");
  CHECK(nlohmann::json::parse(line).at("oneway") == expected);

  oneway.there = oneway.back = nullptr;
  oneway.reflector.up = std::nullopt;
  record.oneway = std::make_shared<const OnewayRound>(oneway);
  line.clear();
  append_round(line, record, NoNames{});
  const auto told = nlohmann::json::parse(line).at("oneway");
  CHECK(told.at("reflector").at("up").is_null());
  CHECK(told.at("path") == nlohmann::json::parse(R"({"forward":null,"reverse":null,"unresolved":null})"));
}

TEST_CASE("by SHA-256 only the hash of the path is another", "[render]") {
  const RoundRecord record = example_round();
  std::string line;
  append_round(line, record, NoNames{}, PathHash::sha256);
  // printf '198.51.100.254|203.0.113.7|192.0.2.1|' | sha256sum
  const std::string hash = "d52c77b12c556be309e58e5eece267642ee91215affb7bcfcbb076a74f381798";
  const std::size_t at = line.find(hash);
  REQUIRE(at != std::string::npos);
  CHECK(line.replace(at, hash.size(), "142ce319") == line_of(record, NoNames{}));

  std::string none;
  append_path_hash(none, {}, PathHash::sha256);
  CHECK(none == std::string(64, '0'));
}

TEST_CASE("without a path the window is all zero", "[render]") {
  RoundRecord record = example_round();
  record.verdict = PathVerdict();
  const auto line = nlohmann::json::parse(line_of(record, NamesOfTest()));
  const auto& window = line.at("window");
  CHECK(window.at("loss_ratio").is_number_float());
  CHECK(window.at("loss_ratio") == 0.0);
  for (const char* figure : {"rtt_ns", "jitter_ns", "pdv_ns"})
    for (const char* quantile : {"p50", "p95", "p99"})
      CHECK(window.at(figure).at(quantile) == 0);
  CHECK(window.at("jitter_rfc3550_ns") == 0);
}

TEST_CASE("a refusal names who refused and is a timeout", "[render]") {
  RoundRecord record = example_round();
  HopResult refusal = replied(2, "203.0.113.9", 5ms, Instant(101s), packet::ReplyKind::admin_prohibited);
  refusal.outcome = HopOutcome::unreachable;
  record.round.hops = {refusal};
  record.round.end_to_end = EndToEnd::lost;
  const auto line = nlohmann::json::parse(line_of(record, NoNames{}));
  CHECK(line["reached_dest"] == false);
  CHECK(line["loss"] == true);
  CHECK(line["hops"][0]["ip"] == "203.0.113.9");
  CHECK(line["hops"][0]["timeout"] == true);
  CHECK(line["hops"][0]["rtt"] == 5000);
  CHECK(line["hops"][0]["reply"] == "admin_prohibited");
}

TEST_CASE("what could not be observed is marked, and is no loss", "[render]") {
  RoundRecord record = example_round();
  CHECK_FALSE(nlohmann::json::parse(line_of(record, NoNames{})).contains("unobserved"));
  HopResult unseen;
  unseen.ttl = 1;
  unseen.outcome = HopOutcome::unobserved;
  record.round.hops = {unseen};
  record.round.end_to_end = EndToEnd::unobserved;
  record.round.unobserved = Unobserved::capture_dropped;
  const auto line = nlohmann::json::parse(line_of(record, NoNames{}));
  CHECK(line["loss"] == false);
  CHECK(line["reached_dest"] == false);
  CHECK(line["unobserved"] == "capture_dropped");
  CHECK(line["hops"][0]["reply"] == "unobserved");
  CHECK(line["hops"][0]["silent"] == false);
}

TEST_CASE("a round that was not judged says why, and is no loss", "[render]") {
  RoundRecord record = example_round();
  for (const auto& [outcome, name] : {std::pair{EndToEnd::reached, "reached"},
                                      {EndToEnd::lost, "lost"},
                                      {EndToEnd::send_failed, "send_failed"},
                                      {EndToEnd::unobserved, "unobserved"},
                                      {EndToEnd::suppressed, "suppressed"},
                                      {EndToEnd::left_out, "left_out"},
                                      {EndToEnd::undecided, "undecided"}}) {
    CAPTURE(name);
    record.round.end_to_end = outcome;
    record.round.hops.clear();
    const auto line = nlohmann::json::parse(line_of(record, NoNames{}));
    CHECK(line["outcome"] == name);
    CHECK(line["loss"] == (outcome == EndToEnd::lost));
    CHECK(line["reached_dest"] == (outcome == EndToEnd::reached));
  }
  // The destination answered, but that the answer came is no fair sample.
  record.round.end_to_end = EndToEnd::undecided;
  record.round.distance = 1;
  record.round.hops = {replied(1, "192.0.2.1", 5ms, Instant(101s), packet::ReplyKind::port_unreachable)};
  CHECK(nlohmann::json::parse(line_of(record, NoNames{}))["reached_dest"] == true);
}

TEST_CASE("what is not known is empty, and a send that failed is not a loss", "[render]") {
  RoundRecord record = example_round();
  DestinationFacts facts = *record.destination;
  facts.protocol = Protocol::icmp;
  facts.address = IpAddress{};
  record.destination = std::make_shared<const DestinationFacts>(facts);
  record.source = IpAddress{};
  record.round.hops.clear();
  record.round.end_to_end = EndToEnd::send_failed;
  record.verdict = {};
  const auto line = nlohmann::json::parse(line_of(record, NoNames{}));
  CHECK(line["source_ip"] == "");
  CHECK(line["destination_ip"] == "");
  CHECK(line["destination_port"] == 0);
  CHECK(line["protocol"] == "ICMP");
  CHECK(line["path_hash"] == "00000000");
  CHECK(line["path"] == "");
  CHECK(line["path_ordinal"] == 0);
  CHECK(line["changed"] == "");
  CHECK(line["reached_dest"] == false);
  CHECK(line["loss"] == false);
  CHECK(line["hops"] == nlohmann::json::array());
}

TEST_CASE("every line is one line of JSON, whatever names the network gives", "[render]") {
  const unsigned seed = 20260102;
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto bytes = [&] {
    std::string text(random() % 10, '\0');
    for (char& byte : text) {
      byte = static_cast<char>(random() % 256);
    }
    return text;
  };
  for (int i = 0; i < 2000; ++i) {
    RoundRecord record = example_round();
    DestinationFacts facts = *record.destination;
    facts.name = bytes();
    record.destination = std::make_shared<const DestinationFacts>(facts);
    NamesOfTest names;
    names.names[ip("198.51.100.254")] = bytes();
    names.names[facts.address] = bytes();
    for (HopResult& one : record.round.hops) {
      one.outcome = static_cast<HopOutcome>(random() % 5);
      one.reply = static_cast<packet::ReplyKind>(random() % 16);
      packet::MplsStack stack;
      stack.depth = static_cast<std::uint8_t>(random() % 9);
      one.mpls = stack;
    }
    const std::string line = line_of(record, names);
    CAPTURE(i, line);
    REQUIRE(line.find('\n') == line.size() - 1);
    const auto parsed = nlohmann::json::parse(line, nullptr, false);
    REQUIRE_FALSE(parsed.is_discarded());
    REQUIRE(parsed["hops"].size() == 4);
  }
}
