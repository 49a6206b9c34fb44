#include <algorithm>

#include "traced_fixture.hpp"

using namespace ecmp;
using namespace ecmp::tracing_test;
using namespace std::chrono_literals;

TEST_CASE("a destination with an address is probed at once and told with its rounds", "[agent]") {
  Traced traced({destination("192.0.2.1")});
  CHECK(traced.asked.empty());
  CHECK_FALSE(traced.tracing.settled());
  CHECK(traced.told("192.0.2.1")->measured == false);
  traced.pass(5s);
  CHECK(traced.probed == Addresses{ip("192.0.2.1")});
  CHECK(traced.tracing.settled());
  REQUIRE_FALSE(traced.rounds.empty());
  const RoundRecord& record = *traced.rounds.front();
  CHECK(record.destination->name == "192.0.2.1");
  CHECK(record.source == kSource);
  CHECK(record.source_port == 50000 + record.flow_index);
  const auto told = traced.told("192.0.2.1");
  CHECK(told->measured);
  CHECK_FALSE(told->up);
  CHECK(told->flows.size() == 2);
  CHECK(told->flows[1].probes > 0);
  CHECK(traced.warnings.empty());
}

TEST_CASE("figures that nobody reads are not made, and are there once somebody reads again", "[agent]") {
  Traced traced({destination("192.0.2.1"), destination("192.0.2.2")});
  traced.pass(5s);
  const auto read = traced.told("192.0.2.1");
  traced.pass(3s);
  CHECK(traced.told("192.0.2.1") != read);
  traced.read = false;
  traced.pass(121s);
  CHECK_FALSE(traced.tracing.figures_are_new());
  const auto unread = traced.told("192.0.2.1");
  const std::size_t rounds = traced.rounds.size();
  traced.pass(60s);
  CHECK(traced.rounds.size() >= rounds + 2 * 2 * 59);
  CHECK(traced.told("192.0.2.1") == unread);
  traced.read = true;
  traced.pass(10ms);
  CHECK(traced.tracing.figures_are_new());
  // All but the rounds under way, of which there is one for each flow.
  for (const std::size_t flow : {0u, 1u})
    CHECK(traced.told("192.0.2.1")->flows.at(flow).probes >= unread->flows.at(flow).probes + 58);
}

TEST_CASE("names are wanted of whoever answers, again whenever somebody else does", "[agent]") {
  Traced traced({destination("192.0.2.1")});
  const auto round = [&](std::uint32_t number, const char* responder) {
    Round made{.flow = 0, .number = number, .started = traced.now, .finished = traced.now};
    made.distance = 2;
    made.end_to_end = EndToEnd::reached;
    made.hops.push_back({.ttl = 1, .outcome = HopOutcome::replied, .responder = ip(responder)});
    made.hops.push_back({.ttl = 2, .outcome = HopOutcome::replied, .responder = ip("192.0.2.1")});
    traced.responders.clear();
    traced.tracing.on_round(made);
    return traced.responders;
  };
  CHECK(round(100, "203.0.113.1") == std::vector{ip("203.0.113.1"), ip("192.0.2.1")});
  CHECK(round(101, "203.0.113.1").empty());
  CHECK(round(102, "203.0.113.2") == std::vector{ip("203.0.113.2"), ip("192.0.2.1")});
  traced.now += 61s;
  CHECK(round(103, "203.0.113.2") == std::vector{ip("203.0.113.2"), ip("192.0.2.1")});
}

TEST_CASE("a name that resolves late is told as not resolved until then, and warned of once", "[agent]") {
  Traced traced({destination("a.example")});
  CHECK(traced.asked == Words{"a.example"});
  CHECK(traced.told("a.example")->unjudged == Unjudged::not_resolved);
  for (int i = 0; i < 3; ++i) {
    traced.answer("a.example", {});
    traced.pass(i < 2 ? 16s : 31s);
    CHECK(traced.asked.size() == 2u + static_cast<unsigned>(i));
  }
  CHECK(traced.tracing.settled());
  CHECK(traced.tracing.dns_errors() == 3);
  CHECK(traced.warnings == Words{"a.example: cannot resolve a.example: timeout"});
  CHECK_FALSE(traced.told("a.example")->measured);
  CHECK(traced.told("a.example")->unjudged == Unjudged::not_resolved);
  CHECK(traced.routes.flows.empty());

  traced.answer("a.example", {"192.0.2.7"});
  traced.pass(3s);
  CHECK(traced.probed == Addresses{ip("192.0.2.7")});
  CHECK(traced.told("a.example")->facts->address == ip("192.0.2.7"));
}

TEST_CASE("a name that fails is asked for less and less often, and at once when the name servers are others",
          "[agent]") {
  Traced traced({destination("a.example")});
  // Seconds from one question to the next, as docs/faults.md has them.
  for (const int pause : {15, 15, 30, 60, 120, 240, 300, 300}) {
    CAPTURE(pause);
    const std::size_t before = traced.asked.size();
    traced.answer("a.example", {});
    traced.pass(std::chrono::seconds(pause) - 500ms);
    CHECK(traced.asked.size() == before);
    traced.pass(1s);
    CHECK(traced.asked.size() == before + 1);
  }
  traced.answer("a.example", {});
  const std::size_t before = traced.asked.size();
  traced.tracing.ask_failing_names(traced.now);
  traced.pass(1s);
  CHECK(traced.asked.size() == before + 1);
  traced.answer("a.example", {});
  traced.pass(16s);
  CHECK(traced.asked.size() == before + 2);
}

