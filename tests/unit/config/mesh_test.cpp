#include "config/mesh.hpp"

#include <algorithm>

#include "parsing.hpp"

using namespace ecmp;
using namespace ecmp::config;

namespace {

IpAddress address(std::string_view text) {
  return IpAddress::parse(text).value();
}

std::vector<Found> peers_of(const Config& config) {
  std::vector<Found> peers;
  for (std::size_t i = 0; i < config.mesh_peers.size(); ++i)
    peers.push_back({config.mesh_peers[i], config.mesh_origins[i]});
  return peers;
}

MeshPlan plan(std::string_view text, const HostAddresses& known = {}, const std::vector<IpAddress>& own = {}) {
  const Config config = must_parse(text);
  return plan_mesh(peers_of(config), known, own, config.mesh);
}

/// {name: address}, the host of those that have none.
std::vector<std::string> measured(const MeshPlan& plan) {
  std::vector<std::string> lines;
  for (const Found& found : plan.found)
    lines.push_back(found.destination.name + " " + found.destination.host);
  return lines;
}

std::vector<std::string> allowed(const MeshPlan& plan) {
  std::vector<std::string> lines;
  for (const Network& network : plan.allow)
    lines.push_back(network.to_string());
  std::ranges::sort(lines);
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a mesh is a list of peers: their destinations, a port to be asked at, and a list of who may",
          "[config][mesh]") {
  const Config config = must_parse("[mesh]\npeers = [\"192.0.2.1\", \"2001:db8::1\", \"a.example\"]\n");
  CHECK(config.reflector.listen_addresses == Lines{":10862"});
  CHECK(config.reflector.only_allowed);
  CHECK(config.destinations.empty());
  REQUIRE(config.mesh_peers.size() == 3);
  const Destination& first = config.mesh_peers[0];
  CHECK(first.name == "mesh-192.0.2.1");
  CHECK(first.stamp);
  CHECK(first.protocol == Protocol::udp);
  CHECK(first.port == 10862);
  CHECK(first.flows == 16);
  CHECK(first.packet_interval == std::chrono::seconds(1));
  // 20 + 8 + 44 + 12 as for any reflector, and 4 + 32 for the extension between two of ours (ADR 27).
  CHECK(first.packet_size == 88 + 56);
  CHECK(config.mesh_peers[1].packet_size == 108 + 56);
  CHECK(config.mesh_peers[2].name == "mesh-a.example");
  CHECK(config.mesh_origins[2] == "test.toml:2:38");
}

TEST_CASE("keys of the mesh go before those of the probing", "[config][mesh]") {
  const Config config = must_parse(R"([probe]
protocol = "tcp"
port = 443
flows = 4
source_port = 50000
interval = "30s"
key_file = "not this one"
[mesh]
peers = ["192.0.2.1"]
port = 20000
source_ports = "33000-33999"
packet_interval = "100ms"
key_file = "mesh.key"
packet_size = 1000
)");
  const Destination& peer = config.mesh_peers.front();
  CHECK(peer.stamp);
  CHECK(peer.port == 20000);
  CHECK(peer.flows == 4);
  CHECK_FALSE(peer.source_port);
  CHECK(peer.source_ports == PortBlock{33000, 33999});
  CHECK(peer.interval == std::chrono::seconds(30));
  CHECK(peer.packet_interval == std::chrono::milliseconds(100));
  CHECK(peer.packet_size == 1000);
  CHECK(peer.key_file == "mesh.key");
  CHECK(config.reflector.key_file == "mesh.key");
  CHECK(config.reflector.listen_addresses == Lines{":20000"});
}

TEST_CASE("a mesh uses the key, the address and the list of the reflector", "[config][mesh]") {
  const Config config = must_parse(R"([reflector]
listen_addresses = [":862", "192.0.2.7:10862"]
allow = ["198.51.100.0/24"]
key_file = "one.key"
[mesh]
peers = ["192.0.2.1"]
)");
  CHECK(config.reflector.listen_addresses == Lines{":862", "192.0.2.7:10862"});
  CHECK(config.reflector.allow.size() == 1);
  CHECK(config.mesh_peers.front().key_file == "one.key");
  // 20 + 8 + 112 + 12, and 4 + 32 + 4 + 16 for the extension and the HMAC that covers it.
  CHECK(config.mesh_peers.front().packet_size == 156 + 56 + 20);
}

TEST_CASE("without peers there is no mesh, and nothing is opened", "[config][mesh]") {
  for (const char* text : {"", "[mesh]\n", "[mesh]\npeers = []\ngroups = []\nfrom_discovery = false\nflows = 4\n"}) {
    const Config config = must_parse(text);
    CHECK_FALSE(config.mesh.enabled());
    CHECK(config.reflector == Reflector{});
    CHECK(config.mesh_defaults == nullptr);
  }
  CHECK(must_parse("[mesh]\nfrom_discovery = true\n").reflector.only_allowed);
}

TEST_CASE("this host is left out of the list that all hosts share", "[config][mesh]") {
  constexpr std::string_view kText = "[mesh]\npeers = [\"192.0.2.1\", \"192.0.2.2\", \"c.example\", \"d.example\"]\n";
  const HostAddresses known = {{"c.example", {address("2001:db8::3"), address("192.0.2.3")}},
                               {"d.example", {address("127.0.1.1")}}};  // as Debian's /etc/hosts has its own name
  const MeshPlan first = plan(kText, known, {address("192.0.2.1")});
  CHECK(measured(first) == Lines{"mesh-192.0.2.2 192.0.2.2", "mesh-c.example 2001:db8::3"});
  CHECK(allowed(first) == Lines{"192.0.2.2/32", "192.0.2.3/32", "2001:db8::3/128"});
  const MeshPlan third = plan(kText, known, {address("192.0.2.3")});
  CHECK(measured(third) == Lines{"mesh-192.0.2.1 192.0.2.1", "mesh-192.0.2.2 192.0.2.2"});
}

TEST_CASE("names wait for their addresses, and one that fails is seen to be down", "[config][mesh]") {
  constexpr std::string_view kText = "[mesh]\npeers = [\"a.example\", \"b.example\"]\ngroups = [\"g.example\"]\n";
  CHECK(measured(plan(kText)).empty());
  const MeshPlan failed = plan(kText, {{"a.example", {}}, {"g.example", {}}});
  CHECK(measured(failed) == Lines{"mesh-a.example a.example"});
  CHECK(allowed(failed).empty());
  const MeshPlan found = plan(kText, {{"a.example", {address("192.0.2.1")}}});
  CHECK(measured(found) == Lines{"mesh-a.example 192.0.2.1"});
  CHECK(found.found.front().destination.address == address("192.0.2.1"));
  CHECK_FALSE(found.found.front().destination.all);
}

TEST_CASE("a peer is measured over the family that is asked for, and answered over both", "[config][mesh]") {
  const HostAddresses known = {{"a.example", {address("2001:db8::1"), address("192.0.2.1")}}};
  const MeshPlan v4 = plan("[mesh]\npeers = [\"a.example\"]\nfamily = \"ipv4\"\n", known);
  CHECK(measured(v4) == Lines{"mesh-a.example 192.0.2.1"});
  CHECK(v4.found.front().destination.packet_size == 144);
  const MeshPlan any = plan("[mesh]\npeers = [\"a.example\"]\n", known);
  CHECK(measured(any) == Lines{"mesh-a.example 2001:db8::1"});
  CHECK(any.found.front().destination.packet_size == 164);
  CHECK(allowed(any).size() == 2);
}

TEST_CASE("each address of a group is an agent, but for this host's own", "[config][mesh]") {
  const HostAddresses known = {{"g.example", {address("10.0.0.1"), address("10.0.0.2"), address("10.0.0.3")}}};
  const MeshPlan made =
      plan("[mesh]\npeers = [\"10.0.0.3\"]\ngroups = [\"g.example\"]\n", known, {address("10.0.0.2")});
  CHECK(measured(made) == Lines{"mesh-10.0.0.3 10.0.0.3", "mesh-10.0.0.1 10.0.0.1"});
  CHECK(made.problems.empty());
  CHECK(allowed(made) == Lines{"10.0.0.1/32", "10.0.0.3/32"});
}

TEST_CASE("of two names for one agent the second one is left out, which is said", "[config][mesh]") {
  const MeshPlan made =
      plan("[mesh]\npeers = [\"192.0.2.1\", \"a.example\"]\n", {{"a.example", {address("192.0.2.1")}}});
  CHECK(measured(made) == Lines{"mesh-192.0.2.1 192.0.2.1"});
  REQUIRE(made.problems.size() == 1);
  CHECK(made.problems.front() ==
        "test.toml:2:23: left out: \"mesh-a.example\" is the agent \"mesh-192.0.2.1\" of "
        "test.toml:2:10 already: both have 192.0.2.1");
}

TEST_CASE("agents from discovery inherit the keys of the mesh", "[config][mesh][discovery]") {
  const Config base = must_parse("[probe]\nflows = 4\n[mesh]\nfrom_discovery = true\npacket_interval = \"2s\"\n");
  auto outcome = parse_targets(R"([{"targets": ["192.0.2.1", "192.0.2.2:20000"], "labels": {"site": "fra"}},
    {"targets": ["192.0.2.3"], "labels": {"__ecmp_mesh": "false"}}])",
                               "t", base);
  auto found = std::get<std::vector<Found>>(std::move(outcome));
  REQUIRE(found.size() == 3);
  CHECK(found[0].destination.name == "mesh-192.0.2.1");
  CHECK(found[0].destination.mesh);
  CHECK(found[0].destination.stamp);
  CHECK(found[0].destination.flows == 4);
  CHECK(found[0].destination.port == 10862);
  CHECK(found[0].destination.packet_interval == std::chrono::seconds(2));
  CHECK(found[0].destination.labels.size() == 1);
  CHECK(found[1].destination.port == 20000);
  CHECK(found[2].destination.name == "192.0.2.3");
  CHECK_FALSE(found[2].destination.mesh);
  CHECK_FALSE(found[2].destination.stamp);
  outcome = parse_destinations("[[destination]]\nhost = \"a.example\"\nall = true\nmesh = false\n", "t", base);
  CHECK_FALSE(std::get<std::vector<Found>>(outcome).front().destination.mesh);
}

TEST_CASE("what discovery says wrongly of a mesh is said", "[config][mesh][discovery]") {
  const auto said = [](std::string_view targets, std::string_view base) {
    const auto outcome = parse_targets(targets, "t", must_parse(base));
    const auto* problems = std::get_if<std::vector<Problem>>(&outcome);
    return problems == nullptr ? std::string() : problems->front().message;
  };
  CHECK(said(R"([{"targets": ["192.0.2.1"], "labels": {"__ecmp_mesh": "true"}}])", "") ==
        "mesh = \"true\": the configuration has no [mesh]");
  CHECK(said(R"([{"targets": ["192.0.2.1"], "labels": {"__ecmp_mesh": "perhaps"}}])", "") ==
        "mesh = \"perhaps\": expected true or false");
  CHECK(said(R"([{"targets": ["192.0.2.1"], "labels": {"__ecmp_protocol": "udp"}}])",
             "[mesh]\nfrom_discovery = true\n") == "protocol = \"udp\": agents of a mesh are measured by STAMP");
}
