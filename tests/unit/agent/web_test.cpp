#include "agent/http/web.hpp"

#include <nlohmann/json.hpp>

#include "agent/version.hpp"
#include "catch.hpp"
#include "unit/net/http_test_server.hpp"
#include "unit/path/round_builder.hpp"

using namespace ecmp;
using namespace ecmp::test;
using namespace std::chrono_literals;

namespace {

class NoNames final : public render::HopNames {
 public:
  [[nodiscard]] std::string_view name(const IpAddress&) const override { return {}; }
};

/// Two destinations, "a" with two flows and "b" with one, served from a board and a log that the test fills.
class Served {
 public:
  Served() {
    auto snapshots = std::make_shared<Snapshots>();
    for (const auto& [name, flows] :
         {std::pair<const char*, std::uint16_t>{"a", std::uint16_t{2}}, {"b", std::uint16_t{1}}}) {
      DestinationFacts facts = *round_builder::facts(flows);
      facts.name = name;
      facts_[name] = std::make_shared<const DestinationFacts>(facts);
      models_[name] = std::make_unique<DestinationModel>(facts_[name], ModelOptions{});
    }
    for (int round = 1; round <= 3; ++round) {
      add("a", 0, round);
      add("a", 1, round);
      add("b", 0, round);
    }
    for (const auto& [name, model] : models_)
      snapshots->push_back(model->snapshot(round_builder::at(40)));
    board_.put(std::move(snapshots));
    web_.add_routes(*server_.operator->());
    server_.start();
  }

  /// A round of a flow, begun 10 s after the one before: now in civil time is that of the newest of three.
  void add(const std::string& name, std::uint32_t flow, int number) {
    const Round round = round_builder::round(flow == 0 ? "a1 b1 D" : "a1 b2 D", 10.0 * number);
    RoundRecord record;
    record.destination = facts_.at(name);
    record.flow_index = flow;
    record.source_port = static_cast<std::uint16_t>(50000 + flow);
    record.round = round;
    record.wall_offset = wall_offset_;
    record.verdict = models_.at(name)->on_round(flow, round);
    log_.add(std::make_shared<const RoundRecord>(std::move(record)));
  }

  Answer get(const std::string& target) { return RawClient(server_.port()).get(target); }

  /// "name flow round" of each line.
  static std::vector<std::string> lines(std::string_view text) {
    std::vector<std::string> found;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      REQUIRE(end != std::string_view::npos);
      const auto line = nlohmann::json::parse(text.substr(0, end));
      found.push_back(line.at("destination").get<std::string>() + " " + line.at("source_port").dump() + " " +
                      line.at("probe_num").dump());
      text.remove_prefix(end + 1);
    }
    return found;
  }
  std::vector<std::string> paths(const std::string& query) {
    const Answer answer = get("/paths" + query);
    CHECK(answer.status == 200);
    CHECK(answer.header("content-type") == "application/x-ndjson");
    CHECK(answer.complete);
    return lines(answer.body);
  }

  std::uint16_t port() const { return server_.port(); }

  std::atomic<bool> ready = false;
  std::atomic<Duration::rep> since_turn = 0;
  std::atomic<int> scraped = 0;