TEST_CASE("a name that never resolves is told as not resolved also when all its addresses are wanted", "[agent]") {
  config::Destination all = destination("all.example");
  all.all = true;
  Traced traced({all});
  CHECK_FALSE(traced.tracing.settled());
  traced.answer("all.example", {});
  traced.pass(2s);
  CHECK(traced.tracing.settled());
  REQUIRE(traced.told() == std::set<std::string>{"all.example"});
  CHECK_FALSE(traced.told("all.example")->measured);
  CHECK(traced.told("all.example")->unjudged == Unjudged::not_resolved);
}

TEST_CASE("a name keeps its address while it is one of the answer's, then moves with its counters", "[agent]") {
  Traced traced({destination("a.example")});
  traced.answer("a.example", {"192.0.2.1", "192.0.2.2"}, 30s);
  traced.pass(31s);
  CHECK(traced.asked.size() == 2);
  traced.answer("a.example", {"192.0.2.2", "192.0.2.1"}, 30s);
  CHECK(traced.traced() == Addresses{ip("192.0.2.1")});
  traced.pass(31s);
  const auto before = traced.told("a.example")->flows.at(0).probes;
  CHECK(before > 50);

  traced.answer("a.example", {"192.0.2.2"}, 30s);
  CHECK(traced.traced() == Addresses{ip("192.0.2.2")});
  CHECK(traced.routes.flows.size() == 2);
  traced.probed.clear();
  traced.pass(3s);
  CHECK(traced.probed == Addresses{ip("192.0.2.2")});
  CHECK(traced.told("a.example")->facts->address == ip("192.0.2.2"));
  CHECK(traced.told("a.example")->flows.at(0).probes >= before);
  CHECK(traced.rounds.back()->destination->address == ip("192.0.2.2"));
  CHECK(traced.warnings.empty());
}

TEST_CASE("a name server that fails leaves the last address", "[agent]") {
  Traced traced({destination("a.example")});
  traced.answer("a.example", {"192.0.2.1"}, 10s);
  traced.pass(11s);
  traced.answer("a.example", {});
  traced.pass(16s);
  traced.answer("a.example", {});
  traced.probed.clear();
  traced.pass(2s);
  CHECK(traced.probed == Addresses{ip("192.0.2.1")});
  CHECK(traced.tracing.dns_errors() == 2);
  CHECK(traced.warnings.size() == 1);
  traced.pass(16s);
  traced.answer("a.example", {"192.0.2.1"}, 10s);
  traced.pass(11s);
  traced.answer("a.example", {});
  CHECK(traced.warnings.size() == 2);  // it had come back in between
}

TEST_CASE("one answer serves every destination of the name, and nobody who did not ask", "[agent]") {
  config::Destination other = destination("a.example");
  other.name = "b";
  other.source_port = 51000;
  config::Destination v6 = destination("a.example");
  v6.name = "c";
  v6.family = config::FamilyChoice::ipv6;
  Traced traced({destination("a.example"), other, v6});
  CHECK(traced.asked.size() == 3);
  traced.answer("a.example", {"192.0.2.1"});
  CHECK(traced.routes.flows.size() == 4);
  traced.answer("a.example", {"192.0.2.9"});  // a second answer to the same question
  CHECK(traced.traced() == Addresses{ip("192.0.2.1")});
  traced.pass(2s);
  CHECK(traced.told().size() == 3);
  CHECK_FALSE(traced.tracing.settled());  // c still waits
}

