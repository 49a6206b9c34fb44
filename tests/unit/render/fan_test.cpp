#include "render/fan/fan.hpp"

#include <algorithm>
#include <random>

#include "catch.hpp"
#include "fans.hpp"
#include "render/fan/fan_tree.hpp"
#include "snapshots.hpp"

using namespace ecmp;
using namespace ecmp::render;
using namespace ecmp::render::test;

namespace {

using Kind = FanNode::Kind;

std::size_t count_of(const Fan& fan, Kind kind) {
  return static_cast<std::size_t>(std::ranges::count(fan.nodes, kind, &FanNode::kind));
}

std::size_t node_of(const Fan& fan, const char* address, std::uint8_t ttl) {
  const auto found = std::ranges::find_if(
      fan.nodes, [&](const FanNode& node) { return node.address == ip(address) && node.ttl == ttl; });
  REQUIRE(found != fan.nodes.end());
  return static_cast<std::size_t>(found - fan.nodes.begin());
}

const FanLink& link_of(const Fan& fan, std::size_t from, std::size_t to) {
  const auto found =
      std::ranges::find_if(fan.links, [&](const FanLink& link) { return link.from == from && link.to == to; });
  REQUIRE(found != fan.links.end());
  return *found;
}

/// What must hold of every fan.
void check_shape(const Fan& fan) {
  CHECK(fan.nodes.front().kind == Kind::agent);
  CHECK(fan.destination().kind == Kind::destination);
  CHECK(fan.destination().column + 1 == fan.columns);
  CHECK(count_of(fan, Kind::destination) == 1);
  std::vector<std::vector<double>> rows(fan.columns);
  for (const FanNode& node : fan.nodes)
    rows.at(node.column).push_back(node.row);
  for (const FanLink& link : fan.links) {
    std::size_t column = fan.nodes.at(link.from).column;
    for (const FanBend& bend : link.bends) {
      CHECK(bend.column == ++column);
      rows.at(bend.column).push_back(bend.row);
    }
    CHECK(fan.nodes.at(link.to).column == column + 1);
  }
  for (auto& column : rows) {
    std::ranges::sort(column);
    for (std::size_t i = 0; i < column.size(); ++i) {
      CHECK(column[i] >= 0);
      CHECK(column[i] + 1 <= fan.rows);
      if (i > 0) CHECK(column[i] - column[i - 1] >= 1);
    }
  }
}

}  // namespace

TEST_CASE("a fan has a column for each TTL, and its links carry the flows of the paths over them", "[fan]") {
  const Fan fan = make_fan(made_fan({{.hops = {"10.0.0.1", "10.1.0.1", "10.0.0.2", "192.0.2.1"}, .flows = 5},
                                     {.hops = {"10.0.0.1", "10.1.0.2", "10.0.0.2", "192.0.2.1"}, .flows = 3}}));
  check_shape(fan);
  CHECK(fan.columns == 5);
  CHECK(fan.flows == 8);
  CHECK(fan.nodes.size() == 6);
  const std::size_t first = node_of(fan, "10.0.0.1", 1);
  CHECK(fan.nodes[first].flows == 8);
  CHECK(fan.nodes[first].paths == 2);
  CHECK(link_of(fan, first, node_of(fan, "10.1.0.1", 2)).flows == 5);
  CHECK(link_of(fan, first, node_of(fan, "10.1.0.2", 2)).flows == 3);
  CHECK(link_of(fan, node_of(fan, "10.0.0.2", 3), fan.nodes.size() - 1).flows == 8);
  CHECK(fan.destination().ttl == 4);
  CHECK(fan.destination().last_ttl == 4);
  REQUIRE(fan.paths.size() == 2);
  CHECK(fan.paths[0].source_ports == std::vector<std::uint16_t>{50000, 50002, 50004, 50006, 50007});
  // The routers in common stand in the middle of their branches.
  CHECK(fan.nodes[first].row == 0.5);
}

TEST_CASE("paths that no flow uses are not in the fan", "[fan]") {
  const Fan fan = make_fan(
      made_fan({{.hops = {"10.0.0.1", "192.0.2.1"}, .flows = 1}, {.hops = {"10.0.0.9", "192.0.2.1"}, .flows = 0}}));
  check_shape(fan);
  CHECK(fan.paths.size() == 1);
  CHECK(fan.nodes.size() == 3);
}

