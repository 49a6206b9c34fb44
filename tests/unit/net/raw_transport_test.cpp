#include "net/raw_transport.hpp"

#include <functional>
#include <linux/capability.h>
#include <sstream>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "catch.hpp"
#include "network_namespace.hpp"
#include "packet/message.hpp"
#include "packet/probe_datagram.hpp"

namespace ecmp::net {
namespace {

using test::enter_new_network;
using test::output_of;
using test::PeerNetwork;
using test::run;

struct Seen {
  std::vector<std::uint8_t> bytes;
  Instant at{};
  Direction direction = Direction::incoming;
};

class Collector : public CaptureSink {
 public:
  void on_captured(const Captured& datagram) override {
    seen.push_back({{datagram.bytes.begin(), datagram.bytes.end()}, datagram.at, datagram.direction});
  }
  std::vector<Seen> seen;
};

IpAddress address(const char* text) {
  return IpAddress::parse(text).value();
}

FlowSpec udp_flow(const char* destination, std::uint16_t source_port) {
  FlowSpec spec;
  spec.tuple.destination = address(destination);
  spec.tuple.source_port = source_port;
  spec.tuple.destination_port = 33434;
  return spec;
}

/// A probe of `spec` from `source`, in `storage`.
Outgoing probe(std::uint32_t flow, const FlowSpec& spec, const IpAddress& source, std::uint8_t ttl,
               std::vector<std::uint8_t>& storage) {
  packet::ProbeDatagram fields;
  fields.tuple = spec.tuple;
  fields.tuple.source = source;
  fields.ttl = ttl;
  fields.ip_id = 7;
  fields.total_size = 80;
  fields.checksum = 0x1234;
  storage.resize(fields.total_size);
  Outgoing outgoing;
  outgoing.bytes = packet::write_probe(fields, storage);
  outgoing.flow = flow;
  return outgoing;
}

std::unique_ptr<RawTransport> open_transport() {
  auto transport = RawTransport::open();
  if (!transport) throw std::runtime_error(transport.error());
  return std::move(*transport);
}

/// Receives until `enough`, ten seconds at most.
bool receive_until(RawTransport& transport, Collector& collector, const std::function<bool()>& enough) {
  const Instant deadline = transport.now() + std::chrono::seconds(10);
  while (!enough()) {
    if (transport.now() >= deadline) return false;
    transport.receive(transport.now() + std::chrono::milliseconds(50), collector);
  }
  return true;
}

/// The first ICMP error among what came in.
std::optional<IpAddress> first_error_from(const Collector& collector) {
  for (const Seen& seen : collector.seen) {
    if (seen.direction != Direction::incoming) continue;
    const packet::Message message = packet::parse(seen.bytes);
    if (const auto* error = std::get_if<packet::IcmpError>(&message)) return error->from;
  }
  return std::nullopt;
}

void probe_loopback(const char* destination) {
  enter_new_network();
  const auto transport = open_transport();
  const FlowSpec spec = udp_flow(destination, 50000);
  const auto source = transport->add_flow(1, spec);
  REQUIRE(source.has_value());
  CHECK(*source == address(destination));
  std::vector<std::uint8_t> storage;
  std::array batch = {probe(1, spec, *source, 3, storage)};
  const Instant before = transport->now();
  transport->send(batch);
  REQUIRE(batch[0].error == SendError::none);
  Collector collector;
  REQUIRE(receive_until(*transport, collector, [&] { return collector.seen.size() >= 2; }));
  const Instant after = transport->now();

  REQUIRE(collector.seen.size() == 2);
  const Seen& sent = collector.seen[0];
  const Seen& answer = collector.seen[1];
  CHECK(sent.direction == Direction::outgoing);
  CHECK(std::ranges::equal(sent.bytes, storage));
  CHECK(answer.direction == Direction::incoming);
  CHECK(first_error_from(collector) == address(destination));
  CHECK(before <= batch[0].at);
  CHECK(batch[0].at <= sent.at);
  CHECK(sent.at <= answer.at);
  CHECK(answer.at <= after);
  CHECK(transport->counters().sent_raw == 1);
}

TEST_CASE("a probe to 127.0.0.1 and its port unreachable are captured in order", "[root]") {
  ECMP_NEEDS_ROOT();
  probe_loopback("127.0.0.1");
}

TEST_CASE("a probe to ::1 and its port unreachable are captured in order", "[root]") {
  ECMP_NEEDS_ROOT();
  probe_loopback("::1");
}

/// This host with 10.0.0.1 and fd00::1, a gateway 10.0.0.2 and fd00::2 with 10.9.9.9 and fd09::9 behind it.
class GatewayNetwork {
 public:
  GatewayNetwork() {
    enter_new_network();
    run("sysctl -qw net.ipv6.conf.default.accept_dad=0");
    gateway.run("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    add_wire("0");
    gateway.run("ip addr add 10.9.9.9/32 dev lo; ip -6 addr add fd09::9/128 dev lo nodad");
    run("ip route add 10.9.0.0/16 via 10.0.0.2; ip -6 route add fd09::/64 via fd00::2");
  }

  /// A link with 10.0.N.0/24 and fd00:0:0:N::/64, hosts 1 and 2.
  void add_wire(const std::string& n) const {
    run("ip link add v" + n + " type veth peer name p" + n + " netns " + gateway.name());
    run("ip link set v" + n + " up; ip addr add 10.0." + n + ".1/24 dev v" + n);
    gateway.run("ip link set p" + n + " up; ip addr add 10.0." + n + ".2/24 dev p" + n);
    const std::string prefix = n == "0" ? "fd00::" : "fd00:0:0:" + n + "::";
    run("ip -6 addr add " + prefix + "1/64 dev v" + n + " nodad");
    gateway.run("ip -6 addr add " + prefix + "2/64 dev p" + n + " nodad");
  }

  PeerNetwork gateway;
};

void probe_through_gateway(const char* destination, const char* own, const char* gateway) {
  const GatewayNetwork network;
  const auto transport = open_transport();
  const FlowSpec spec = udp_flow(destination, 50001);
  const auto source = transport->add_flow(7, spec);
  REQUIRE(source == address(own));
  REQUIRE(transport->route(7).value().gateway == address(gateway));

  // Nobody has talked to the gateway yet: the kernel has to find it.
  std::vector<std::uint8_t> storage;
  std::array batch = {probe(7, spec, *source, 9, storage)};
  transport->send(batch);
  REQUIRE(batch[0].error == SendError::none);
  CHECK(transport->counters().sent_unresolved == 1);
  Collector collector;
  REQUIRE(receive_until(*transport, collector, [&] { return first_error_from(collector).has_value(); }));
  CHECK(first_error_from(collector) == address(destination));

  // Now it is known, and the probe goes by the packet socket.
  collector.seen.clear();
  transport->send(batch);
  REQUIRE(batch[0].error == SendError::none);
  CHECK(transport->counters().sent_unresolved == 1);
  REQUIRE(receive_until(*transport, collector, [&] { return first_error_from(collector).has_value(); }));
  REQUIRE(collector.seen.size() == 2);
  CHECK(collector.seen[0].direction == Direction::outgoing);
  CHECK(std::ranges::equal(collector.seen[0].bytes, storage));
  CHECK(batch[0].at <= collector.seen[0].at);
  CHECK(collector.seen[0].at <= collector.seen[1].at);
}

TEST_CASE("the first probe over an unknown IPv4 gateway is answered, the next leaves by the packet socket", "[root]") {
  ECMP_NEEDS_ROOT();
  probe_through_gateway("10.9.9.9", "10.0.0.1", "10.0.0.2");
}

TEST_CASE("the first probe over an unknown IPv6 gateway is answered, the next leaves by the packet socket", "[root]") {
  ECMP_NEEDS_ROOT();
  probe_through_gateway("fd09::9", "fd00::1", "fd00::2");
}

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

/// The gateway that `ip route get` prints.
std::string gateway_by_ip(const std::string& destination, const std::string& source, std::uint16_t port) {
  std::istringstream words(output_of("ip route get " + destination + " from " + source + " ipproto udp sport " +
                                     std::to_string(port) + " dport 33434"));
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

TEST_CASE("other traffic does not get through the capture's filter", "[root]") {
  ECMP_NEEDS_ROOT();
  const GatewayNetwork network;
  const auto transport = open_transport();
  REQUIRE(transport->add_flow(1, udp_flow("10.9.9.9", 50005)).has_value());
  transport->send({});
  run("ping -q -c 3 -i 0.01 10.0.0.2 >/dev/null");
  Collector collector;
  const FlowSpec spec = udp_flow("10.9.9.9", 50005);
  std::vector<std::uint8_t> storage;
  std::array batch = {probe(1, spec, address("10.0.0.1"), 9, storage)};
  transport->send(batch);
  REQUIRE(receive_until(*transport, collector, [&] { return first_error_from(collector).has_value(); }));
  CHECK(collector.seen.size() == 2);
  CHECK(transport->counters().captured == 2);
}

/// Leaves this process no capability but `kept` (a mask of the first 32).
bool keep_only(std::uint32_t kept) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  sets[0].effective = sets[0].permitted = kept;
  return ::syscall(SYS_capset, &header, sets.data()) == 0;
}

/// Runs `body` in a child process; what it says has to be "".
void in_child(const std::function<std::string()>& body) {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string said;
    try {
      said = body();
    } catch (const std::exception& error) {
      said = error.what();
    }
    said += '.';
    ::_exit(::write(pipe[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  ::close(pipe[1]);
  std::string said;
  std::array<char, 512> part{};
  for (ssize_t size = 0; (size = ::read(pipe[0], part.data(), part.size())) > 0;)
    said.append(part.data(), static_cast<std::size_t>(size));
  ::close(pipe[0]);
  ::waitpid(child, nullptr, 0);
  CHECK(said == ".");
}

TEST_CASE("CAP_NET_RAW is all it takes", "[root]") {
  ECMP_NEEDS_ROOT();
  const GatewayNetwork network;
  in_child([]() -> std::string {
    if (!keep_only(1u << CAP_NET_RAW)) return "cannot drop capabilities";
    const auto transport = open_transport();
    for (const char* destination : {"127.0.0.1", "::1", "10.9.9.9", "fd09::9"}) {
      const FlowSpec spec = udp_flow(destination, 50006);
      const auto source = transport->add_flow(1, spec);
      if (!source) return std::string("no route to ") + destination;
      for (int turn = 0; turn < 2; ++turn) {  // unresolved, then resolved
        std::vector<std::uint8_t> storage;
        std::array batch = {probe(1, spec, *source, 9, storage)};
        transport->send(batch);
        Collector collector;
        const auto answered = [&] { return first_error_from(collector) == address(destination); };
        if (!receive_until(*transport, collector, answered)) return std::string("no answer from ") + destination;
      }
    }
    return transport->counters().sent_raw == 6 ? "" : "not sent by packet sockets";
  });
}

TEST_CASE("without CAP_NET_RAW the error says what to do", "[root]") {
  ECMP_NEEDS_ROOT();
  in_child([]() -> std::string {
    if (!keep_only(0)) return "cannot drop capabilities";
    const auto transport = RawTransport::open();
    if (transport) return "opened";
    return transport.error().find("needs CAP_NET_RAW: run as root, or `setcap cap_net_raw+ep /") != std::string::npos
               ? ""
               : transport.error();
  });
}

TEST_CASE("what cannot be sent says why, and does not keep the others from leaving", "[root]") {
  ECMP_NEEDS_ROOT();
  const GatewayNetwork network;
  run("ip neigh replace 10.0.0.2 lladdr 02:00:00:00:00:01 nud permanent dev v0");
  run("ip link set v0 mtu 1280");
  const auto transport = open_transport();
  const FlowSpec spec = udp_flow("10.9.9.9", 50007);
  REQUIRE(transport->add_flow(1, spec).has_value());
  std::vector<std::uint8_t> small, small_too;
  const std::vector<std::uint8_t> large = [] {
    std::vector<std::uint8_t> bytes(1400);
    bytes[0] = 0x45;
    return bytes;
  }();
  Outgoing too_big;
  too_big.bytes = large;
  too_big.flow = 1;
  Outgoing unknown = too_big;
  unknown.flow = 99;
  std::array batch = {too_big, probe(1, spec, address("10.0.0.1"), 9, small), too_big, unknown,
                      probe(1, spec, address("10.0.0.1"), 9, small_too)};
  transport->send(batch);
  CHECK(batch[0].error == SendError::too_big);
  CHECK(batch[1].error == SendError::none);
  CHECK(batch[2].error == SendError::too_big);
  CHECK(batch[3].error == SendError::no_route);
  CHECK(batch[4].error == SendError::none);

  // The interface goes down: until that has been heard of, sending over it fails.
  run("ip link set v0 down");
  transport->send(batch);
  CHECK(batch[1].error == SendError::link_down);
}

TEST_CASE("wake() ends a receive that waits", "[root]") {
  ECMP_NEEDS_ROOT();
  enter_new_network();
  const auto transport = open_transport();
  Collector collector;
  transport->wake();
  // Would wait, and the test run into its time limit, if it were not for wake().
  const Instant far = transport->now() + std::chrono::hours(1);
  transport->receive(far, collector);
  CHECK(transport->now() < far);
}

}  // namespace
}  // namespace ecmp::net
