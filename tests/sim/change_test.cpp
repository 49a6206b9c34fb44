// What happens to a network while packets are on their way.
#include <set>

#include "sim/prober.hpp"
#include "sim/scenario_files.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

/// Runs until so long after the start.
void wait_until(SimulatedNetwork& network, Duration since_start) {
  Prober prober(network);
  prober.wait(SimulatedNetwork::kStart + since_start - network.now());
}

}  // namespace

TEST_CASE("replacing one next hop moves its flows and no others", "[change]") {
  const Seed seed(40);
  SimulatedNetwork network(load_scenario("reroute_one_branch"), seed);
  Prober prober(network);
  std::vector<IpAddress> before;
  for (std::uint16_t port = 50000; port < 50064; ++port) {
    const auto probe = prober.udp("dst", port, 2);
    before.push_back(prober.responder(probe));
    // The future is known.
    const auto later = network.path_of(probe.tuple, 0, SimulatedNetwork::kStart + 400s).responders.at(1);
    CHECK(later == (before.back() == network.address("b2") ? network.address("b5") : before.back()));
    if (network.now() > SimulatedNetwork::kStart + 50s) break;
  }
  REQUIRE(before.size() >= 10);
  wait_until(network, 61s);
  int moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto probe = prober.udp("dst", static_cast<std::uint16_t>(50000 + i), 2);
    const IpAddress now = prober.responder(probe);
    CHECK(now == (before[i] == network.address("b2") ? network.address("b5") : before[i]));
    moved += now != before[i] ? 1 : 0;
    // And so is the past.
    CHECK(network.path_of(probe.tuple, 0, SimulatedNetwork::kStart + 1s).responders.at(1) == before[i]);
  }
  CHECK(moved > 0);
}

TEST_CASE("a hop that appears is there for packets that come to it from that moment on", "[change]") {
  const Seed seed(41);
  SimulatedNetwork network(load_scenario("grow_shrink"), seed);
  Prober prober(network);
  CHECK(prober.responder(prober.udp("dst", 50000, 3)) == network.address("r2"));
  // Sent 2 ms before the change, 3 ms away from x.
  wait_until(network, 60s - 2ms);
  prober.send(prober.udp("dst", 50000, 3));
  auto replies = prober.wait(1s);
  CHECK(replies.at(0).from() == network.address("x"));
  wait_until(network, 120s - 2ms);
  prober.send(prober.udp("dst", 50000, 3));
  replies = prober.wait(1s);
  CHECK(replies.at(0).from() == network.address("r2"));
  // Sent 4 ms before: it has passed x already.
  SimulatedNetwork other(load_scenario("grow_shrink"), seed);
  Prober second(other);
  wait_until(other, 60s - 4ms);
  second.send(second.udp("dst", 50000, 3));
  CHECK(second.wait(1s).at(0).from() == other.address("r2"));
}

TEST_CASE("a failed link swallows its flows until the routers know, and comes back", "[change]") {
  const Seed seed(42);
  SimulatedNetwork network(load_scenario("link_flap"), seed);
  Prober prober(network);
  std::uint16_t port = 50000;
  const auto responder_now = [&] {
    const auto replies = prober.ask(prober.udp("dst", port, 2), 50ms);
    return replies.empty() ? IpAddress() : replies[0].from();
  };
  while (responder_now() != network.address("b2"))
    ++port;
  wait_until(network, 10s);
  CHECK(responder_now().is_unspecified());
  CHECK_FALSE(network.path_of(prober.udp("dst", port, 2).tuple, 0, network.now()).reached);
  CHECK(network.counts_of("r1", "b2").dropped == 1);
  wait_until(network, 10200ms);
  const IpAddress other = responder_now();
  CHECK_FALSE(other.is_unspecified());
  CHECK(other != network.address("b2"));
  wait_until(network, 20200ms);
  CHECK(responder_now() == network.address("b2"));
}

TEST_CASE("a reply whose way back has failed is lost", "[change]") {
  const Seed seed(43);
  SimulatedNetwork network(load_scenario("fan_4"), seed);
  Prober prober(network);
  // At the destination after 4 ms, back at r2 after 5.
  network.schedule({4500us, "r2 fails", [](Topology& now) { now.node("r2").down = true; }});
  CHECK(prober.ask(prober.udp("dst", 50000, 9)).empty());
  CHECK(network.counts_of("r2").while_down == 1);
  network.schedule({10s, "r2 is back", [](Topology& now) { now.node("r2").down = false; }});
  wait_until(network, 11s);
  CHECK(prober.ask(prober.udp("dst", 50000, 9)).size() == 1);
}

TEST_CASE("our own host fails to send for a while, and says why", "[change]") {
  const Seed seed(44);
  SimulatedNetwork network(load_scenario("link_flap"), seed);
  Prober prober(network);
  wait_until(network, 40s);
  CHECK(prober.send(prober.udp("dst", 50000, 1)) == SendError::no_buffers);
  wait_until(network, 42s);
  CHECK(prober.send(prober.udp("dst", 50000, 1)) == SendError::none);
  CHECK(network.counts().send_errors == 1);
  network.schedule({50s, "cable out", [](Topology& now) { now.link("agent", "r1").down = true; }});
  wait_until(network, 51s);
  CHECK(prober.send(prober.udp("dst", 50000, 1)) == SendError::link_down);
  network.schedule({52s, "and known", [](Topology& now) { now.compute_routes(); }});
  wait_until(network, 53s);
  CHECK(prober.send(prober.udp("dst", 50000, 1)) == SendError::no_route);
}

TEST_CASE("what a file changes for a time is as before afterwards", "[change]") {
  const Seed seed(45);
  const auto scenario = parse_scenario(R"(
    wires = ["agent - r1 - r2 - dst"]
    [[change]]
    at = "10s"
    for = "10s"
    link = "r1-r2"
    loss = "100%"
    delay = "7ms"
    [[change]]
    at = "30s"
    for = "10s"
    node = "r1"
    hash = "per_packet"
    silent = true
    [destination.dst]
  )",
                                       "for");
  REQUIRE(scenario);
  SimulatedNetwork network(*scenario, seed);
  Prober prober(network);
  const std::uint64_t hash_seed = network.topology().nodes[network.topology().node_id("r1")].hash_seed;
  CHECK(prober.ask(prober.udp("dst", 50000, 2), 1s).size() == 1);
  wait_until(network, 10s);
  CHECK(prober.ask(prober.udp("dst", 50000, 2), 1s).empty());
  wait_until(network, 20s);
  CHECK(prober.ask(prober.udp("dst", 50000, 2), 1s).size() == 1);
  wait_until(network, 30s);
  CHECK(prober.ask(prober.udp("dst", 50000, 1), 1s).empty());
  wait_until(network, 40s);
  CHECK(prober.ask(prober.udp("dst", 50000, 1), 1s).size() == 1);
  CHECK(network.topology().nodes[network.topology().node_id("r1")].hash_seed == hash_seed);
}
