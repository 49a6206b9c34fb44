#include "snapshots.hpp"

namespace ecmp::render::test {

namespace {

HopSnapshot hop(std::uint8_t ttl, const IpAddress& responder, const HopCounters& counters) {
  HopSnapshot snapshot;
  snapshot.ttl = ttl;
  snapshot.responder = responder;
  snapshot.counters = counters;
  return snapshot;
}

PathSnapshot path(std::uint32_t id, std::uint32_t ordinal, std::vector<HopSnapshot> hops) {
  PathSnapshot snapshot;
  snapshot.id = id;
  snapshot.ordinal = ordinal;
  snapshot.length = hops.back().ttl;
  snapshot.complete = true;
  snapshot.hops = std::move(hops);
  return snapshot;
}

/// RTTs and losses around `rtt`, as of some rounds; one of them took longer than any bound.
std::shared_ptr<const Statistics> statistics(Duration rtt) {
  using Kind = Statistics::Kind;
  Statistics made;
  for (int i = 0; i < 10; ++i) {
    made.observe(Kind::rtt, rtt * (10 + i) / 10);
    made.observe(Kind::jitter, rtt * (i % 3) / 10);
    made.observe(Kind::loss, i < 8 ? 0.0 : 1.0 / i);
  }
  made.observe(Kind::rtt, std::chrono::seconds(2));
  made.window.probes = 40;
  made.window.losses = 1;
  made.window.rtts = 39;
  made.window.jitters = 36;
  made.window.rtt = {rtt, rtt * 3 / 2, rtt * 2};
  made.window.jitter = {Duration(0), rtt / 10, rtt / 5};
  return std::make_shared<const Statistics>(made);
}

/// The destination, its flows and what it counts began at one time, a path later, and a hop of it later still.
void tell_begins(DestinationSnapshot& snapshot) {
  using std::chrono_literals::operator""s, std::chrono_literals::operator""ms, std::chrono_literals::operator""ns;
  snapshot.began = WallTime(1767225600s + 250ms);
  snapshot.flows[0].began = snapshot.flows[1].began = snapshot.began;
  for (PathSnapshot& path : snapshot.paths) {
    path.began = snapshot.began + path.ordinal * 10s;
    for (HopSnapshot& hop : path.hops)
      hop.began = path.began;
  }
  snapshot.paths[0].hops[1].began += 1ns;
  snapshot.paths[1].hops[2].began = {};  // not known
  snapshot.unreachables[0].began = WallTime(1767225700s);
}

/// What STAMP streams have shown of two_branches().
std::shared_ptr<const OnewaySnapshot> streams() {
  OnewaySnapshot oneway;
  oneway.up = true;
  oneway.mode = stamp::ReflectorMode::stateful;
  oneway.restarts = 1;
  oneway.synchronised = true;
  oneway.clock_error = std::chrono::milliseconds(2);
  oneway.flows.resize(3);
  oneway.flows[0].counts = {.resolved = 1000, .forward = 20, .reverse = 7, .round_trips = 40, .unresolved = 3};
  oneway.flows[0].counts.reordered_forward = 2;
  oneway.flows[0].duplicates_reverse = 4;
  oneway.flows[0].reverse_path = 0x0badcafe;
  OnewayPathSnapshot path;
  path.path = 0x5c1e09aa;
  path.counts = oneway.flows[0].counts;
  path.window = {.resolved = 200, .forward = 10, .reverse = 19};
  path.forward = {.count = 970, .seconds = 1.5};
  path.reverse = {.count = 970, .seconds = 0.75};
  path.back = path.counts;
  path.back_window = path.window;
  path.exchanges = path.back_exchanges = 171;
  path.forward_window = {std::chrono::milliseconds(1), std::chrono::milliseconds(4), std::chrono::milliseconds(8)};
  path.relative_forward = std::chrono::microseconds(250);
  path.forward_delay = {
      .sum = {.count = 960, .seconds = 10.5},
      .window = 170,
      .quantiles = {std::chrono::milliseconds(10), std::chrono::milliseconds(14), std::chrono::milliseconds(18)}};
  oneway.paths.push_back(path);
  return std::make_shared<const OnewaySnapshot>(oneway);
}

std::shared_ptr<const DestinationSnapshot> two_branches() {
  DestinationFacts facts;
  facts.name = "fra-edge";
  facts.host = "fra.example.net";
  facts.address = ip("192.0.2.1");
  facts.stamp = true;
  facts.port = 33434;
  facts.source_ports = 50000;
  facts.flows = 3;
  facts.expected_paths = 4;
  facts.labels = {{"site", "fra"}, {"team", "backbone"}};
  DestinationSnapshot snapshot;
  snapshot.facts = std::make_shared<const DestinationFacts>(facts);
  snapshot.measured = true;
  snapshot.up = true;
  for (std::uint16_t flow = 0; flow < 3; ++flow) {
    FlowSnapshot one;
    one.source_port = static_cast<std::uint16_t>(50000 + flow);
    one.source = ip("198.51.100.1");
    one.probes = 100;
    one.replies = 98 + flow;
    one.path = flow == 0 ? 0x5c1e09aau : 0x000000b7u;
    one.ordinal = flow == 0 ? 1 : 2;
    one.changes[static_cast<std::size_t>(ChangeKind::reroute)] = flow;
    snapshot.flows.push_back(one);
  }
  snapshot.flows[2] = FlowSnapshot{};
  snapshot.flows[2].source_port = 50002;  // no route yet, nothing known
  HopSnapshot labelled = hop(2, ip("203.0.113.1"), {100, 60, 0, 40});
  labelled.limiting = Limiting::confirmed;
  packet::MplsStack labels;
  labels.depth = 2;
  labels.labels[0].label = 16004;
  labels.labels[1].label = 24005;
  labelled.mpls = labels;
  snapshot.paths.push_back(
      path(0x5c1e09aa, 1,
           {hop(1, ip("198.51.100.254"), {100, 100, 0, 0}), labelled, hop(4, ip("192.0.2.1"), {100, 98, 2, 0})}));
  snapshot.paths.push_back(
      path(0x000000b7, 2,
           {hop(1, ip("198.51.100.254"), {100, 100, 0, 0}), hop(2, ip("203.0.113.2"), {100, 99, 1, 0}),
            hop(4, ip("192.0.2.1"), {100, 99, 1, 0})}));
  HopSnapshot& bleached = snapshot.paths[1].hops[1];
  packet::ReplyNotes notes;
  notes.sent_traffic_class = 184;
  bleached.newest.kind = packet::ReplyKind::time_exceeded;
  bleached.mpls = packet::KeptMpls(notes);
  for (PathSnapshot& one : snapshot.paths) {
    one.flows = 1;
    one.probes = 100;
    one.replies = 97 + one.ordinal;
  }
  // The second path, of the lower id and so the first to be told, has yet to observe something.
  snapshot.paths[0].statistics = statistics(std::chrono::microseconds(1500));
  snapshot.paths[1].statistics = std::make_shared<const Statistics>();
  snapshot.paths[0].hops[0].statistics = statistics(std::chrono::microseconds(312));
  snapshot.paths[0].hops[1].statistics = statistics(std::chrono::microseconds(700));
  snapshot.paths[1].hops[1].statistics = std::make_shared<const Statistics>();
  snapshot.links = {{2, ip("198.51.100.254"), ip("203.0.113.1"), 1}, {2, ip("198.51.100.254"), ip("203.0.113.2"), 1}};
  snapshot.unreachables = {{packet::ReplyKind::admin_prohibited, ip("203.0.113.9"), 7}};
  snapshot.paths_in_use = 2;
  snapshot.coverage = 0.875;
  snapshot.paths_refused = 5;
  snapshot.oneway = streams();
  tell_begins(snapshot);
  return std::make_shared<const DestinationSnapshot>(snapshot);
}

std::shared_ptr<const DestinationSnapshot> never_measured() {
  DestinationFacts facts;
  facts.name = "ams-six";
  facts.host = "2001:db8::1";
  facts.address = ip("2001:db8::1");
  facts.protocol = Protocol::icmp;
  facts.source_ports = 4711;
  facts.flows = 1;
  DestinationSnapshot snapshot;
  snapshot.facts = std::make_shared<const DestinationFacts>(facts);
  snapshot.unjudged = Unjudged::first_round;
  FlowSnapshot flow;
  flow.source_port = 4711;
  flow.source = ip("2001:db8::99");
  snapshot.flows.push_back(flow);
  return std::make_shared<const DestinationSnapshot>(snapshot);
}

std::shared_ptr<const DestinationSnapshot> to_be_escaped() {
  DestinationFacts facts;
  facts.name = "a \"quoted\"\\ <name>\nof two lines \xff";
  facts.host = "198.51.100.77";
  facts.address = ip("198.51.100.77");
  facts.protocol = Protocol::tcp;
  facts.port = 443;
  facts.source_ports = 51000;
  facts.flows = 1;
  facts.labels = {{"address", "taken"}, {"bad-name", "x"}, {"note", "\"\\\n\x80"}, {"note", "twice"}};
  DestinationSnapshot snapshot;
  snapshot.facts = std::make_shared<const DestinationFacts>(facts);
  snapshot.measured = true;
  FlowSnapshot flow;
  flow.source_port = 51000;
  flow.source = ip("198.51.100.1");
  flow.probes = 40;
  snapshot.flows.push_back(flow);
  return std::make_shared<const DestinationSnapshot>(snapshot);
}

}  // namespace

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

Snapshots example_snapshots() {
  return {two_branches(), never_measured(), to_be_escaped()};
}

NamesOfTest example_names() {
  NamesOfTest names;
  names.names[ip("198.51.100.254")] = "gw.example.net";
  names.names[ip("203.0.113.2")] = "evil\"name\n\xfe";
  names.names[ip("203.0.113.9")] = "firewall.example.net";
  return names;
}

Snapshots many_snapshots(std::size_t destinations, std::size_t flows, std::size_t paths, std::size_t hops) {
  Snapshots snapshots;
  for (std::size_t d = 0; d < destinations; ++d) {
    const auto number = static_cast<std::uint32_t>(d);
    DestinationFacts facts;
    facts.name = "destination-" + std::to_string(d);
    facts.address = IpAddress::v4(0x0a000000u + number);
    DestinationSnapshot snapshot;
    snapshot.facts = std::make_shared<const DestinationFacts>(facts);
    snapshot.measured = true;
    for (std::size_t f = 0; f < flows; ++f) {
      FlowSnapshot flow;
      flow.source_port = static_cast<std::uint16_t>(50000 + f);
      flow.source = IpAddress::v4(0x0a000001u);
      flow.path = static_cast<std::uint32_t>(1 + f % paths);
      flow.probes = 123456 + f;
      snapshot.flows.push_back(flow);
    }
    for (std::size_t p = 0; p < paths; ++p) {
      std::vector<HopSnapshot> list;
      for (std::size_t h = 0; h < hops; ++h) {
        const auto address = static_cast<std::uint32_t>(0x0b000000u + h * 64 + (h > 3 ? p : 0));
        list.push_back(hop(static_cast<std::uint8_t>(h + 1), IpAddress::v4(address), {123456, 123400, 6, 50}));
      }
      snapshot.paths.push_back(path(static_cast<std::uint32_t>(p + 1), static_cast<std::uint32_t>(p + 1), list));
    }
    snapshots.push_back(std::make_shared<const DestinationSnapshot>(snapshot));
  }
  return snapshots;
}

}  // namespace ecmp::render::test
