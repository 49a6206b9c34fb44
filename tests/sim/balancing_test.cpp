// How flows spread over next hops, and that the oracle knows.
#include <cmath>
#include <map>
#include <set>

#include "sim/prober.hpp"
#include "sim/scenario_files.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

/// Flows by the responder at a TTL, as probes find it.
std::map<IpAddress, int> spread(SimulatedNetwork& network, Protocol protocol, Family family, std::uint8_t ttl,
                                int flows) {
  Prober prober(network);
  std::map<IpAddress, int> counts;
  for (int flow = 0; flow < flows; ++flow) {
    const auto port = static_cast<std::uint16_t>(20000 + flow);
    ++counts[prober.responder(prober.probe(protocol, network.address("dst", family), port, ttl))];
  }
  return counts;
}

}  // namespace

TEST_CASE("flows spread evenly over a fan, for every protocol and family", "[balancing]") {
  const Seed seed(30);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
      SimulatedNetwork network(load_scenario("fan_16"), seed);
      constexpr int kFlows = 1600;
      const auto counts = spread(network, protocol, family, 2, kFlows);
      REQUIRE(counts.size() == 16);
      double chi_square = 0;
      for (const auto& [responder, count] : counts)
        chi_square += std::pow(count - kFlows / 16.0, 2) / (kFlows / 16.0);
      CHECK(chi_square < 45);  // 15 degrees of freedom: exceeded once in 10,000 by chance
    }
  }
}

TEST_CASE("the oracle names whom 200 flows meet at every TTL", "[balancing]") {
  const Seed seed(31);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    SimulatedNetwork network(load_scenario("two_stage_4x4"), seed);
    Prober prober(network);
    std::set<std::vector<IpAddress>> paths;
    for (std::uint16_t flow = 0; flow < 200; ++flow) {
      CAPTURE(flow);
      const Protocol protocol = std::array{Protocol::udp, Protocol::tcp, Protocol::icmp}[flow % 3];
      auto probe = prober.probe(protocol, network.address("dst", family), static_cast<std::uint16_t>(30000 + flow), 1);
      const TruePath path = network.path_of(probe.tuple, probe.flow_label, network.now(), probe.checksum);
      CHECK(path.reached);
      CHECK(path.exact);
      REQUIRE(path.responders.size() == 6);
      for (const IpAddress& responder : path.responders) {
        CHECK(prober.responder(probe) == responder);
        ++probe.ttl;
      }
      paths.insert(path.responders);
    }
    CHECK(paths.size() == 16);
  }
}

TEST_CASE("the oracle follows flows through translators and filters", "[balancing]") {
  const Seed seed(32);
  SimulatedNetwork network(load_scenario("nat"), seed);
  Prober prober(network);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
      for (std::uint16_t port = 50000; port < 50030; ++port) {
        auto probe = prober.probe(protocol, network.address("dst", family), port, 4);
        const TruePath path = network.path_of(probe.tuple, 0, network.now(), probe.checksum);
        REQUIRE(path.responders.size() == 6);
        CHECK(prober.responder(probe) == path.responders[3]);
      }
    }
  }
  SimulatedNetwork hole(load_scenario("black_hole"), seed);
  int stopped = 0;
  for (std::uint16_t port = 50000; port < 50064; ++port) {
    const auto probe = prober.udp("dst", port, 9);
    const TruePath path = hole.path_of(probe.tuple, 0, hole.now());
    if (path.reached) continue;
    ++stopped;
    REQUIRE(path.responders.size() == 2);
    CHECK((path.responders[1] == hole.address("b1") || path.responders[1] == hole.address("b2")));
  }
  CHECK(stopped > 16);
  CHECK(stopped < 48);
}

TEST_CASE("weights share out as they say", "[balancing]") {
  const Seed seed(33);
  SimulatedNetwork network(load_scenario("weighted"), seed);
  const auto counts = spread(network, Protocol::udp, Family::ipv4, 2, 2000);
  REQUIRE(counts.size() == 2);
  CHECK(counts.at(network.address("b2")) > 1400);
  CHECK(counts.at(network.address("b2")) < 1600);
}

TEST_CASE("a hash sees its fields and no others", "[balancing]") {
  const Seed seed(34);
  SimulatedNetwork network(load_scenario("flow_label"), seed);
  Prober prober(network);
  std::set<IpAddress> by_port;
  std::set<IpAddress> by_label;
  std::set<IpAddress> by_addresses;
  for (std::uint16_t i = 0; i < 64; ++i) {
    auto probe = prober.udp("dst", static_cast<std::uint16_t>(50000 + i), 2, Family::ipv6);
    by_port.insert(prober.responder(probe));
    probe.flow_label = i;
    by_label.insert(prober.responder(probe));
    CHECK(network.path_of(probe.tuple, i, network.now()).responders.at(1) == prober.responder(probe));
    probe.ttl = 4;
    by_addresses.insert(prober.responder(probe));
  }
  CHECK(by_port.size() == 1);
  CHECK(by_label.size() == 4);
  CHECK(by_addresses.size() == 1);
}

TEST_CASE("a per-packet balancer splits one flow, and the oracle says that it cannot know", "[balancing]") {
  const Seed seed(35);
  SimulatedNetwork network(load_scenario("per_packet"), seed);
  Prober prober(network);
  int split = 0;
  int kept = 0;
  for (std::uint16_t port = 50000; port < 50016; ++port) {
    const auto probe = prober.udp("dst", port, 4);
    const bool exact = network.path_of(probe.tuple, 0, network.now()).exact;
    std::set<IpAddress> responders;
    for (int i = 0; i < 40; ++i)
      responders.insert(prober.responder(probe));
    CHECK(responders.size() == (exact ? 1 : 2));
    ++(exact ? kept : split);
  }
  CHECK(split > 0);
  CHECK(kept > 0);
}

TEST_CASE("another seed is another hash, a configured one stays", "[balancing]") {
  const Seed seed(36);
  const auto mapping = [](const Scenario& scenario, std::uint64_t with) {
    SimulatedNetwork network(scenario, with);
    std::vector<IpAddress> responders;
    for (std::uint16_t port = 50000; port < 50032; ++port) {
      const FiveTuple tuple{network.address("agent"), network.address("dst"), Protocol::udp, port, 33434};
      responders.push_back(network.path_of(tuple, 0, network.now()).responders.at(1));
    }
    return responders;
  };
  Scenario scenario = load_scenario("fan_16");
  CHECK(mapping(scenario, seed) == mapping(scenario, seed));
  CHECK(mapping(scenario, seed) != mapping(scenario, seed + 1));
  scenario.topology.node("r1").hash_seed = 77;
  CHECK(mapping(scenario, seed) == mapping(scenario, seed + 1));
}
