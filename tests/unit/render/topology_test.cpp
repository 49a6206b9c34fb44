#include "render/json/topology.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "catch.hpp"
#include "fans.hpp"
#include "golden.hpp"
#include "path/model/path_graph.hpp"
#include "render/json/event_json.hpp"
#include "snapshots.hpp"

using namespace ecmp;
using namespace ecmp::render;
using namespace ecmp::render::test;
using namespace std::chrono_literals;

namespace {

using Rounds = std::vector<std::shared_ptr<const RoundRecord>>;

/// 2026-01-01T00:00:00Z
const WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);

std::string written(
    const Snapshots& snapshots, TopologyWriter::Options options, const HopNames& names,
    const TopologyWriter::NewestRounds& rounds = [](const std::string&) { return Rounds{}; }) {
  options.time = kNow;
  options.version = "1.2.3";
  TopologyWriter writer(snapshots, options);
  std::string out;
  while (writer.next(out, names, rounds)) {
  }
  return out;
}

/// The newest rounds of fra-edge: flow 50000 reached it, 50001 did not.
Rounds rounds_of_example(const std::string& destination) {
  if (destination != "fra-edge") return {};
  Rounds rounds;
  for (const std::uint16_t port : {std::uint16_t{50000}, std::uint16_t{50001}}) {
    RoundRecord record;
    record.source_port = port;
    record.round.started = Instant(100s);
    record.wall_offset = kNow.time_since_epoch() - 102s;
    if (port == 50000) {
      record.round.end_to_end = EndToEnd::reached;
      record.round.distance = 1;
      record.round.hops.resize(1);
      record.round.hops[0].rtt = 1499999ns;
    }
    rounds.push_back(std::make_shared<const RoundRecord>(record));
  }
  return rounds;
}

std::shared_ptr<const Statistics> window(std::uint64_t probes, std::uint64_t losses, Duration rtt) {
  WindowCounts counts;
  counts.rtts.add(log_buckets::key_of(in_seconds(rtt)), static_cast<std::uint32_t>(probes - losses));
  counts.losses = losses;
  counts.least = rtt;
  return std::make_shared<const Statistics>(Statistics(), std::span<Statistics::Observation>(), nullptr, &counts);
}

/// Four flows over two branches of which the second loses half of what it is to forward.
DestinationSnapshot lossy_branch() {
  DestinationSnapshot snapshot = *example_snapshots()[0];
  snapshot.flows.clear();
  for (std::uint16_t i = 0; i < 4; ++i) {
    FlowSnapshot flow;
    flow.source_port = static_cast<std::uint16_t>(50000 + i);
    flow.source = ip("198.51.100.1");
    flow.path = 1u + i % 2;
    flow.ordinal = flow.path;
    snapshot.flows.push_back(flow);
  }
  snapshot.paths.clear();
  for (std::uint32_t number = 1; number <= 2; ++number) {
    const bool lossy = number == 2;
    PathSnapshot path;
    path.id = path.ordinal = number;
    path.flows = 2;
    path.length = 4;
    path.complete = true;
    path.statistics = window(100, lossy ? 50 : 0, 5ms);
    const char* const addresses[] = {"10.0.0.1", lossy ? "10.0.0.3" : "10.0.0.2", "10.0.0.4", "192.0.2.1"};
    for (std::uint8_t ttl = 1; ttl <= 4; ++ttl) {
      HopSnapshot hop;
      hop.ttl = ttl;
      hop.responder = ip(addresses[ttl - 1]);
      hop.counters = {100, lossy && ttl > 2 ? 50u : 100u, lossy && ttl > 2 ? 50u : 0u, 0};
      hop.statistics = window(100, lossy && ttl > 2 ? 50 : 0, ttl * 1ms);
      path.hops.push_back(hop);
    }
    snapshot.paths.push_back(path);
  }
  snapshot.links = {{2, ip("10.0.0.1"), ip("10.0.0.2"), 2},
                    {2, ip("10.0.0.1"), ip("10.0.0.3"), 2},
                    {3, ip("10.0.0.2"), ip("10.0.0.4"), 2},
                    {3, ip("10.0.0.3"), ip("10.0.0.4"), 2},
                    {4, ip("10.0.0.4"), ip("192.0.2.1"), 4}};
  return snapshot;
}