 private:
  /// The newest rounds began five seconds ago.
  Duration wall_offset_ = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()).time_since_epoch() -
                          round_builder::at(35).time_since_epoch();
  std::map<std::string, std::shared_ptr<const DestinationFacts>> facts_;
  std::map<std::string, std::unique_ptr<DestinationModel>> models_;
  Board board_;
  RoundLog log_{1u << 20};
  EventLog events_{1u << 20};
  SeriesSettings series_{SeriesSettings::Choice{.max_series = 1000}};
  Web web_{{.board = &board_,
            .log = &log_,
            .events = &events_,
            .names = [] { return std::make_shared<NoNames>(); },
            .ready = [this] { return ready.load(); },
            .since_turn = [this] { return Duration(since_turn.load()); },
            .own_metrics =
                [](std::string& out, render::Format, const render::FamilyFilter& filter) {
                  if (filter.empty() || filter.contains("own")) out += "own 1\n";
                },
            .scraped =
                [this](const render::RenderOutcome& outcome, Duration) {
                  CHECK(outcome.dropped.empty());
                  ++scraped;
                },
            .series = &series_}};
  TestServer server_;  // last: its threads use what stands above
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("/metrics tells the network's families and the exporter's own", "[agent][http]") {
  Served served;
  const Answer answer = served.get("/metrics");
  CHECK(answer.status == 200);
  CHECK(answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(answer.header("vary") == "Accept, Accept-Encoding");  // the format is negotiated
  CHECK(answer.body.find("ecmp_destination_up{destination=\"a\"} 1\n") != std::string::npos);
  CHECK(answer.body.find("ecmp_destination_up{destination=\"b\"} 1\n") != std::string::npos);
  CHECK(answer.body.ends_with("\nown 1\n"));
  CHECK(served.scraped == 1);
}

TEST_CASE("/metrics?name[]= tells the named families alone", "[agent][http]") {
  Served served;
  const Answer answer = served.get("/metrics?name[]=ecmp_destination_up&name%5B%5D=own");
  CHECK(answer.status == 200);
  std::set<std::string> families;
  std::string line;
  for (std::istringstream text(answer.body); std::getline(text, line);)
    if (!line.starts_with('#')) families.insert(line.substr(0, line.find_first_of("{ ")));
  CHECK(families == std::set<std::string>{"ecmp_destination_up", "own"});
  CHECK(served.get("/metrics?name[]=nothing").body.empty());
  const Answer wrong = served.get("/metrics?name=x");
  CHECK(wrong.status == 400);
  CHECK(wrong.body == "parameter \"name\" is unknown: name[] is there\n");
}

TEST_CASE("/paths tells the newest round of every flow, filtered", "[agent][http]") {
  Served served;
  CHECK(served.paths("") == Lines{"a 50000 30", "a 50001 30", "b 50000 30"});
  CHECK(served.paths("?destination=a") == Lines{"a 50000 30", "a 50001 30"});
  CHECK(served.paths("?flow=50001") == Lines{"a 50001 30"});
  CHECK(served.paths("?limit=2") == Lines{"a 50000 30", "a 50001 30"});
  CHECK(served.paths("?destination=b&flow=50001").empty());
  const Answer first = served.get("/paths?destination=a&flow=50001");
  const std::string path = nlohmann::json::parse(first.body).at("path");
  CHECK(served.paths("?path=" + path) == Lines{"a 50001 30"});
}

TEST_CASE("/paths?since= tells all rounds begun since then", "[agent][http]") {
  Served served;
  CHECK(served.paths("?since=1h").size() == 9);
  CHECK(served.paths("?since=20s&destination=a") == Lines{"a 50000 20", "a 50001 20", "a 50000 30", "a 50001 30"});
  CHECK(served.paths("?since=1h&limit=4&flow=50000") == Lines{"a 50000 10", "b 50000 10", "a 50000 20", "b 50000 20"});
  CHECK(served.paths("?since=2200-01-01T00:00:00Z").empty());
  CHECK(served.paths("?since=1970-01-01T00:00:00Z").size() == 9);
}

TEST_CASE("/paths?follow=true goes on with rounds as they come, until the limit", "[agent][http]") {
  Served served;
  RawClient client(served.port());
  REQUIRE(client.send("GET /paths?follow=true&destination=a&limit=4 HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(client.answer_head().status == 200);
  std::string body;
  const auto read_lines = [&](std::size_t count) {
    while (static_cast<std::size_t>(std::ranges::count(body, '\n')) < count) {
      const auto chunk = client.chunk();
      REQUIRE((chunk && !chunk->empty()));
      body += *chunk;
    }
    return Served::lines(body);
  };
  CHECK(read_lines(2) == Lines{"a 50000 30", "a 50001 30"});
  served.add("b", 0, 4);
  served.add("a", 1, 4);
  CHECK(read_lines(3).back() == "a 50001 40");
  served.add("a", 0, 4);
  CHECK(read_lines(4).back() == "a 50000 40");
  CHECK(client.chunk() == "");  // the end
}

TEST_CASE("a reader that follows from a time to come hears of rounds from then on", "[agent][http]") {
  Served served;
  RawClient client(served.port());
  REQUIRE(client.send("GET /paths?follow=true&since=2100-01-01T00:00:00Z&limit=1 HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(client.answer_head().status == 200);
  served.add("a", 0, 4);
  served.add("a", 0, 400'000'000);  // twelve decades on
  const auto chunk = client.chunk();
  REQUIRE(chunk);
  CHECK(Served::lines(*chunk) == Lines{"a 50000 4000000000"});
}

TEST_CASE("what /paths does not understand is refused in one line", "[agent][http]") {
  Served served;
  for (const std::string query : {"?destination=c", "?flow=x", "?flow=65536", "?path=1", "?since=yesterday", "?limit=0",
                                  "?limit=-1", "?follow=1", "?nothing=1", "?limit=1&limit=2"}) {
    const Answer answer = served.get("/paths" + query);
    CAPTURE(query, answer.body);
    CHECK(answer.status == 400);
    CHECK(answer.body.starts_with("parameter "));
    CHECK(std::ranges::count(answer.body, '\n') == 1);
  }
}

TEST_CASE("healthy from the start, ready when told so, and a page that links it all", "[agent][http]") {
  Served served;
  CHECK(served.get("/-/healthy").status == 200);
  CHECK(served.get("/-/ready").status == 503);
  served.ready = true;
  CHECK(served.get("/-/ready").status == 200);
  const Answer page = served.get("/");
  CHECK(page.status == 200);
  CHECK(page.header("content-type") == "text/html; charset=utf-8");
  CHECK(page.header("content-security-policy").starts_with("default-src 'none'"));
  for (const std::string link : {"href=\"metrics\"", "href=\"paths\""})
    CHECK(page.body.find(link) != std::string::npos);
  CHECK(served.get("/nothing").status == 404);
  RawClient client(served.port());
  REQUIRE(client.send("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
  CHECK(client.answer().status == 405);
}

TEST_CASE("/-/healthy asks whether the probing loop turns", "[agent][http]") {
  Served served;
  CHECK(served.get("/-/healthy").status == 200);
  served.since_turn = Duration(std::chrono::milliseconds(9900)).count();
  CHECK(served.get("/-/healthy").status == 200);
  served.since_turn = Duration(std::chrono::milliseconds(12300)).count();
  const Answer answer = served.get("/-/healthy");
  CHECK(answer.status == 503);
  CHECK(answer.body.find("the probing loop has stood still for 12 s") == 0);
}
