#include <arpa/inet.h>
#include <map>
#include <netinet/in.h>
#include <sstream>
#include <sys/socket.h>
#include <unistd.h>

#include "catch.hpp"
#include "transport_probes.hpp"

namespace ecmp::net {
namespace {

using test::address;
using test::Collector;
using test::enter_new_network;
using test::first_error_from;
using test::GatewayNetwork;
using test::open_transport;
using test::output_of;
using test::probe;
using test::receive_until;
using test::run;
using test::udp_flow;

TEST_CASE("a route that changes is followed, and its new source address told", "[root]") {
  ECMP_NEEDS_ROOT();
  const GatewayNetwork network;
  network.add_wire("1");
  const auto transport = open_transport();
  REQUIRE(transport->add_flow(1, udp_flow("10.9.9.9", 50002)) == address("10.0.0.1"));
  REQUIRE(transport->add_flow(2, udp_flow("fd09::9", 50002)) == address("fd00::1"));
  REQUIRE(transport->add_flow(3, udp_flow("10.77.0.1", 50002)) == std::nullopt);
  CHECK(transport->take_source_changes().empty());

  run("ip route replace 10.9.0.0/16 via 10.0.1.2; ip -6 route replace fd09::/64 via fd00:0:0:1::2");
  run("ip route add 10.77.0.0/16 via 10.0.0.2");
  Collector collector;
  std::vector<SourceChange> changes;
  REQUIRE(receive_until(*transport, collector, [&] {
    for (const SourceChange& change : transport->take_source_changes())
      changes.push_back(change);
    return changes.size() >= 3;
  }));
  std::ranges::sort(changes, {}, &SourceChange::flow);
  CHECK(changes ==
        std::vector<SourceChange>{{1, address("10.0.1.1")}, {2, address("fd00:0:0:1::1")}, {3, address("10.0.0.1")}});

  // A link that goes takes the route with it.
  run("ip link del v1");
  changes.clear();
  REQUIRE(receive_until(*transport, collector, [&] {
    for (const SourceChange& change : transport->take_source_changes())
      changes.push_back(change);
    return changes.size() >= 2;
  }));
  std::ranges::sort(changes, {}, &SourceChange::flow);
  CHECK(changes[0] == SourceChange{1, IpAddress()});
  CHECK_FALSE(transport->route(1).has_value());
  std::vector<std::uint8_t> storage;
  std::array batch = {probe(1, udp_flow("10.9.9.9", 50002), address("10.0.1.1"), 9, storage)};
  transport->send(batch);
  CHECK(batch[0].error == SendError::no_route);
}

/// The gateway that `ip route get` prints. A socket's IPv6 route is looked up before it has a source (ADR 24).
std::string gateway_by_ip(const std::string& destination, const std::string& source, std::uint16_t port) {
  const std::string from = source.find(':') == std::string::npos ? " from " + source : "";
  std::istringstream words(
      output_of("ip route get " + destination + from + " ipproto udp sport " + std::to_string(port) + " dport 33434"));
  for (std::string word; words >> word;)
    if (word == "via" && words >> word) return word;
  return "";
}

TEST_CASE("flows take the next hop of several that the kernel hashes their ports to", "[root]") {
  ECMP_NEEDS_ROOT();
  const GatewayNetwork network;
  network.gateway.run("ip addr add 10.0.0.3/24 dev p0; ip -6 addr add fd00::3/64 dev p0 nodad");
  run("sysctl -qw net.ipv4.fib_multipath_hash_policy=1 net.ipv6.fib_multipath_hash_policy=1");
  run("ip route replace 10.9.0.0/16 nexthop via 10.0.0.2 nexthop via 10.0.0.3");
  run("ip -6 route replace fd09::/64 nexthop via fd00::2 nexthop via fd00::3");
  const auto transport = open_transport();
  std::map<std::string, int> flows_by_gateway;
  for (std::uint16_t i = 0; i < 32; ++i) {
    const bool v4 = i < 16;
    const char* destination = v4 ? "10.9.9.9" : "fd09::9";
    const auto port = static_cast<std::uint16_t>(50000 + i);
    const auto source = transport->add_flow(i, udp_flow(destination, port));
    REQUIRE(source.has_value());
    const std::string chosen = transport->route(i).value().gateway.to_string();
    CHECK(chosen == gateway_by_ip(destination, source->to_string(), port));
    ++flows_by_gateway[chosen];
  }
  CHECK(flows_by_gateway.size() == 4);

  // While the gateways are not resolved, a raw socket could send a flow over the wrong one: no probe then.
  std::vector<std::uint8_t> storage;
  std::array batch = {probe(0, udp_flow("10.9.9.9", 50000), address("10.0.0.1"), 9, storage)};
  run("ip neigh flush dev v0");
  Collector collector;
  const auto answered = [&] { return first_error_from(collector).has_value(); };
  REQUIRE(receive_until(*transport, collector, [&] {
    transport->send(batch);
    CHECK((batch[0].error == SendError::none || batch[0].error == SendError::no_route));
    if (!answered()) transport->receive(transport->now() + std::chrono::milliseconds(50), collector);
    return answered();
  }));
  CHECK(transport->counters().sent_raw == 0);
  CHECK(transport->counters().neighbour_checks > 0);
}

/// Packets sent so far over an interface, by the kernel's count.
long sent_over(const std::string& interface) {
  return std::stol(output_of("awk '$1 == \"" + interface + ":\" {print $11}' /proc/net/dev"));
}

/// Sends `packets` empty datagrams by a connected UDP socket bound to 10.255.0.1 and `port`, to 10.9.9.9.
void send_as_everybody_does(std::uint16_t port, int packets) {
  const int descriptor = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in own{}, other{};
  own.sin_family = other.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(0x0aff0001);
  own.sin_port = htons(port);
  other.sin_addr.s_addr = htonl(0x0a090909);
  other.sin_port = htons(33434);
  REQUIRE(::bind(descriptor, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
  REQUIRE(::connect(descriptor, reinterpret_cast<const sockaddr*>(&other), sizeof other) == 0);
  // A send that reports the port unreachable of an earlier one sends nothing.
  for (int sent = 0, tries = 0; sent < packets && tries < 10 * packets; ++tries)
    sent += ::send(descriptor, "", 0, 0) == 0 ? 1 : 0;
  ::close(descriptor);
}

TEST_CASE("flows leave by the uplink that other programs' packets with their ports leave by", "[root]") {
  ECMP_NEEDS_ROOT();
  const GatewayNetwork network;
  network.add_wire("1");
  run("sysctl -qw net.ipv4.fib_multipath_hash_policy=1; ip addr add 10.255.0.1/32 dev lo");
  network.gateway.run("sysctl -qw net.ipv4.icmp_ratelimit=0; ip route add 10.255.0.1/32 via 10.0.0.1");
  run("ip route replace 10.9.0.0/16 src 10.255.0.1 nexthop via 10.0.0.2 dev v0 nexthop via 10.0.1.2 dev v1");
  run("ping -q -c 1 10.0.0.2 >/dev/null; ping -q -c 1 10.0.1.2 >/dev/null");
  const auto transport = open_transport();
  std::map<std::string, int> flows_by_uplink;
  for (std::uint16_t i = 0; i < 16; ++i) {
    const auto port = static_cast<std::uint16_t>(50000 + i);
    REQUIRE(transport->add_flow(i, udp_flow("10.9.9.9", port)) == address("10.255.0.1"));
    const std::string uplink = transport->interface_name(transport->route(i).value().interface);
    const long before = sent_over(uplink);
    send_as_everybody_does(port, 50);
    CHECK(sent_over(uplink) - before >= 50);
    ++flows_by_uplink[uplink];
  }
  CHECK(flows_by_uplink.size() == 2);
}

TEST_CASE("an IPv4 route over an IPv6 gateway is followed", "[root]") {
  ECMP_NEEDS_ROOT();
  const GatewayNetwork network;
  run("ip route replace 10.9.0.0/16 via inet6 fd00::2 dev v0");
  const auto transport = open_transport();
  const FlowSpec spec = udp_flow("10.9.9.9", 50008);
  REQUIRE(transport->add_flow(1, spec) == address("10.0.0.1"));
  CHECK(transport->route(1).value().gateway == address("fd00::2"));
  std::vector<std::uint8_t> storage;
  std::array batch = {probe(1, spec, address("10.0.0.1"), 9, storage)};
  for (int turn = 0; turn < 2; ++turn) {
    Collector collector;
    transport->send(batch);
    REQUIRE(receive_until(*transport, collector, [&] { return first_error_from(collector).has_value(); }));
  }
  CHECK(transport->counters().sent_raw == 1);
}

TEST_CASE("the flow label of IPv6 probes takes no part in the choice of the next hop, as of no socket's packet",
          "[root]") {
  ECMP_NEEDS_ROOT();
  const GatewayNetwork network;
  network.gateway.run("ip -6 addr add fd00::3/64 dev p0 nodad");
  run("ip -6 route replace fd09::/64 nexthop via fd00::2 nexthop via fd00::3");
  const auto transport = open_transport();
  const FlowSpec spec = udp_flow("fd09::9", 50009);
  REQUIRE(transport->add_flow(1, spec).has_value());
  std::vector<std::uint8_t> storage;
  std::array batch = {probe(1, spec, address("fd00::1"), 9, storage)};
  std::map<std::string, int> labels_by_gateway;
  for (std::uint8_t label = 1; label <= 32; ++label) {
    storage[3] = label;
    transport->send(batch);
    ++labels_by_gateway[transport->route(1).value().gateway.to_string()];
  }
  CHECK(labels_by_gateway.size() == 1);
}

TEST_CASE("when notifications are lost, routes are looked up all the same", "[root]") {
  ECMP_NEEDS_ROOT();
  const GatewayNetwork network;
  network.add_wire("1");
  const auto transport = open_transport();
  REQUIRE(transport->add_flow(1, udp_flow("10.9.9.9", 50011)) == address("10.0.0.1"));
  run("for i in $(seq 0 200); do for j in $(seq 0 99); do echo route add 10.$((20 + i)).$j.0/24 via 10.0.0.2; done; "
      "done | ip -batch -");
  run("ip route replace 10.9.0.0/16 via 10.0.1.2");
  Collector collector;
  std::vector<SourceChange> changes;
  REQUIRE(receive_until(*transport, collector, [&] {
    for (const SourceChange& change : transport->take_source_changes())
      changes.push_back(change);
    return !changes.empty();
  }));
  CHECK(changes[0] == SourceChange{1, address("10.0.1.1")});
  CHECK(transport->counters().netlink_overflows > 0);
}

TEST_CASE("a gateway whose link address changes is noticed", "[root]") {
  ECMP_NEEDS_ROOT();
  const GatewayNetwork network;
  const auto transport = open_transport();
  const FlowSpec spec = udp_flow("10.9.9.9", 50003);
  REQUIRE(transport->add_flow(1, spec).has_value());
  std::vector<std::uint8_t> storage;
  std::array batch = {probe(1, spec, address("10.0.0.1"), 9, storage)};
  Collector collector;
  transport->send(batch);
  REQUIRE(receive_until(*transport, collector, [&] { return first_error_from(collector).has_value(); }));
  // The kernel learns of the new address by itself only if it is made to use the neighbour.
  run("ip neigh replace 10.0.0.2 lladdr 02:00:00:00:00:99 nud stale dev v0");
  collector.seen.clear();
  REQUIRE(receive_until(*transport, collector, [&] {
    transport->send(batch);
    return first_error_from(collector).has_value();
  }));
  CHECK(transport->counters().neighbour_checks > 0);
}

TEST_CASE("an interface without link addresses needs no neighbour", "[root]") {
  ECMP_NEEDS_ROOT();
  enter_new_network();
  run("ip tuntap add dev t0 mode tun; ip link set t0 up; ip addr add 10.5.0.1/24 dev t0");
  const auto transport = open_transport();
  const FlowSpec spec = udp_flow("10.5.0.9", 50004);
  REQUIRE(transport->add_flow(1, spec).has_value());
  std::vector<std::uint8_t> storage;
  std::array batch = {probe(1, spec, address("10.5.0.1"), 9, storage)};
  transport->send(batch);
  CHECK(transport->counters().sent_unresolved == 0);
}
}  // namespace
}  // namespace ecmp::net