nlohmann::json parsed(const std::string& text) {
  return nlohmann::json::parse(text);
}

}  // namespace

TEST_CASE("the topology of the example is this, to the byte", "[render][topology]") {
  NamesOfTest names = example_names();
  names.names[ip("203.0.113.1")] = "<script>alert(1)</script>";
  const std::string text = written(example_snapshots(), {.left_out = 7}, names, rounds_of_example);
  check_golden("topology.json", text);
  const auto told = parsed(text);
  CHECK(told.at("left_out") == 7);
  CHECK(told.at("destinations").size() == 3);
}

TEST_CASE("a summary has the destinations alone, without their paths and flows", "[render][topology]") {
  const std::string text = written(example_snapshots(), {.detail = TopologyWriter::Detail::summary}, example_names());
  check_golden("topology_summary.json", text);
  const auto told = parsed(text);
  CHECK(told.size() == 4);
  for (const auto& destination : told.at("destinations")) {
    CHECK_FALSE(destination.contains("paths"));
    CHECK_FALSE(destination.contains("flows"));
  }
}

TEST_CASE("names, labels and versions that ask for escaping come back as they were", "[render][topology]") {
  NamesOfTest names = example_names();
  names.names[ip("203.0.113.1")] = "</script>\"\\\x01\xff";
  const auto told = parsed(written(example_snapshots(), {}, names));
  CHECK(told.at("destinations").at(2).at("name") == "a \"quoted\"\\ <name>\nof two lines \xef\xbf\xbd");
  CHECK(told.at("destinations").at(2).at("labels").at("note") == "\"\\\n\xef\xbf\xbd");
  bool seen = false;
  for (const auto& node : told.at("nodes"))
    seen |= node.at("name") == "</script>\"\\\x01\xef\xbf\xbd";
  CHECK(seen);
}

TEST_CASE("without destinations the graph is empty and whole", "[render][topology]") {
  const auto told = parsed(written({}, {}, NoNames()));
  CHECK(told.at("destinations").empty());
  CHECK(told.at("nodes").empty());
  CHECK(told.at("links").empty());
}

TEST_CASE("every end of a link and every node of a path in use is a node", "[render][topology]") {
  const auto told = parsed(written({std::make_shared<const DestinationSnapshot>(lossy_branch())}, {}, NoNames()));
  std::set<std::string> nodes;
  for (const auto& node : told.at("nodes"))
    CHECK(nodes.insert(node.at("id")).second);
  CHECK(nodes.size() == 6);
  CHECK(told.at("links").size() == 6);
  for (const auto& link : told.at("links")) {
    CHECK(nodes.contains(link.at("from")));
    CHECK(nodes.contains(link.at("to")));
  }
  for (const auto& path : told.at("destinations").at(0).at("paths"))
    for (const auto& node : path.at("nodes"))
      CHECK(nodes.contains(node));
}