TEST_CASE("unknown hops are one node between the same hops, and several between different ones", "[fan]") {
  const Fan same = make_fan(made_fan({{.hops = {"10.0.0.1", "", "10.0.0.2", "192.0.2.1"}},
                                      {.hops = {"10.0.0.1", "", "10.0.0.2", "10.0.0.3", "192.0.2.1"}}}));
  check_shape(same);
  CHECK(count_of(same, Kind::silent) == 1);
  const Fan behind = make_fan(made_fan(
      {{.hops = {"10.0.0.1", "", "10.0.0.2", "192.0.2.1"}}, {.hops = {"10.0.0.1", "", "10.0.0.3", "192.0.2.1"}}}));
  check_shape(behind);
  CHECK(count_of(behind, Kind::silent) == 2);
  const Fan before = make_fan(made_fan(
      {{.hops = {"10.0.0.1", "", "10.0.0.3", "192.0.2.1"}}, {.hops = {"10.0.0.2", "", "10.0.0.3", "192.0.2.1"}}}));
  check_shape(before);
  CHECK(count_of(before, Kind::silent) == 2);
}

TEST_CASE("the destination stands last, whatever the lengths of the paths", "[fan]") {
  const Fan fan = make_fan(
      made_fan({{.hops = {"10.0.0.1", "192.0.2.1"}}, {.hops = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "192.0.2.1"}}}));
  check_shape(fan);
  CHECK(fan.columns == 5);
  CHECK(fan.destination().ttl == 2);
  CHECK(fan.destination().last_ttl == 4);
  CHECK(link_of(fan, node_of(fan, "10.0.0.1", 1), fan.nodes.size() - 1).bends.size() == 2);
  CHECK(fan.crossings == 0);
}

TEST_CASE("a hop balanced per packet is as many nodes as responders, and its links say so", "[fan]") {
  const Fan fan =
      make_fan(made_fan({{.hops = {"10.0.0.1", "10.0.1.1 10.0.1.2", "10.0.0.3", "192.0.2.1"}, .flows = 4}}));
  check_shape(fan);
  const std::size_t one = node_of(fan, "10.0.1.1", 2);
  const std::size_t other = node_of(fan, "10.0.1.2", 2);
  CHECK(fan.nodes[one].balanced);
  CHECK(fan.nodes[other].balanced);
  CHECK(link_of(fan, node_of(fan, "10.0.0.1", 1), one).per_packet);
  CHECK(link_of(fan, other, node_of(fan, "10.0.0.3", 3)).per_packet);
  CHECK_FALSE(link_of(fan, 0, node_of(fan, "10.0.0.1", 1)).per_packet);
  const std::vector<FanLine> tree = fan_tree(fan);
  REQUIRE(tree.size() == 6);
  CHECK_FALSE(tree[2].also);
  CHECK(tree[3].also);
}

TEST_CASE("flows that never reached the destination end in a dead end of their own", "[fan]") {
  const Fan fan = make_fan(made_fan({{.hops = {"10.0.0.1", "10.1.0.1", "192.0.2.1"}, .flows = 2},
                                     {.hops = {"10.0.0.1", "10.1.0.2"}, .flows = 1, .complete = false}},
                                    3));
  check_shape(fan);
  CHECK(fan.flows == 6);
  CHECK(count_of(fan, Kind::dead_end) == 2);
  REQUIRE(fan.paths.size() == 3);
  CHECK(fan.paths[2].id == 0);
  CHECK(fan.paths[2].flows == 3);
  CHECK(fan.paths[2].source_ports.size() == 3);
  CHECK(fan.destination().flows == 2);
}

TEST_CASE("a destination that nobody reached is there all the same, linked with nothing", "[fan]") {
  for (const std::uint32_t pathless : {0u, 2u}) {
    const Fan fan = make_fan(made_fan({}, pathless));
    check_shape(fan);
    CHECK(fan.destination().paths == 0);
    CHECK(fan.links.size() == (pathless > 0 ? 1 : 0));
  }
}

