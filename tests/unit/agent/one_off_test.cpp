#include "agent/one_off/one_off.hpp"

#include <map>
#include <set>

#include "agent/one_off/probe_answers.hpp"
#include "catch.hpp"
#include "packet/probe_datagram.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

/// Of a destination of which no round was judged, for `why`.
DestinationSnapshot unjudged(Unjudged why) {
  DestinationSnapshot snapshot;
  snapshot.unjudged = why;
  return snapshot;
}

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

class FakeRoutes final : public Routes {
 public:
  std::optional<IpAddress> add_flow(std::uint32_t flow, const FiveTuple& tuple, const RouteWish&) override {
    CHECK(flows.emplace(flow, tuple).second);
    return ip("10.0.0.1");
  }
  void remove_flow(std::uint32_t flow) override { CHECK(flows.erase(flow) == 1); }
  std::map<std::uint32_t, FiveTuple> flows;
};

class OtherRounds final : public RoundSink {
 public:
  void on_round(const Round& round) override { flows.insert(round.flow); }
  std::set<std::uint32_t> flows;
};

config::Config configuration() {
  config::Config config;
  config::Module module;
  module.name = "quick";
  module.rounds = 2;
  module.probe.flows = 4;
  module.probe.interval = 1s;
  module.probe.timeout = 200ms;
  module.probe.max_ttl = 2;
  module.probe.source_port = 40000;
  config.modules.push_back(module);
  config.one_off.allowed_networks = {*config::Network::parse("192.0.2.0/24"), *config::Network::parse("2001:db8::/32")};
  config.one_off.max_concurrent = 2;
  config.one_off.burst = 5;
  return config;
}

/// One-off traces over an engine whose probes are all lost.
struct Desk {
  explicit Desk(config::Config made = configuration())
      : config(std::move(made)),
        desk(config.one_off),
        traces(config, engine, routes, desk, others,
               {.resolve = [this](const std::string& host, auto) { asked.push_back(host); }, .responder = {}}) {}

  std::shared_ptr<OneOffTicket> ask(const std::string& host, Duration time = 5s,
                                    OneOffRefusal expected = OneOffRefusal::none, const IpAddress& client = {}) {
    std::shared_ptr<OneOffTicket> ticket;
    CHECK(desk.admit(
              {.host = host, .address = IpAddress::parse(host), .client = client, .begun = now, .deadline = now + time},
              ticket) == expected);
    return ticket;
  }

  void pass(Duration duration) {
    for (const Instant end = now + duration; now < end;) {
      now += 10ms;
      const auto batch = engine.poll(now, 1000, traces);
      for (Outgoing& outgoing : batch) {
        const auto parsed = packet::parse_probe(outgoing.bytes);
        probed.insert(std::get<packet::Quote>(parsed).tuple.destination);
        outgoing.at = now;
      }
      engine.on_sent(batch);
      traces.maintain(now);
    }
  }

  void answer(const std::string& host, const std::vector<const char*>& addresses) {
    HostAnswer made{.host = host, .error = addresses.empty() ? "timeout" : "", .ttl = {}};
    for (const char* address : addresses)
      made.addresses.push_back(ip(address));
    traces.on_names(made, now);
  }

  /// Already there: nobody waits in a test.
  OneOffResult result(OneOffTicket& ticket) const { return ticket.wait(Instant{}); }

  config::Config config;
  Instant now{1000s};
  Engine engine{{.secret = {1, 2}}};
  FakeRoutes routes;
  OtherRounds others;
  OneOffDesk desk;
  std::vector<std::string> asked;
  std::set<IpAddress> probed;
  OneOffTraces traces;
};

}  // namespace

TEST_CASE("a one-off trace makes its rounds, tells them, and leaves nothing behind", "[one_off]") {
  config::Config config = configuration();
  config.modules[0].probe.protocol = Protocol::tcp;  // over UDP the first searches are not judged
  Desk desk(std::move(config));
  const auto ticket = desk.ask("192.0.2.7");
  desk.pass(4s);
  const OneOffResult result = desk.result(*ticket);
  CHECK(result.refusal == OneOffRefusal::none);
  REQUIRE(result.snapshot != nullptr);
  CHECK(result.snapshot->facts->name == "192.0.2.7");
  CHECK(result.snapshot->facts->source_ports[0] == 40000);
  CHECK_FALSE(result.snapshot->up);
  REQUIRE(result.snapshot->flows.size() == 4);
  for (const FlowSnapshot& flow : result.snapshot->flows)
    CHECK(flow.probes == 2);
  CHECK(result.log.back().find("all rounds are over") != std::string::npos);
  CHECK(desk.routes.flows.empty());
  CHECK_FALSE(desk.traces.busy());
  desk.probed.clear();
  desk.pass(3s);
  CHECK(desk.probed.empty());
  CHECK(desk.desk.counters().traced == 1);
  CHECK(desk.desk.counters().reached == 0);
}