TEST_CASE("loss is told of the link where it begins, and not of the ones before", "[render][topology]") {
  const DestinationSnapshot snapshot = lossy_branch();
  const PathGraph graph = path_graph(snapshot, PathGraph::Ends::apart);
  REQUIRE(graph.links.size() == 6);
  const auto link = [&](const char* from, const char* to) {
    const auto found = std::ranges::find_if(graph.links, [&](const PathGraph::Link& one) {
      return graph.nodes[one.from].address == ip(from) && graph.nodes[one.to].address == ip(to);
    });
    REQUIRE(found != graph.links.end());
    return *found;
  };
  CHECK(link("10.0.0.1", "10.0.0.3").losses == 0);
  CHECK(link("10.0.0.2", "10.0.0.4").losses == 0);
  const PathGraph::Link lossy = link("10.0.0.3", "10.0.0.4");
  CHECK(lossy.losses == 50);
  CHECK(lossy.probes == 100);
  CHECK(lossy.near_losses == 0);
  CHECK(lossy.flows == 2);
  CHECK(lossy.source_ports == std::vector<std::uint16_t>{50001, 50003});
  const PathGraph::Link last = link("10.0.0.4", "192.0.2.1");
  CHECK(last.losses == 50);
  CHECK(last.probes == 200);
  CHECK(last.near_losses == 50);
  CHECK(last.near_probes == 200);
  const PathGraph::Link first = link("198.51.100.1", "10.0.0.1");
  CHECK(first.flows == 4);
  CHECK(first.source_ports.size() == 4);
}

TEST_CASE("a responder on two paths is one node with the sums of both", "[render][topology]") {
  const DestinationSnapshot snapshot = lossy_branch();
  const PathGraph graph = path_graph(snapshot, PathGraph::Ends::apart);
  REQUIRE(graph.nodes.size() == 6);
  const auto node = [&](const char* address) -> const PathGraph::Node& {
    const auto found = std::ranges::find(graph.nodes, ip(address), &PathGraph::Node::address);
    REQUIRE(found != graph.nodes.end());
    return *found;
  };
  CHECK(node("198.51.100.1").ttl == 0);
  const PathGraph::Node& shared = node("10.0.0.4");
  CHECK(shared.flows == 4);
  CHECK(shared.observed.size() == 2);
  const WindowFigures figures = window_of(shared.observed);
  CHECK(figures.probes == 200);
  CHECK(figures.losses == 50);
  CHECK(figures.rtt.p50 >= 3ms);
  CHECK(figures.rtt.p50 < 3300us);  // a bucket is 9 % wide
  CHECK(node("192.0.2.1").kind == PathGraph::Node::Kind::destination);
  CHECK(shared.kind == PathGraph::Node::Kind::responder);
}

TEST_CASE("paths that no flow uses are told, and are not in the graph", "[render][topology]") {
  DestinationSnapshot snapshot = lossy_branch();
  snapshot.paths[1].flows = 0;
  for (FlowSnapshot& flow : snapshot.flows)
    flow.path = flow.ordinal = 1;
  snapshot.links = {{2, ip("10.0.0.1"), ip("10.0.0.2"), 4}};
  const auto told = parsed(written({std::make_shared<const DestinationSnapshot>(snapshot)}, {}, NoNames()));
  CHECK(told.at("destinations").at(0).at("paths").size() == 2);
  CHECK(told.at("nodes").size() == 5);
  CHECK(told.at("links").size() == 2);
}