TEST_CASE("addresses that nobody may configure are not taken from a name server either", "[agent]") {
  Traced traced({destination("a.example")});
  traced.answer("a.example", {"0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "::ffff:1.2.3.4", "fe80::1"});
  CHECK(traced.routes.flows.empty());
  CHECK(traced.tracing.dns_errors() == 1);
  CHECK(traced.warnings == Words{"a.example: cannot resolve a.example: no address of it can be traced"});
  traced.pass(16s);
  traced.answer("a.example", {"0.0.0.0", "192.0.2.1"});
  CHECK(traced.traced() == Addresses{ip("192.0.2.1")});
}

TEST_CASE("with `all` addresses come and go as destinations of their own", "[agent]") {
  config::Destination all = destination("all.example");
  all.name = "m";
  all.all = true;
  Traced traced({destination("192.0.2.100"), all, destination("z.example")});
  traced.answer("all.example", {"192.0.2.1", "192.0.2.2", "192.0.2.3"}, 10s);
  CHECK(traced.gone == Words{"m"});  // what stood for the name until it had addresses
  traced.gone.clear();
  traced.pass(3s);
  CHECK(traced.told() ==
        std::set<std::string>{"192.0.2.100", "m/192.0.2.1", "m/192.0.2.2", "m/192.0.2.3", "z.example"});
  CHECK(traced.probed == Addresses{ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3"), ip("192.0.2.100")});
  CHECK(std::ranges::is_sorted(*traced.snapshots, {}, [](const auto& one) { return one->facts->name; }));

  traced.pass(8s);
  const auto before = traced.told("m/192.0.2.3")->flows.at(0).probes;
  traced.answer("all.example", {"192.0.2.3", "192.0.2.4"}, 10s);
  CHECK(traced.gone == Words{"m/192.0.2.1", "m/192.0.2.2"});
  traced.probed.clear();
  traced.pass(3s);
  CHECK(traced.told() == std::set<std::string>{"192.0.2.100", "m/192.0.2.3", "m/192.0.2.4", "z.example"});
  CHECK(traced.probed == Addresses{ip("192.0.2.3"), ip("192.0.2.4"), ip("192.0.2.100")});
  CHECK(traced.told("m/192.0.2.3")->flows.at(0).probes > before);
  CHECK(traced.warnings.empty());
}

TEST_CASE("addresses that come and go while snapshots are made leave none out and none behind", "[agent]") {
  std::vector<config::Destination> destinations;
  for (const char* host : {"192.0.2.101", "192.0.2.102", "192.0.2.103", "192.0.2.104", "192.0.2.105", "192.0.2.106"})
    destinations.push_back(destination(host));
  config::Destination all = destination("all.example");
  all.name = "0";  // sorts before the others
  all.all = true;
  destinations.push_back(all);
  Traced traced(destinations);
  const std::vector<std::vector<const char*>> answers = {
      {"192.0.2.1", "192.0.2.2", "192.0.2.3"}, {"192.0.2.3"}, {"192.0.2.4", "192.0.2.5"}, {"192.0.2.1"}};
  for (std::size_t i = 0; i < 40; ++i) {
    traced.answer("all.example", answers[i % answers.size()], 5s);
    traced.pass(5s + 200ms + 10ms * static_cast<int>(i));  // other places within a pass
    CAPTURE(i);
    traced.pass(2s);
    CHECK(traced.told().size() == destinations.size() - 1 + answers[i % answers.size()].size());
    CHECK(traced.traced().size() == traced.told().size());
  }
}

TEST_CASE("no more addresses than the limit, said once", "[agent]") {
  config::Destination all = destination("all.example");
  all.all = true;
  Traced traced({all, destination("192.0.2.100")}, {.max_destinations = 3});
  for (int i = 0; i < 3; ++i) {
    traced.answer("all.example", {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"}, 10s);
    traced.pass(11s);
  }
  CHECK(traced.traced().size() == 3);
  CHECK(traced.warnings ==
        Words{"all.example: limits.max_destinations is reached: 2 addresses of all.example are left out"});
}

TEST_CASE("of two destinations at one address the second is told as not traced, until the first has left", "[agent]") {
  config::Destination all = destination("all.example");
  all.all = true;
  Traced traced({destination("a.example"), destination("b.example"), all});
  traced.answer("a.example", {"192.0.2.1"}, 10s);
  for (int i = 0; i < 3; ++i) {
    traced.answer("b.example", {"192.0.2.1"}, 10s);
    traced.answer("all.example", {"192.0.2.1"}, 10s);
    traced.pass(11s);
  }
  CHECK(traced.routes.flows.size() == 2);
  const std::string why =
      ": not traced: another destination has address 192.0.2.1 with the same protocol and source ports";
  CHECK(traced.warnings == Words{"b.example" + why, "all.example/192.0.2.1" + why});
  CHECK(traced.tracing.settled());
  for (const char* name : {"b.example", "all.example/192.0.2.1"}) {
    CHECK_FALSE(traced.told(name)->measured);
    CHECK(traced.told(name)->unjudged == Unjudged::not_traced);
  }

  traced.answer("a.example", {"192.0.2.2"}, 10s);
  traced.answer("all.example", {"192.0.2.1"}, 10s);
  traced.probed.clear();
  traced.pass(3s);
  CHECK(traced.probed == Addresses{ip("192.0.2.1"), ip("192.0.2.2")});
}

TEST_CASE("a destination without a route is said so, and its rounds were never sent", "[agent]") {
  Traced traced({destination("198.51.100.1")});
  CHECK(traced.warnings == Words{"198.51.100.1: there is no route to 198.51.100.1"});
  traced.pass(5s);
  CHECK(traced.probed.empty());
  CHECK(traced.tracing.settled());
  REQUIRE_FALSE(traced.rounds.empty());
  CHECK(traced.rounds.back()->round.end_to_end == EndToEnd::send_failed);
  CHECK_FALSE(traced.told("198.51.100.1")->measured);
  CHECK(traced.told("198.51.100.1")->unjudged == Unjudged::send_failed);
  traced.tracing.on_source(0, kSource);
  traced.tracing.on_source(1, kSource);
  traced.pass(3s);
  CHECK(traced.probed == Addresses{ip("198.51.100.1")});
}
