#include "traced_fixture.hpp"

using namespace ecmp;
using namespace ecmp::tracing_test;
using namespace std::chrono_literals;

namespace {

using Destinations = std::vector<config::Destination>;

/// A run that goes from one configuration to others.
struct Reloaded : Traced {
  explicit Reloaded(Destinations destinations) : Traced(destinations), config(configuration(destinations, {})) {}

  /// Hands the changes over, and turns the loop until they are made.
  void go_over(Destinations destinations) {
    config::Config next = config;
    next.destinations = std::move(destinations);
    go_over(next);
  }
  void go_over(const config::Config& next) {
    tracing.change(std::make_shared<config::Changes>(config::plan_changes(config, next)));
    for (turns = 0; tracing.changing(); ++turns)
      pass(10ms);
    config = next;
    pass(30ms);
  }

  std::uint64_t probes(const std::string& name) const { return told(name)->flows.at(0).probes; }

  /// Rounds of a destination since the test cleared `rounds`, by flow index.
  std::map<std::uint32_t, std::vector<std::uint32_t>> numbers(const std::string& name) const {
    std::map<std::uint32_t, std::vector<std::uint32_t>> found;
    for (const auto& record : rounds)
      if (record->destination->name == name) found[record->flow_index].push_back(record->round.number);
    return found;
  }

  config::Config config;
  int turns = 0;
};

}  // namespace

TEST_CASE("an edited label is told at once, and nothing else happens", "[agent][reload]") {
  Reloaded traced({destination("192.0.2.1"), destination("192.0.2.2")});
  traced.pass(20s);
  const auto flows = traced.routes.flows;
  const std::uint64_t before = traced.probes("192.0.2.1");
  const Instant edited = traced.now;
  Destinations next = traced.config.destinations;
  next[0].labels = {{"site", "fra"}};
  traced.go_over(next);
  CHECK(traced.now - edited < 100ms);
  CHECK(traced.told("192.0.2.1")->facts->labels == next[0].labels);
  CHECK(traced.probes("192.0.2.1") >= before);
  CHECK(traced.probes("192.0.2.1") <= before + 1);
  traced.pass(5s);
  CHECK(traced.routes.flows == flows);
  CHECK(traced.gone.empty());
  CHECK(traced.rounds.back()->destination->labels ==
        (traced.rounds.back()->destination->name == "192.0.2.1" ? next[0].labels : next[1].labels));
  for (const char* name : {"192.0.2.1", "192.0.2.2"}) {
    for (const auto& [flow, numbers] : traced.numbers(name)) {
      CAPTURE(name, flow);
      for (std::size_t i = 0; i < numbers.size(); ++i)
        CHECK(numbers[i] == i);
    }
  }
}

TEST_CASE("a removed destination is told no more at once, one that was added is traced", "[agent][reload]") {
  Reloaded traced({destination("192.0.2.1"), destination("192.0.2.2"), destination("b.example")});
  traced.answer("b.example", {"192.0.2.3"});
  traced.pass(20s);
  traced.go_over({destination("192.0.2.2"), destination("192.0.2.4"), destination("c.example")});
  CHECK(traced.told() == std::set<std::string>{"192.0.2.2", "192.0.2.4", "c.example"});
  CHECK(traced.gone == Words{"192.0.2.1", "b.example"});
  CHECK(traced.traced() == Addresses{ip("192.0.2.2"), ip("192.0.2.4")});
  traced.pass(300ms);
  CHECK(traced.asked == Words{"b.example", "c.example"});
  traced.answer("c.example", {"192.0.2.5"});
  traced.probed.clear();
  traced.pass(12s);
  CHECK(traced.probed == Addresses{ip("192.0.2.2"), ip("192.0.2.4"), ip("192.0.2.5")});
  CHECK(traced.tracing.settled());
  traced.pass(100s);
  CHECK(traced.asked.size() == 3);  // nobody asks for b.example any more
  traced.answer("b.example", {"192.0.2.3"});
  CHECK(traced.traced() == Addresses{ip("192.0.2.2"), ip("192.0.2.4"), ip("192.0.2.5")});
}