TEST_CASE("two stages of sixteen branches are drawn without a crossing, in whatever order they are found", "[fan]") {
  std::vector<MadePath> paths;
  for (std::uint32_t a = 0; a < 16; ++a) {
    // Sixteen branches of two routers, the second ones numbered the other way round.
    const std::string near = IpAddress::v4(0x0a010000u + a).to_string();
    const std::string far = IpAddress::v4(0x0a020100u - a).to_string();
    paths.push_back({.hops = {"10.0.0.1", near, far, "10.0.0.2", "192.0.2.1"}});
  }
  const Fan first = make_fan(made_fan(paths));
  check_shape(first);
  CHECK(first.crossings == 0);
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    std::shuffle(paths.begin(), paths.end(), random);
    const Fan fan = make_fan(made_fan(paths));
    CHECK(fan.crossings == 0);
    REQUIRE(fan.nodes.size() == first.nodes.size());
    for (std::size_t i = 0; i < fan.nodes.size(); ++i) {
      CHECK(fan.nodes[i].address == first.nodes[i].address);
      CHECK(fan.nodes[i].row == first.nodes[i].row);
    }
  }
}

TEST_CASE("fans of any shape keep their places apart and cross less than unsorted", "[fan]") {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&random](std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); };
    std::vector<MadePath> paths;
    const std::uint32_t count = 1 + below(24);
    for (std::uint32_t p = 0; p < count; ++p) {
      MadePath path;
      const std::uint32_t length = 1 + below(6);
      for (std::uint32_t ttl = 1; ttl < length; ++ttl)
        path.hops.push_back(below(5) == 0 ? "" : IpAddress::v4(0x0a000000u + ttl * 256 + below(6)).to_string());
      path.complete = below(5) != 0;
      path.hops.push_back(path.complete ? "192.0.2.1" : "10.9.9.9");
      path.flows = 1 + below(3);
      paths.push_back(std::move(path));
    }
    const Fan fan = make_fan(made_fan(paths, below(3)));
    check_shape(fan);
    std::uint32_t flows = 0;
    for (const FanLink& link : fan.links)
      if (link.from == 0) flows += link.flows;
    CHECK(flows == fan.flows);
    const std::vector<FanLine> tree = fan_tree(fan);
    // Every flow's end is told once.
    std::uint32_t ends = 0;
    for (const FanLine& line : tree) {
      CHECK(line.rails.size() == line.depth);
      const Kind kind = fan.nodes.at(line.node).kind;
      if (kind == Kind::destination || kind == Kind::dead_end) ends += line.flows;
    }
    CHECK(ends == fan.flows);
  }
}

TEST_CASE("loss is told of the link that it begins on", "[fan]") {
  // The second branch router forwards nine of ten: the hops behind it miss them too, each for other probes.
  std::vector<MadePath> paths = plain_branches(4);
  paths[1].losses = 100;
  paths[1].missed = {0, 0, 104, 100};
  const Fan fan = make_fan(made_fan(paths));
  const std::size_t router = node_of(fan, "10.1.0.2", 2);
  const std::size_t join = node_of(fan, "10.0.0.2", 3);
  for (const FanLink& link : fan.links) {
    const bool lossy = link.from == router && link.to == join;
    CAPTURE(link.from, link.to);
    CHECK(link.begun == (lossy ? Approx(0.1) : Approx(0)));
  }
  CHECK(fan.destination().figures.loss_ratio() == Approx(0.025));
  const std::vector<FanLine> tree = fan_tree(fan);
  for (const FanLine& line : tree) {
    CHECK(line.begun_before == 0);
    CHECK(line.begun_behind == (line.node == router ? Approx(0.1) : Approx(0)));
  }
}