TEST_CASE("one client cannot take all places and tokens of one-off traces", "[one_off]") {
  const IpAddress other = IpAddress::v4(0x0a000002), third = IpAddress::v4(0x0a000003);
  Desk desk;
  desk.ask("192.0.2.1");
  desk.ask("192.0.2.2");
  desk.ask("192.0.2.3", 5s, OneOffRefusal::busy);
  // max_concurrent are taken: another client gets the one place more, and nobody a further one.
  const auto ticket = desk.ask("192.0.2.3", 5s, OneOffRefusal::none, other);
  desk.ask("192.0.2.4", 5s, OneOffRefusal::busy, other);
  desk.ask("192.0.2.4", 5s, OneOffRefusal::busy, third);
  desk.pass(6s);
  CHECK(desk.result(*ticket).snapshot != nullptr);
  CHECK(desk.probed.contains(ip("192.0.2.3")));

  // A burst of five, two tokens a second.
  desk.pass(60s);
  for (int count = 0; count < 5; ++count) {
    desk.ask("192.0.2.1", 10ms);
    desk.pass(20ms);
  }
  desk.ask("192.0.2.1", 10ms, OneOffRefusal::rate);
  desk.ask("192.0.2.1", 10ms, OneOffRefusal::none, other);
  desk.pass(20ms);
  desk.ask("192.0.2.1", 10ms, OneOffRefusal::rate, other);
  desk.ask("192.0.2.1", 10ms, OneOffRefusal::rate, third);  // a quarter of five is one
}

TEST_CASE("a one-off trace answers at its deadline with what there is", "[one_off]") {
  Desk desk;
  desk.config.modules[0].probe.timeout = 200ms;
  const auto ticket = desk.ask("192.0.2.7", 250ms);
  desk.pass(260ms);
  const OneOffResult result = desk.result(*ticket);
  REQUIRE(result.snapshot != nullptr);
  CHECK(result.log.back().find("out of time") != std::string::npos);
  CHECK(desk.routes.flows.empty());
}

TEST_CASE("rounds of steady flows go on to the one they are for", "[one_off]") {
  Desk desk;
  DestinationPlan plan;
  plan.address = ip("192.0.2.200");
  plan.flows = 3;
  plan.interval = 500ms;
  plan.timeout = 100ms;
  plan.max_ttl = 1;
  const auto first = desk.engine.add(plan, desk.now);
  REQUIRE(first);
  for (std::uint32_t i = 0; i < 3; ++i)
    desk.engine.set_source(*first + i, ip("10.0.0.1"));
  const auto ticket = desk.ask("192.0.2.7");
  desk.pass(4s);
  CHECK(desk.others.flows == std::set<std::uint32_t>{*first, *first + 1, *first + 2});
  CHECK(desk.result(*ticket).snapshot != nullptr);
}

TEST_CASE("a name is looked up first, and then its address is judged", "[one_off]") {
  Desk desk;
  const auto good = desk.ask("good.example");
  const auto bad = desk.ask("bad.example");
  desk.pass(20ms);
  CHECK(desk.asked == std::vector<std::string>{"good.example", "bad.example"});
  desk.answer("good.example", {"198.51.100.1", "192.0.2.9"});
  desk.answer("bad.example", {"198.51.100.1", "::ffff:192.0.2.1", "224.0.0.1"});
  desk.pass(4s);
  CHECK(desk.result(*bad).refusal == OneOffRefusal::network);
  const OneOffResult result = desk.result(*good);
  REQUIRE(result.snapshot != nullptr);
  CHECK(result.snapshot->facts->address == ip("192.0.2.9"));
  CHECK(desk.probed == std::set<IpAddress>{ip("192.0.2.9")});
  CHECK(desk.desk.counters().refused[static_cast<std::size_t>(OneOffRefusal::network)] == 1);

  const auto unknown = desk.ask("unknown.example");
  desk.pass(20ms);
  desk.answer("unknown.example", {});
  desk.pass(20ms);
  CHECK(desk.result(*unknown).snapshot == nullptr);
  CHECK(desk.result(*unknown).refusal == OneOffRefusal::none);
}