TEST_CASE("another interval changes the schedule and no counter", "[agent][reload]") {
  Reloaded traced({destination("192.0.2.1"), destination("192.0.2.2")});
  traced.pass(20s);
  const auto flows = traced.routes.flows;
  const std::uint64_t before = traced.probes("192.0.2.1");
  traced.rounds.clear();
  Destinations next = traced.config.destinations;
  next[0].interval = 5s;
  traced.go_over(next);
  traced.pass(50s);
  CHECK(traced.routes.flows == flows);
  const std::uint64_t slow = traced.probes("192.0.2.1") - before;
  CHECK(slow >= 9);
  CHECK(slow <= 12);
  CHECK(traced.numbers("192.0.2.2").at(0).size() >= 49);
  CHECK(traced.told("192.0.2.1")->facts->interval == 5s);

  next[0].interval = 100ms;
  traced.go_over(next);
  traced.pass(10s);
  CHECK(traced.probes("192.0.2.1") - before - slow >= 90);
  for (const auto& [flow, numbers] : traced.numbers("192.0.2.1")) {
    for (std::size_t i = 1; i < numbers.size(); ++i)
      CHECK(numbers[i] == numbers[i - 1] + 1);
  }
}

TEST_CASE("what changes a destination's headers restarts it alone, and its counters go on", "[agent][reload]") {
  const auto edits = std::vector<std::pair<const char*, std::function<void(config::Destination&)>>>{
      {"dscp", [](auto& edited) { edited.dscp = 5; }},
      {"size", [](auto& edited) { edited.packet_size = 100; }},
      {"port", [](auto& edited) { edited.port = 33000; }},
      {"protocol", [](auto& edited) { edited.protocol = Protocol::tcp; }},
      {"max_ttl", [](auto& edited) { edited.max_ttl = 3; }},
      {"source", [](auto& edited) { edited.source_address = kSource; }},
      {"more flows", [](auto& edited) { edited.flows = 4; }},
      {"fewer flows", [](auto& edited) { edited.flows = 1; }},
      {"address", [](auto& edited) {
         edited.host = "192.0.2.9";
         edited.address = ip("192.0.2.9");
       }}};
  for (const auto& [what, apply] : edits) {
    CAPTURE(what);
    config::Destination first = destination("192.0.2.1");
    first.name = "x";
    Reloaded traced({first, destination("192.0.2.2")});
    traced.pass(20s);
    const std::uint64_t before = traced.probes("x");
    CHECK(before > 10);
    Destinations next = traced.config.destinations;
    apply(next[0]);
    traced.go_over(next);
    CHECK(traced.probes("x") >= before);
    CHECK(traced.told("x")->flows.size() == next[0].flows);
    CHECK(traced.told("x")->facts->address == *next[0].address);
    CHECK(traced.gone.empty());
    traced.pass(20s);
    CHECK(traced.probes("x") > before + 10);
    CHECK(traced.traced() == Addresses{*next[0].address, ip("192.0.2.2")});
    CHECK(traced.routes.flows.size() == next[0].flows + 2u);
    for (const auto& [flow, numbers] : traced.numbers("192.0.2.2")) {
      for (std::size_t i = 0; i < numbers.size(); ++i)
        CHECK(numbers[i] == i);
    }
    CHECK(traced.warnings.empty());
  }
}

TEST_CASE("other source ports are other flows: their counters begin anew", "[agent][reload]") {
  Reloaded traced({destination("192.0.2.1")});
  traced.pass(20s);
  CHECK(traced.probes("192.0.2.1") > 10);
  Destinations next = traced.config.destinations;
  next[0].source_port = 40000;
  traced.go_over(next);
  CHECK(traced.probes("192.0.2.1") == 0);
  CHECK(traced.told("192.0.2.1")->flows.at(0).source_port == 40000);
}

