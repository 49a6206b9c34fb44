#include "agent/http/graph_answers.hpp"

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "unit/net/http_test_server.hpp"
#include "unit/path/round_builder.hpp"

using namespace ecmp;
using namespace ecmp::test;
using namespace std::chrono_literals;

namespace {

/// Three destinations of four flows over two branches; the flows of one of them move after some rounds.
class ServedGraph {
 public:
  ServedGraph() {
    auto snapshots = std::make_shared<Snapshots>();
    for (const char* const name : {"a", "b", "c"}) {
      DestinationFacts facts = *round_builder::facts(4);
      facts.name = name;
      const auto shared = std::make_shared<const DestinationFacts>(facts);
      DestinationModel model(shared, {});
      for (int number = 0; number < 16; ++number) {
        for (std::uint32_t flow = 0; flow < 4; ++flow) {
          const bool moved = name == std::string("b") && number > 9;
          const std::string hops = flow % 2 == 0 ? (moved ? "a b9 c D" : "a b1 c D") : "a b2 c D";
          add(shared, model, flow, round_builder::round(hops, 1000.0 + 10.0 * number + flow));
        }
      }
      snapshots->push_back(model.snapshot(round_builder::at(1160)));
    }
    events_.maintain(round_builder::at(2000));
    board_.put(std::move(snapshots));
    server_->route("GET", "/topology", [this](const net::HttpRequest& request) {
      return answer_topology(request, board_, log_, names_, nullptr);
    });
    server_->route("GET", "/events", [this](const net::HttpRequest& request) {
      return answer_events(request, board_, events_, nullptr, names_);
    });
    server_.start();
  }

  /// Another event: b cannot be reached any more.
  void lose_b() {
    DestinationFacts facts = *round_builder::facts(4);
    facts.name = "b";
    const auto shared = std::make_shared<const DestinationFacts>(facts);
    DestinationModel model(shared, {});
    for (std::uint32_t flow = 0; flow < 4; ++flow)
      add(shared, model, flow, round_builder::round("a * *", 3000.0 + flow));
    // maintain() leaves events for its next call when a reader holds the lock.
    const std::uint64_t before = events_.end();
    while (events_.end() == before)
      events_.maintain(round_builder::at(3010));
  }

  Answer get(const std::string& target) { return RawClient(server_.port()).get(target); }
  nlohmann::json json(const std::string& target) {
    const Answer answer = get(target);
    CHECK(answer.status == 200);
    CHECK(answer.complete);
    return nlohmann::json::parse(answer.body);
  }
  std::uint16_t port() const { return server_.port(); }

 private:
  void add(const std::shared_ptr<const DestinationFacts>& facts, DestinationModel& model, std::uint32_t flow,
           const Round& round) {
    RoundRecord record;
    record.destination = facts;
    record.flow_index = flow;
    record.source_port = static_cast<std::uint16_t>(50000 + flow);
    record.round = round;
    record.verdict = model.on_round(flow, round);
    events_.on_round(record);
    log_.add(std::make_shared<const RoundRecord>(std::move(record)));
  }

  Board board_;
  RoundLog log_{1u << 20};
  EventLog events_{1u << 20};
  NameSource names_ = [] { return std::make_shared<render::NoNames>(); };
  TestServer server_;  // last: its threads use what stands above
};

}  // namespace

TEST_CASE("/topology tells all destinations, the named ones, or as many as wanted", "[agent][http]") {
  ServedGraph served;
  CHECK(served.json("/topology").at("destinations").size() == 3);
  CHECK(served.json("/topology?format=json").at("destinations").size() == 3);
  const auto two = served.json("/topology?destination=a&destination=c&destination=a");
  REQUIRE(two.at("destinations").size() == 2);
  CHECK(two.at("destinations").at(1).at("name") == "c");
  const auto one = served.json("/topology?limit=1");
  CHECK(one.at("destinations").size() == 1);
  CHECK(one.at("left_out") == 2);
  for (const auto& node : one.at("nodes"))
    CHECK(node.at("destination") == "a");
}

TEST_CASE("/topology tells the newest round of each flow", "[agent][http]") {
  ServedGraph served;
  const auto answer = served.json("/topology?destination=b");
  for (const auto& flow : answer.at("destinations").at(0).at("flows"))
    CHECK(flow.at("newest").at("reached") == true);
}

TEST_CASE("/topology?format=dot tells a graph for each destination", "[agent][http]") {
  ServedGraph served;
  const Answer answer = served.get("/topology?format=dot&destination=a&destination=b");
  CHECK(answer.status == 200);
  CHECK(answer.header("content-type").starts_with("text/vnd.graphviz"));
  std::size_t graphs = 0;
  for (std::size_t at = answer.body.find("digraph"); at != std::string::npos; at = answer.body.find("digraph", at + 1))
    ++graphs;
  CHECK(graphs == 2);
  CHECK(answer.body.find("10.98.0.9") != std::string::npos);
}

TEST_CASE("a summary of the topology has no graph", "[agent][http]") {
  ServedGraph served;
  const auto told = served.json("/topology?detail=summary");
  CHECK(told.at("destinations").size() == 3);
  CHECK_FALSE(told.contains("nodes"));
  CHECK(told.at("destinations").at(0).at("paths_in_use") == 2);
}

TEST_CASE("what /topology and /events do not understand is refused in one line", "[agent][http]") {
  ServedGraph served;
  for (const std::string target :
       {"/topology?destination=x", "/topology?detail=some", "/topology?limit=0", "/topology?limit=x",
        "/topology?format=svg", "/topology?flow=1", "/topology?detail=full&detail=full", "/events?destination=x",
        "/events?flow=x", "/events?path=1", "/events?since=never", "/events?limit=0", "/events?follow=2",
        "/events?kind=reroute"}) {
    const Answer answer = served.get(target);
    CAPTURE(target, answer.body);
    CHECK(answer.status == 400);
    CHECK(answer.body.starts_with("parameter "));
    CHECK(std::ranges::count(answer.body, '\n') == 1);
  }
}

TEST_CASE("/events tells one event for the flows that moved", "[agent][http]") {
  ServedGraph served;
  const auto event = served.json("/events");  // one line
  CHECK(event.at("destination") == "b");
  CHECK(event.at("kind") == "reroute");
  CHECK(event.at("flows") == std::vector<int>{50000, 50002});
  CHECK(event.at("before") == std::vector<std::string>{"10.98.0.1"});
  CHECK(event.at("after") == std::vector<std::string>{"10.98.0.9"});
  CHECK(served.get("/events?destination=a").body.empty());
  CHECK(served.get("/events?flow=50001").body.empty());
  CHECK(served.json("/events?flow=50002&destination=b").at("id") == 0);
  CHECK(served.get("/events?since=1h").body.empty());  // it was in 1970
  served.lose_b();
  CHECK(served.json("/events?limit=1").at("kind") == "down");
  CHECK(std::ranges::count(served.get("/events").body, '\n') == 2);
}

TEST_CASE("/events?follow=true goes on with events as they come, until the limit", "[agent][http]") {
  ServedGraph served;
  RawClient client(served.port());
  REQUIRE(client.send("GET /events?follow=true&limit=2 HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(client.answer_head().status == 200);
  const auto first = client.chunk();
  REQUIRE(first);
  CHECK(nlohmann::json::parse(*first).at("kind") == "reroute");
  served.lose_b();
  const auto second = client.chunk();
  REQUIRE(second);
  CHECK(nlohmann::json::parse(*second).at("kind") == "down");
  CHECK(client.chunk() == "");
}