TEST_CASE("a link of the fan has the loss of the paths whose loss begins on it, as a share of those over it", "[fan]") {
  // Behind the first router; behind the second branch; and of a path that never arrives.
  std::vector<MadePath> paths = plain_branches(4);
  paths[1].losses = 300;
  paths[1].missed = {0, 0, 300, 300};
  paths.push_back({.hops = {"10.0.0.1", "10.1.0.9"}, .complete = false});
  const DestinationSnapshot snapshot = made_fan(paths);
  const PathGraph graph = path_graph(snapshot, PathGraph::Ends::apart);
  const auto begins = loss_begins(graph);
  const Fan fan = make_fan(snapshot);
  REQUIRE(begins.size() == fan.paths.size());
  for (const FanLink& link : fan.links) {
    double losses = 0;
    double probes = 0;
    for (std::size_t i = 0; i < fan.paths.size(); ++i) {
      for (std::size_t at = 1; at < fan.paths[i].stops.size(); ++at) {
        if (fan.paths[i].stops[at - 1].front().node != link.from || fan.paths[i].stops[at].front().node != link.to)
          continue;
        probes += static_cast<double>(paths[i].probes);
        if (begins[i] && begins[i]->at == at)
          losses += static_cast<double>(paths[i].complete ? paths[i].losses : paths[i].probes);
      }
    }
    CHECK(link.begun == Approx(losses / probes));
  }
  CHECK(std::ranges::count_if(fan.links, [](const FanLink& link) { return link.begun > 0; }) == 2);
}

TEST_CASE("a hop that merely keeps silent is not blamed, and hides on which side of it loss begins", "[fan]") {
  std::vector<MadePath> paths = plain_branches(1);
  paths[0].missed = {800, 0, 0, 0};  // limits its ICMP messages
  for (const FanLink& link : make_fan(made_fan(paths)).links)
    CHECK(link.begun == 0);

  paths[0].missed = {0, 800, 200, 200};
  paths[0].losses = 200;
  const Fan fan = make_fan(made_fan(paths));
  CHECK(fan.links[0].begun == 0);
  CHECK(fan.links[1].begun == Approx(0.2));
  CHECK(fan.links[2].begun == Approx(0.2));
  CHECK(fan.links[3].begun == 0);
}

TEST_CASE("loss behind the last router is told there, and of flows without an end all of it", "[fan]") {
  std::vector<MadePath> paths = plain_branches(2);
  for (MadePath& path : paths)
    path.losses = 10;
  paths.push_back({.hops = {"10.0.0.1", "10.1.0.9"}, .complete = false});
  const Fan fan = make_fan(made_fan(paths));
  const std::size_t last = node_of(fan, "10.0.0.2", 3);
  CHECK(link_of(fan, last, fan.nodes.size() - 1).begun == Approx(0.01));
  for (const FanLink& link : fan.links)
    if (fan.nodes[link.to].kind == Kind::dead_end) CHECK(link.begun == 1);
}

TEST_CASE("figures are those of the window where there is one, and since the begin where there is none", "[fan]") {
  DestinationSnapshot snapshot = made_fan(plain_branches(3));
  for (std::size_t i = 0; i < 2; ++i) {
    WindowCounts counts;
    counts.rtts.add(log_buckets::key_of(0.001), 40);
    counts.losses = 5;
    counts.silences = 5;
    const auto statistics =
        std::make_shared<const Statistics>(Statistics(), std::span<Statistics::Observation>(), nullptr, &counts);
    snapshot.paths[i].hops[0].statistics = statistics;
  }
  snapshot.paths[2].hops[0].counters = {1000, 900, 60, 40};
  const Fan fan = make_fan(snapshot);
  const WindowFigures& hop = fan.nodes[node_of(fan, "10.0.0.1", 1)].figures;
  CHECK(hop.probes == 1100);
  CHECK(hop.losses == 70);
  CHECK(hop.silences() == 50);
  CHECK(hop.has_rtt());
  CHECK_FALSE(fan.nodes[node_of(fan, "10.1.0.3", 2)].figures.has_rtt());
}

TEST_CASE("the tree tells common hops once and each stage by its branches", "[fan]") {
  std::vector<MadePath> paths;
  for (const char* const near : {"10.1.0.1", "10.1.0.2", "10.1.0.3"})
    for (const char* const far : {"10.2.0.1", "10.2.0.2"})
      paths.push_back({.hops = {"10.0.0.1", near, "10.0.0.2", far, "10.0.0.3", "192.0.2.1"}, .flows = 2});
  const Fan fan = make_fan(made_fan(paths));
  const std::vector<FanLine> tree = fan_tree(fan);
  REQUIRE(tree.size() == 10);
  CHECK(std::ranges::count(tree, std::size_t{1}, &FanLine::depth) == 5);
  CHECK(tree[2].begins);
  CHECK(tree[2].flows == 4);
  CHECK(tree[6].flows == 6);
}