TEST_CASE("only so many one-off traces are under way, and only so many begin in a second", "[one_off]") {
  Desk desk;
  const auto first = desk.ask("192.0.2.1");
  const auto second = desk.ask("192.0.2.1");  // the same address: other ports
  desk.ask("192.0.2.3", 5s, OneOffRefusal::busy);
  desk.pass(4s);
  const auto one = desk.result(*first).snapshot;
  const auto two = desk.result(*second).snapshot;
  REQUIRE(one != nullptr);
  REQUIRE(two != nullptr);
  CHECK(one->facts->source_ports[0] + 4 == two->facts->source_ports[0]);
  // Two tokens were taken and have come back; five in a burst, two a second.
  for (int i = 0; i < 5; ++i) {
    const auto ticket = desk.ask("192.0.2.1", 10ms);
    REQUIRE(ticket != nullptr);
    desk.traces.maintain(desk.now);
    desk.traces.maintain(desk.now + 20ms);
  }
  desk.ask("192.0.2.1", 5s, OneOffRefusal::rate);
  desk.now += 500ms;
  CHECK(desk.ask("192.0.2.1") != nullptr);
  desk.traces.stop();
  desk.ask("192.0.2.1", 5s, OneOffRefusal::stopping);
  CHECK(desk.desk.counters().refused[static_cast<std::size_t>(OneOffRefusal::busy)] == 1);
  CHECK(desk.desk.counters().refused[static_cast<std::size_t>(OneOffRefusal::rate)] == 1);
}

TEST_CASE("who waits is told when the exporter stops", "[one_off]") {
  Desk desk;
  const auto queued = desk.ask("192.0.2.1");
  desk.pass(20ms);
  const auto waiting = desk.ask("192.0.2.2");
  desk.traces.stop();
  CHECK(desk.result(*queued).refusal == OneOffRefusal::stopping);
  CHECK(desk.result(*waiting).refusal == OneOffRefusal::stopping);
}

TEST_CASE("ports of one-off traces are those that nobody else has", "[one_off]") {
  config::Config config = configuration();
  config::Destination destination;
  destination.source_port = 40003;
  destination.flows = 16;
  config.destinations = {destination, destination};
  config.modules.push_back(config.modules[0]);
  config.modules.push_back(config.modules[0]);
  config.modules[2].probe.protocol = Protocol::tcp;
  const auto ports = choose_one_off_ports(config);
  REQUIRE(ports.size() == 3);
  CHECK(ports[0].first == 40019);
  CHECK(ports[0].count == 12);  // four flows for each of two, and of one more
  CHECK(ports[1].first == 40031);
  CHECK(ports[2].first == 40000);

  // From the top on around to the lowest; and none where there is no room.
  config.modules[0].probe.source_port = 65533;
  CHECK(choose_one_off_ports(config)[0].first == 1024);
  destination.source_port = 1;
  destination.flows = 65000;
  config.destinations = {destination};
  config.modules[0].probe.flows = 512;
  const auto full = choose_one_off_ports(config);
  CHECK(full[0].count == 0);

  Desk desk(config);
  const auto ticket = desk.ask("192.0.2.1");
  desk.pass(20ms);
  CHECK(desk.result(*ticket).refusal == OneOffRefusal::ports);
}

TEST_CASE("a one-off trace takes no 5-tuple that is taken", "[one_off]") {
  Desk desk;
  DestinationPlan plan;
  plan.address = ip("192.0.2.1");
  plan.source_ports = 40001;
  plan.flows = 1;
  plan.interval = 1s;
  plan.timeout = 1s;
  REQUIRE(desk.engine.add(plan, desk.now));
  const auto other_slot = desk.ask("192.0.2.1");
  desk.pass(4s);
  REQUIRE(desk.result(*other_slot).snapshot != nullptr);
  for (const std::uint16_t taken : {std::uint16_t{40005}, std::uint16_t{40009}}) {
    plan.source_ports = taken;
    REQUIRE(desk.engine.add(plan, desk.now));
  }
  const auto none = desk.ask("192.0.2.1");
  desk.pass(20ms);
  CHECK(desk.result(*none).refusal == OneOffRefusal::ports);
}