TEST_CASE("two destinations can swap their ports in one reload", "[agent][reload]") {
  config::Destination a = destination("192.0.2.1");
  config::Destination b = a;
  a.name = "a";
  b.name = "b";
  b.source_port = 51000;
  Reloaded traced({a, b});
  traced.pass(5s);
  std::swap(a.source_port, b.source_port);
  traced.go_over({a, b});
  CHECK(traced.warnings.empty());
  CHECK(traced.routes.flows.size() == 4);
  CHECK(traced.told("a")->facts->source_ports[0] == 51000);
  traced.rounds.clear();
  traced.pass(12s);
  CHECK(traced.numbers("a").size() == 2);
  CHECK(traced.numbers("b").size() == 2);
}

TEST_CASE("who was refused for the flows of another begins when that is removed", "[agent][reload]") {
  Reloaded traced({destination("a.example"), destination("b.example")});
  traced.answer("a.example", {"192.0.2.1"}, 3600s);
  traced.answer("b.example", {"192.0.2.1"}, 3600s);
  traced.pass(3s);
  CHECK(traced.routes.flows.size() == 2);
  CHECK(traced.warnings.size() == 1);
  traced.go_over({destination("b.example")});
  CHECK(traced.routes.flows.size() == 2);
  traced.rounds.clear();
  traced.pass(12s);
  CHECK(traced.told("b.example")->measured);
  CHECK(traced.numbers("b.example").size() == 2);
}

TEST_CASE("another host name is looked up at once, and nobody probes the old one's address", "[agent][reload]") {
  config::Destination named = destination("a.example");
  named.name = "x";
  Reloaded traced({named});
  traced.answer("a.example", {"192.0.2.1"}, 3600s);
  traced.pass(12s);
  const std::uint64_t before = traced.probes("x");
  named.host = "b.example";
  traced.go_over({named});
  CHECK(traced.traced().empty());
  traced.pass(300ms);
  CHECK(traced.asked == Words{"a.example", "b.example"});
  CHECK(traced.told("x")->facts->host == "b.example");
  traced.answer("b.example", {"192.0.2.2"}, 3600s);
  traced.probed.clear();
  traced.pass(12s);
  CHECK(traced.probed == Addresses{ip("192.0.2.2")});
  CHECK(traced.probes("x") > before);

  // and on to an address, and back to a name
  named.host = "192.0.2.3";
  named.address = ip("192.0.2.3");
  traced.go_over({named});
  CHECK(traced.traced() == Addresses{ip("192.0.2.3")});
  traced.pass(3700s);
  CHECK(traced.asked.size() == 2);
  named.host = "a.example";
  named.address.reset();
  traced.go_over({named});
  traced.pass(300ms);
  CHECK(traced.asked.size() == 3);
  traced.answer("a.example", {"192.0.2.1"});
  CHECK(traced.traced() == Addresses{ip("192.0.2.1")});
}

TEST_CASE("another family keeps an address that still fits", "[agent][reload]") {
  config::Destination named = destination("a.example");
  Reloaded traced({named});
  traced.answer("a.example", {"192.0.2.1"}, 3600s);
  traced.pass(12s);
  const auto flows = traced.routes.flows;
  named.family = config::FamilyChoice::ipv4;
  traced.go_over({named});
  CHECK(traced.routes.flows == flows);
  traced.pass(300ms);
  CHECK(traced.asked.size() == 2);
  named.family = config::FamilyChoice::ipv6;
  traced.go_over({named});
  CHECK(traced.traced().empty());
}

TEST_CASE("labels of `all` reach every address of the name, which go on", "[agent][reload]") {
  config::Destination all = destination("all.example");
  all.name = "m";
  all.all = true;
  Reloaded traced({all});
  traced.answer("all.example", {"192.0.2.1", "192.0.2.2"}, 3600s);
  traced.pass(12s);
  const auto flows = traced.routes.flows;
  traced.gone.clear();
  all.labels = {{"site", "fra"}};
  traced.go_over({all});
  for (const char* name : {"m/192.0.2.1", "m/192.0.2.2"})
    CHECK(traced.told(name)->facts->labels == all.labels);
  CHECK(traced.routes.flows == flows);
  all.dscp = 3;
  traced.go_over({all});
  CHECK(traced.traced() == Addresses{ip("192.0.2.1"), ip("192.0.2.2")});
  CHECK(traced.gone.empty());
  traced.go_over(Destinations{});
  CHECK(traced.told().empty());
  CHECK(traced.gone == Words{"m/192.0.2.1", "m/192.0.2.2"});
  CHECK(traced.routes.flows.empty());
}

