#include "agent/tracing.hpp"

#include <map>
#include <set>

#include "catch.hpp"
#include "packet/probe_datagram.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

const IpAddress kSource = IpAddress::v4(0x0a000001);

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

config::Destination destination(const std::string& host) {
  config::Destination made;
  made.name = made.host = host;
  made.address = IpAddress::parse(host);
  made.flows = 2;
  made.interval = 1s;
  made.timeout = 200ms;
  made.max_ttl = 2;
  return made;
}

/// Knows a way to everything but 198.51.100.0/24.
class FakeRoutes final : public Routes {
 public:
  std::optional<IpAddress> add_flow(std::uint32_t flow, const FiveTuple& tuple, const RouteWish&) override {
    CHECK(flows.emplace(flow, tuple).second);
    if (tuple.destination.to_string().starts_with("198.51.100.")) return std::nullopt;
    return kSource;
  }
  void remove_flow(std::uint32_t flow) override { CHECK(flows.erase(flow) == 1); }

  std::map<std::uint32_t, FiveTuple> flows;
};

/// Tracing over an engine whose probes are all lost, and everything it tells.
struct Traced {
  explicit Traced(std::vector<config::Destination> destinations, config::Limits limits = {})
      : tracing(configuration(std::move(destinations), limits), engine, routes,
                {.round = [this](auto record) { rounds.push_back(std::move(record)); },
                 .snapshots = [this](auto made) { snapshots = std::move(made); },
                 .resolve = [this](const std::string& host, auto) { asked.push_back(host); },
                 .warn =
                     [this](std::string_view name, std::string_view text) {
                       warnings.push_back(std::string(name) + ": " + std::string(text));
                     },
                 .responder = [this](const IpAddress& address) { responders.push_back(address); },
                 .gone = [this](const std::string& name) { gone.push_back(name); }}) {
    tracing.start(now);
    pass(0s);
  }

  static config::Config configuration(std::vector<config::Destination> destinations, const config::Limits& limits) {
    config::Config config;
    config.destinations = std::move(destinations);
    config.limits = limits;
    return config;
  }

  /// Turns the loop for so long; at least once.
  void pass(Duration duration) {
    const Instant end = now + duration;
    do {
      now += 10ms;
      const auto batch = engine.poll(now, 1000, tracing);
      for (Outgoing& outgoing : batch) {
        const auto parsed = packet::parse_probe(outgoing.bytes);
        probed.insert(std::get<packet::Quote>(parsed).tuple.destination);
        outgoing.at = now;
      }
      engine.on_sent(batch);
      tracing.maintain(now);
    } while (now < end);
  }

  void answer(const std::string& host, const std::vector<const char*>& addresses, Duration ttl = 60s) {
    HostAnswer made{.host = host, .error = addresses.empty() ? "timeout" : "", .ttl = ttl};
    for (const char* address : addresses)
      made.addresses.push_back(ip(address));
    tracing.on_names(made, now);
  }

  std::set<IpAddress> traced() const {
    std::set<IpAddress> found;
    for (const auto& [flow, tuple] : routes.flows)
      found.insert(tuple.destination);
    return found;
  }

  std::set<std::string> told() const {
    std::set<std::string> names;
    for (const auto& snapshot : *snapshots)
      names.insert(snapshot->facts->name);
    return names;
  }

  std::shared_ptr<const DestinationSnapshot> told(const std::string& name) const {
    for (const auto& snapshot : *snapshots)
      if (snapshot->facts->name == name) return snapshot;
    FAIL("nothing is told of " << name);
    return nullptr;
  }

  Instant now{1000s};
  std::vector<std::shared_ptr<const RoundRecord>> rounds;
  std::shared_ptr<const Snapshots> snapshots = std::make_shared<Snapshots>();
  std::vector<std::string> asked, warnings, gone;
  std::vector<IpAddress> responders;
  std::set<IpAddress> probed;  ///< since somebody cleared it
  FakeRoutes routes;
  Engine engine{{.secret = {1, 2}}};
  Tracing tracing;
};

using Addresses = std::set<IpAddress>;
using Words = std::vector<std::string>;

}  // namespace

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

TEST_CASE("a name that resolves late is told as down until then, and warned of once", "[agent]") {
  Traced traced({destination("a.example")});
  CHECK(traced.asked == Words{"a.example"});
  CHECK_FALSE(traced.told("a.example")->measured);
  for (int i = 0; i < 3; ++i) {
    traced.answer("a.example", {});
    traced.pass(16s);
    CHECK(traced.asked.size() == 2u + static_cast<unsigned>(i));
  }
  CHECK(traced.tracing.settled());
  CHECK(traced.tracing.dns_errors() == 3);
  CHECK(traced.warnings == Words{"a.example: cannot resolve a.example: timeout"});
  CHECK(traced.told("a.example")->measured);
  CHECK_FALSE(traced.told("a.example")->up);
  CHECK(traced.routes.flows.empty());

  traced.answer("a.example", {"192.0.2.7"});
  traced.pass(3s);
  CHECK(traced.probed == Addresses{ip("192.0.2.7")});
  CHECK(traced.told("a.example")->facts->address == ip("192.0.2.7"));
}

TEST_CASE("a name that never resolves is told as down also when all its addresses are wanted", "[agent]") {
  config::Destination all = destination("all.example");
  all.all = true;
  Traced traced({all});
  CHECK_FALSE(traced.tracing.settled());
  traced.answer("all.example", {});
  traced.pass(2s);
  CHECK(traced.tracing.settled());
  REQUIRE(traced.told() == std::set<std::string>{"all.example"});
  CHECK(traced.told("all.example")->measured);
  CHECK_FALSE(traced.told("all.example")->up);
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
  traced.answer("a.example", {"0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"});
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

TEST_CASE("of two destinations at one address the second is told as down, until the first has left", "[agent]") {
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
  CHECK(traced.told("b.example")->measured);
  CHECK_FALSE(traced.told("b.example")->up);
  CHECK(traced.told("all.example/192.0.2.1")->measured);

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
  traced.tracing.on_source(0, kSource);
  traced.tracing.on_source(1, kSource);
  traced.pass(3s);
  CHECK(traced.probed == Addresses{ip("198.51.100.1")});
}
