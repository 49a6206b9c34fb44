#include "net/probe_io/raw_transport.hpp"

#include <cstdio>
#include <fstream>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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
using test::probe;
using test::receive_until;
using test::run;
using test::Seen;
using test::udp_flow;

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
TEST_CASE("a reply that is seen at a bridge and at its port is handed over once", "[root]") {
  ECMP_NEEDS_ROOT();
  const GatewayNetwork network;
  run("ip link add br0 type bridge; ip addr flush dev v0; ip link set v0 master br0; ip link set br0 up");
  run("ip addr add 10.0.0.1/24 dev br0; ip route replace 10.9.0.0/16 via 10.0.0.2");
  const auto transport = open_transport();
  const FlowSpec spec = udp_flow("10.9.9.9", 50010);
  REQUIRE(transport->add_flow(1, spec).has_value());
  std::vector<std::uint8_t> storage;
  std::array batch = {probe(1, spec, address("10.0.0.1"), 9, storage)};
  Collector collector;
  transport->send(batch);
  // The probe at the bridge and at its port, the reply at both.
  REQUIRE(receive_until(*transport, collector, [&] { return transport->counters().captured >= 4; }));
  REQUIRE(receive_until(*transport, collector, [&] { return collector.seen.size() >= 3; }));
  CHECK(collector.seen.size() == 3);
  CHECK(std::ranges::count(collector.seen, Direction::incoming, &Seen::direction) == 1);
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

TEST_CASE("what the host moves over ports like ours does not get through the capture's filter", "[root]") {
  ECMP_NEEDS_ROOT();
  const GatewayNetwork network;
  const auto transport = open_transport();
  // As many flows as make the filter pass a whole block of ports, and destinations of TCP 443.
  const PortOrder order({}, "bulk", Protocol::tcp, 443);
  for (std::uint32_t i = 0; i < 64; ++i) {
    FlowSpec spec = udp_flow("10.9.9.9", order[i]);
    spec.tuple.protocol = Protocol::tcp;
    spec.tuple.destination_port = 443;
    REQUIRE(transport->add_flow(i, spec).has_value());
  }
  transport->send({});
  const std::string script = "/tmp/ecmp-bulk-" + std::to_string(::getpid()) + ".py";
  std::ofstream(script) << "import socket, sys\n"
                           "if sys.argv[1] == 'take':\n"
                           "    server = socket.create_server(('10.0.0.2', 5201))\n"
                           "    taken = server.accept()[0]\n"
                           "    while taken.recv(1 << 20): pass\n"
                           "else:\n"
                           "    bulk = socket.socket()\n"
                           "    bulk.bind(('10.0.0.1', 40000))\n"
                           "    bulk.connect(('10.0.0.2', 5201))\n"
                           "    for _ in range(200): bulk.sendall(bytes(1 << 20))\n";
  network.gateway.run("python3 " + script + " take >/dev/null 2>&1 & sleep 1");
  run("python3 " + script + " give");  // 200 MB, from a port of the block
  std::remove(script.c_str());
  Collector collector;
  for (int turn = 0; turn < 20; ++turn)
    transport->receive(transport->now() + std::chrono::milliseconds(20), collector);
  CHECK(collector.seen.empty());
  CHECK(transport->counters().captured == 0);
  CHECK(transport->counters().capture_dropped == 0);
}

TEST_CASE("a flow whose ports a socket of the host has sends nothing", "[root]") {
  ECMP_NEEDS_ROOT();
  const GatewayNetwork network;
  const int holder = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_port = htons(40001);
  REQUIRE(::bind(holder, reinterpret_cast<const sockaddr*>(&here), sizeof here) == 0);
  const auto transport = open_transport();
  for (std::uint32_t i = 0; i < 3; ++i)
    REQUIRE(transport->add_flow(i, udp_flow("10.9.9.9", static_cast<std::uint16_t>(40000 + i))).has_value());
  std::array<std::vector<std::uint8_t>, 3> storage;
  const auto errors = [&] {
    std::array<Outgoing, 3> batch;
    for (std::uint32_t i = 0; i < 3; ++i)
      batch[i] =
          probe(i, udp_flow("10.9.9.9", static_cast<std::uint16_t>(40000 + i)), address("10.0.0.1"), 9, storage[i]);
    transport->send(batch);
    return std::array{batch[0].error, batch[1].error, batch[2].error};
  };
  CHECK(errors() == std::array{SendError::none, SendError::port_in_use, SendError::none});
  ::close(holder);
  Collector collector;
  // The kernel's list of sockets is read again some seconds later.
  CHECK(receive_until(*transport, collector, [&] { return errors()[1] == SendError::none; }));
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