TEST_CASE("a thousand destinations are begun and ended in slices", "[agent][reload]") {
  Destinations many;
  for (int i = 0; i < 1000; ++i)
    many.push_back(destination("10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1)));
  Reloaded traced({destination("192.0.2.1")});
  many.push_back(destination("192.0.2.1"));
  traced.go_over(many);
  CHECK(traced.turns >= 50);
  CHECK(traced.routes.flows.size() == 2002);
  traced.pass(5s);
  CHECK(traced.told().size() == 1001);
  traced.go_over({destination("192.0.2.1")});
  CHECK(traced.turns >= 50);
  CHECK(traced.routes.flows.size() == 2);
  CHECK(traced.told() == std::set<std::string>{"192.0.2.1"});
  for (const auto& [flow, numbers] : traced.numbers("192.0.2.1")) {
    for (std::size_t i = 0; i < numbers.size(); ++i)
      CHECK(numbers[i] == i);
  }
}

TEST_CASE("another window begins empty, and no counter notices", "[agent][reload]") {
  Reloaded traced({destination("192.0.2.1")});
  traced.pass(20s);
  const std::uint64_t before = traced.probes("192.0.2.1");
  config::Config next = traced.config;
  next.window = 1min;
  next.limits.max_paths_per_destination = 3;
  next.histograms.hops = config::HistogramForm::off;
  traced.go_over(next);
  traced.pass(1s);
  CHECK(traced.probes("192.0.2.1") >= before);
  CHECK(traced.gone.empty());
}

TEST_CASE("what is added begins when it is added, and a clock that is set moves no begin", "[agent][reload]") {
  const auto wall = [](Instant at, Duration offset) { return WallTime(at.time_since_epoch() + offset); };
  const Duration offset = 1'800'000'000s;
  Reloaded traced({destination("192.0.2.1"), destination("b.example")});
  traced.tracing.set_wall_offset(offset);
  traced.pass(10s);
  const Instant added = traced.now;
  Destinations next = traced.config.destinations;
  next.push_back(destination("192.0.2.2"));
  next.push_back(destination("c.example"));
  traced.go_over(next);
  const auto begun = [&](const std::string& name) { return traced.told(name)->began; };
  for (const char* name : {"192.0.2.2", "c.example"}) {
    CAPTURE(name);
    CHECK(begun(name) > wall(added, offset));
    CHECK(begun(name) <= wall(traced.now, offset));
    CHECK(traced.told(name)->flows.at(0).began == begun(name));
  }
  const WallTime before = begun("192.0.2.2");
  const WallTime of_name = begun("c.example");

  traced.tracing.set_wall_offset(offset + 3600s);
  traced.answer("c.example", {"192.0.2.3"});
  const Instant edited = traced.now;
  next.back().flows = 3;
  next.erase(next.begin());  // and back again
  traced.go_over(next);
  next.push_back(destination("192.0.2.1"));
  traced.go_over(next);
  traced.pass(10s);
  CHECK(begun("192.0.2.2") == before);
  CHECK(begun("c.example") == of_name);
  const auto told = traced.told("c.example");
  REQUIRE(told->flows.size() == 3);
  CHECK(told->flows[1].began == of_name);
  CHECK(told->flows[2].began > wall(edited, offset + 3600s));
  CHECK(begun("192.0.2.1") > wall(edited, offset + 3600s));
}

TEST_CASE("ports that are spread are the same after a restart and with another address, and further flows keep them",
          "[agent][reload]") {
  config::Destination spread = destination("a.example");
  spread.source_port.reset();
  const auto ports = [](const Traced& traced) {
    std::vector<std::uint16_t> all;
    for (const FlowSnapshot& flow : traced.told("a.example")->flows)
      all.push_back(flow.source_port);
    return all;
  };
  Reloaded traced({spread});
  const auto before = ports(traced);
  REQUIRE(before.size() == 2);
  CHECK(before[0] != before[1]);
  for (const std::uint16_t port : before)
    CHECK((port >= 32768 && port <= 49151));
  traced.answer("a.example", {"192.0.2.1"}, 5s);
  traced.pass(3s);
  const std::uint64_t probes = traced.probes("a.example");
  CHECK(probes > 0);
  traced.pass(3s);
  traced.answer("a.example", {"192.0.2.2"}, 3600s);
  traced.pass(2s);
  CHECK(traced.traced() == Addresses{ip("192.0.2.2")});
  CHECK(ports(traced) == before);
  CHECK(traced.probes("a.example") > probes);

  spread.flows = 5;
  traced.go_over({spread});
  const auto after = ports(traced);
  REQUIRE(after.size() == 5);
  CHECK(std::ranges::equal(before, std::span(after).first(2)));
  CHECK(traced.probes("a.example") > probes);
  CHECK(ports(Reloaded({spread})) == after);
}

TEST_CASE("destinations of one address have ports of their own each, while there are some", "[agent][reload]") {
  // Blocks as small as these make sure that the orders of two names collide.
  std::vector<config::Destination> all = {destination("a.example"), destination("b.example"), destination("c.example")};
  for (config::Destination& each : all) {
    each.source_port.reset();
    each.source_ports = {40000, 40004};
  }
  Reloaded traced(all);
  for (const char* name : {"a.example", "b.example", "c.example"})
    traced.answer(name, {"192.0.2.1"}, 3600s);
  CHECK(traced.routes.flows.size() == 4);
  std::set<std::uint16_t> taken;
  for (const auto& [flow, tuple] : traced.routes.flows)
    CHECK(taken.insert(tuple.source_port).second);
  REQUIRE(traced.warnings.size() == 1);
  CHECK(traced.warnings[0].starts_with("c.example: not traced: "));
  traced.pass(5s);
  CHECK(traced.numbers("a.example").size() == 2);
  CHECK(traced.numbers("b.example").size() == 2);
  const auto shown = traced.told("b.example")->flows;
  // What a reload leaves alone keeps its ports, also those that another one of its order has now.
  all[1].labels = {{"site", "fra"}};
  traced.go_over(all);
  for (std::size_t i = 0; i < shown.size(); ++i)
    CHECK(traced.told("b.example")->flows[i].source_port == shown[i].source_port);
}

TEST_CASE("a fixed source port that a reload adds is taken from a destination that has spread ones",
          "[agent][reload]") {
  config::Destination spread = destination("a.example");
  spread.source_port.reset();
  spread.source_ports = {40000, 40099};
  config::Destination fixed = destination("b.example");
  Reloaded traced({spread});
  traced.answer("a.example", {"192.0.2.1"}, 3600s);
  traced.pass(5s);
  const std::uint16_t contested = traced.told("a.example")->flows.at(0).source_port;
  const std::uint16_t other = traced.told("a.example")->flows.at(1).source_port;
  fixed.source_port = contested;
  fixed.flows = 1;
  traced.go_over({spread, fixed});
  traced.pass(300ms);  // it is looked up
  traced.answer("b.example", {"192.0.2.1"}, 3600s);
  traced.pass(5s);
  CHECK(traced.warnings.empty());
  CHECK(traced.told("b.example")->facts->source_ports[0] == contested);
  CHECK(traced.numbers("b.example").size() == 1);
  const auto after = traced.told("a.example");
  CHECK(after->flows.at(0).source_port == other);  // the next of its order
  CHECK(after->flows.at(1).source_port != contested);
  std::set<std::uint16_t> taken;
  for (const auto& [flow, tuple] : traced.routes.flows)
    CHECK(taken.insert(tuple.source_port).second);
  CHECK(taken.size() == 3);
  traced.rounds.clear();
  traced.pass(12s);
  CHECK(traced.numbers("a.example").size() == 2);
  // As after a restart.
  Reloaded anew({spread, fixed});
  anew.answer("b.example", {"192.0.2.1"}, 3600s);
  anew.answer("a.example", {"192.0.2.1"}, 3600s);
  anew.pass(3s);
  for (std::size_t i = 0; i < 2; ++i)
    CHECK(anew.told("a.example")->facts->source_ports[i] == after->facts->source_ports[i]);
}