TEST_CASE("what no answer has shown of the paths stands apart as gaps, with the links to and from them",
          "[render][topology]") {
  DestinationSnapshot snapshot = made_fan({{.hops = {"10.0.0.1", "", "10.0.0.2", "192.0.2.1"}, .flows = 2},
                                           {.hops = {"10.0.0.1", "", "10.0.0.3", "192.0.2.1"}},
                                           {.hops = {"10.0.0.1", "10.1.0.9"}, .complete = false},
                                           {.hops = {"10.0.0.7", "", "10.0.0.2", "192.0.2.1"}, .flows = 0}});
  const auto told = parsed(written({std::make_shared<const DestinationSnapshot>(snapshot)}, {}, NoNames()));
  const auto& gaps = told.at("destinations").at(0).at("gaps");
  // Of different hops behind the gap, so two of them; a path that no flow uses has none.
  const nlohmann::json nodes = {
      {{"id", "2?1/10.0.0.1|3/10.0.0.2"}, {"ttl", 2}, {"kind", "silent"}, {"flows", 2}, {"paths", {"abcd0001"}}},
      {{"id", "2?1/10.0.0.1|3/10.0.0.3"}, {"ttl", 2}, {"kind", "silent"}, {"flows", 1}, {"paths", {"abcd0002"}}},
      {{"id", "3?2/10.1.0.9|"}, {"ttl", 3}, {"kind", "dead_end"}, {"flows", 1}, {"paths", {"abcd0003"}}}};
  std::set<nlohmann::json> found(gaps.at("nodes").begin(), gaps.at("nodes").end());
  CHECK(found == std::set<nlohmann::json>(nodes.begin(), nodes.end()));
  std::set<std::string> links;
  for (const auto& link : gaps.at("links"))
    links.insert(link.at("from").get<std::string>() + ">" + link.at("to").get<std::string>());
  CHECK(links == std::set<std::string>{"1/10.0.0.1>2?1/10.0.0.1|3/10.0.0.2", "2?1/10.0.0.1|3/10.0.0.2>3/10.0.0.2",
                                       "1/10.0.0.1>2?1/10.0.0.1|3/10.0.0.3", "2?1/10.0.0.1|3/10.0.0.3>3/10.0.0.3",
                                       "2/10.1.0.9>3?2/10.1.0.9|"});
  // Flows have every n-th port in turn: 50000 and 50003 are on the first path.
  for (const auto& link : gaps.at("links"))
    if (link.at("to") == "2?1/10.0.0.1|3/10.0.0.2") CHECK(link.at("source_ports") == nlohmann::json{50000, 50003});
}

TEST_CASE("the worst path is named though the average is good", "[render][topology]") {
  DestinationSnapshot snapshot = lossy_branch();
  const auto told =
      parsed(written({std::make_shared<const DestinationSnapshot>(snapshot)}, {}, NoNames())).at("destinations").at(0);
  CHECK(told.at("window").at("loss_ratio") == 0.25);
  CHECK(told.at("worst_path").at("ordinal") == 2);
  CHECK(told.at("worst_path").at("loss_ratio") == 0.5);
}

TEST_CASE("a destination's piece of the graph grows with its paths and not without bound", "[render][topology]") {
  // The most that the limits of the configuration let happen by default: 128 paths of 30 hops, 512 flows.
  const Snapshots snapshots = many_snapshots(3, 512, 128, 30);
  TopologyWriter writer(snapshots, {.time = kNow, .version = "1"});
  std::size_t most = 0;
  std::string whole;
  std::string piece;
  const auto none = [](const std::string&) { return Rounds{}; };
  for (bool more = true; more;) {
    piece.clear();
    more = writer.next(piece, NoNames(), none);
    most = std::max(most, piece.size());
    whole += piece;
  }
  CHECK(most < 2'000'000);
  CHECK(parsed(whole).at("destinations").size() == 3);
}

TEST_CASE("events are lines of JSON, to the byte", "[render][events]") {
  const auto snapshots = example_snapshots();
  PathEvent event;
  event.destination = snapshots[0]->facts;
  event.kind = EventKind::reroute;
  event.time = kNow;
  event.settled = kNow + 9s;
  event.ttl = 2;
  event.moves = {{ip("203.0.113.1"), ip("203.0.113.2"), 0x11, 0x22, {50000, 50002}},
                 {ip("203.0.113.9"), {}, 0x33, 0, {50001}}};
  PathEvent down;
  down.destination = snapshots[2]->facts;
  down.kind = EventKind::down;
  down.time = down.settled = kNow + 1s;
  std::string text;
  append_event(text, event, 41, example_names());
  append_event(text, down, 42, example_names());
  check_golden("events.ndjson", text);
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  const auto told = parsed(line);
  CHECK(told.at("flows") == std::vector<int>{50000, 50001, 50002});
  CHECK(told.at("after") == std::vector<std::string>{"203.0.113.2"});
  CHECK(told.at("names").at("203.0.113.2") == "evil\"name\n\xef\xbf\xbd");
  std::getline(lines, line);
  CHECK(parsed(line).at("kind") == "down");
}