TEST_CASE("parameters of /probe are checked, each with one line", "[one_off]") {
  std::vector<config::Module> modules = configuration().modules;
  modules.push_back(modules[0]);
  modules[1].name = "four";
  modules[1].probe.family = config::FamilyChoice::ipv4;
  const auto error = [&](const std::vector<std::pair<std::string, std::string>>& parameters) {
    const auto query = parse_probe_query(parameters, modules);
    return query.ok() ? std::string() : query.error();
  };
  CHECK(error({{"module", "quick"}, {"destination", "192.0.2.1"}}).empty());
  CHECK(error({{"module", "four"}, {"destination", "a.example"}, {"debug", "true"}}).empty());
  CHECK(error({{"destination", "192.0.2.1"}}).starts_with("parameter module is missing"));
  CHECK(error({{"module", "quick"}}).starts_with("parameter destination is missing"));
  CHECK(error({{"module", "slow"}, {"destination", "a"}}) == "parameter module: \"slow\" is not configured");
  CHECK(error({{"module", "quick"}, {"module", "quick"}}) == "parameter module is there twice");
  CHECK(error({{"module", "quick"}, {"target", "192.0.2.1"}}).empty());
  CHECK(error({{"target", "a.example"}, {"module", "quick"}, {"destination", "a.example"}}).empty());
  CHECK(error({{"target", "a.example"}, {"module", "quick"}, {"destination", "b.example"}}) ==
        "parameters destination and target name different hosts: one of them is enough");
  CHECK(error({{"module", "quick"}, {"target", "a"}, {"target", "a"}}) == "parameter target is there twice");
  CHECK(error({{"host", "a"}}).starts_with("parameter \"host\" is unknown"));
  CHECK(error({{"module", "quick"}, {"destination", "a"}, {"debug", "1"}}) == "parameter debug: must be true or false");
  CHECK(error({{"module", "four"}, {"destination", "2001:db8::1"}}).find("the module is for IPv4") !=
        std::string::npos);
  for (const std::string& host :
       std::vector<std::string>{"", "a b", "a\nb", "-a.example", "a..b", "192.0.2.1:53", "[::1]", "fe80::1%eth0"}) {
    CAPTURE(host);
    CHECK(error({{"module", "quick"}, {"destination", host}}).starts_with("parameter destination="));
  }
}

TEST_CASE("a trace ends before the scrape that waits for it", "[one_off]") {
  const config::OneOffLimits settings;
  CHECK(*probe_time(std::nullopt, settings) == 9500ms);
  CHECK(*probe_time(3s, settings) == 2500ms);
  CHECK(*probe_time(24h, settings) == 5min);
  CHECK_FALSE(probe_time(600ms, settings).ok());
  CHECK_FALSE(probe_time(0s, settings).ok());
}

TEST_CASE("without modules there is no /probe", "[one_off]") {
  const ProbeAnswers answers({}, {}, {});
  const auto response = answers.answer({});
  CHECK(response.status == 404);
  CHECK(response.body.starts_with("no module is configured"));
}

TEST_CASE("one-off traces of a module without source_port take whatever ports nobody has", "[one_off]") {
  config::Config config = configuration();
  config.modules[0].probe.source_port.reset();
  config.modules[0].probe.source_ports = {40000, 40009};
  Desk desk(config);
  DestinationPlan plan;
  plan.address = ip("192.0.2.1");
  plan.source_ports = 40004;
  plan.flows = 2;
  plan.interval = 1s;
  plan.timeout = 1s;
  REQUIRE(desk.engine.add(plan, desk.now));
  const auto first = desk.ask("192.0.2.1");
  const auto second = desk.ask("192.0.2.1");
  desk.pass(6s);  // beyond the deadline
  std::set<std::uint16_t> taken{40004, 40005};
  std::vector<SourcePorts> ports;
  for (const auto& ticket : {first, second}) {
    const auto snapshot = desk.result(*ticket).snapshot;
    REQUIRE(snapshot != nullptr);
    REQUIRE(snapshot->flows.size() == 4);
    ports.push_back(snapshot->facts->source_ports);
    for (const FlowSnapshot& flow : snapshot->flows)
      CHECK(taken.insert(flow.source_port).second);
  }
  CHECK(taken.size() == 10);
  // The ports of a destination are the same for everyone who asks.
  const auto again = desk.ask("192.0.2.1");
  desk.pass(6s);  // beyond the deadline
  CHECK(desk.result(*again).snapshot->facts->source_ports.agrees(ports[0]));
}

TEST_CASE("a trace that judged no round succeeded if the destination answered, and failed only if that was the network",
          "[one_off]") {
  CHECK(trace_reached(nullptr) == false);
  DestinationSnapshot judged;
  judged.measured = true;
  CHECK(trace_reached(&judged) == false);
  judged.up = true;
  CHECK(trace_reached(&judged) == true);
  for (const Unjudged why : {Unjudged::suppressed, Unjudged::left_out, Unjudged::undecided}) {
    DestinationSnapshot limited = unjudged(why);
    CHECK(trace_reached(&limited) == std::nullopt);
    limited.paths.emplace_back();
    CHECK(trace_reached(&limited) == std::nullopt);
    limited.paths.emplace_back().complete = true;
    CHECK(trace_reached(&limited) == true);
  }
  for (const Unjudged why : {Unjudged::not_resolved, Unjudged::first_round, Unjudged::send_failed}) {
    const DestinationSnapshot failed = unjudged(why);
    CHECK(trace_reached(&failed) == false);
  }
}
