// How destinations answer.
#include <string>

#include "sim/prober.hpp"
#include "sim/scenario_files.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;
using packet::ReplyKind;

namespace {

constexpr std::array kFamilies{Family::ipv4, Family::ipv6};

Scenario chain(const std::string& destination) {
  Result<Scenario> scenario = parse_scenario(
      "wires = [\"agent - r1 - dst\"]\n[link.\"*\"]\ndelay = \"1ms\"\n[destination.dst]\n" + destination, "chain");
  if (!scenario) throw std::runtime_error(scenario.error());
  return std::move(*scenario);
}

}  // namespace

TEST_CASE("a closed UDP port is unreachable, with the TTL that was left in the quote", "[destination]") {
  const Seed seed(20);
  SimulatedNetwork network(chain(""), seed);
  Prober prober(network);
  for (const Family family : kFamilies) {
    const auto probe = prober.udp("dst", 50001, 9, family);
    const auto replies = prober.ask(probe);
    REQUIRE(replies.size() == 1);
    CHECK(replies[0].kind() == ReplyKind::port_unreachable);
    CHECK(replies[0].error()->from == network.address("dst", family));
    CHECK(replies[0].error()->quote.tuple == probe.tuple);
    CHECK(replies[0].error()->quote.ttl == 8);
    CHECK(replies[0].error()->reply_ttl == 63);
  }
}

TEST_CASE("UDP services echo, answer with a text, or keep quiet", "[destination]") {
  const Seed seed(21);
  SimulatedNetwork network(load_scenario("udp_service"), seed);
  Prober prober(network);
  for (const Family family : kFamilies) {
    const auto probe = prober.udp("mirror", 50002, 9, family);
    auto replies = prober.ask(probe);
    REQUIRE(replies.size() == 1);
    const packet::UdpDatagram* datagram = replies[0].udp();
    REQUIRE(datagram != nullptr);
    CHECK(datagram->from == network.address("mirror", family));
    CHECK(datagram->source_port == 33434);
    CHECK(datagram->destination_port == 50002);
    REQUIRE(datagram->payload.size() == probe.total_size - (family == Family::ipv4 ? 28u : 48u));
    CHECK(std::equal(probe.tag.begin(), probe.tag.end(), datagram->payload.begin() + 2));

    replies = prober.ask(prober.udp("talker", 50002, 9, family));
    REQUIRE(replies.size() == 1);
    REQUIRE(replies[0].udp() != nullptr);
    CHECK(std::string(replies[0].udp()->payload.begin(), replies[0].udp()->payload.end()) == "no such name");

    auto filtered = prober.udp("talker", 50002, 9, family);
    filtered.tuple.destination_port = 69;
    CHECK(prober.ask(filtered).empty());
    filtered.tuple.destination_port = 70;
    CHECK(prober.ask(filtered).at(0).kind() == ReplyKind::port_unreachable);
  }
}

TEST_CASE("TCP ports accept, refuse or keep quiet, and acknowledge the sequence number plus one", "[destination]") {
  const Seed seed(22);
  SimulatedNetwork network(load_scenario("tcp_open_closed"), seed);
  Prober prober(network);
  for (const Family family : kFamilies) {
    auto probe = prober.probe(Protocol::tcp, network.address("dst", family), 50003, 9);
    probe.sequence = 0xffffffff;
    for (const std::uint16_t port : {std::uint16_t{443}, std::uint16_t{80}}) {
      probe.tuple.destination_port = port;
      const auto replies = prober.ask(probe);
      REQUIRE(replies.size() == 1);
      const packet::TcpSegment* segment = replies[0].tcp();
      REQUIRE(segment != nullptr);
      CHECK(segment->syn == (port == 443));
      CHECK(segment->rst == (port == 80));
      CHECK(segment->ack);
      CHECK(segment->acknowledgement == 0);
      CHECK(segment->source_port == port);
      CHECK(segment->destination_port == 50003);
    }
    probe.tuple.destination_port = 23;
    CHECK(prober.ask(probe).empty());
  }
}

TEST_CASE("echo requests come back with identifier, sequence and payload", "[destination]") {
  const Seed seed(23);
  for (const Family family : kFamilies) {
    SimulatedNetwork network(chain(""), seed);
    Prober prober(network);
    const auto probe = prober.probe(Protocol::icmp, network.address("dst", family), 777, 9);
    const auto replies = prober.ask(probe);
    REQUIRE(replies.size() == 1);
    const packet::EchoReply* echo = replies[0].echo();
    REQUIRE(echo != nullptr);
    CHECK(echo->identifier == 777);
    CHECK(echo->sequence == 0x0c0d);
    CHECK(std::equal(probe.tag.begin(), probe.tag.end(), echo->payload.begin() + 2));

    SimulatedNetwork quiet(chain("echo = false"), seed);
    Prober other(quiet);
    CHECK(other.ask(probe).empty());
  }
}

TEST_CASE("a destination limits its ICMP messages, but not its TCP segments", "[destination]") {
  const Seed seed(24);
  SimulatedNetwork network(chain("icmp_limit = { rate = 1, burst = 3 }"), seed);
  Prober prober(network);
  for (int i = 0; i < 10; ++i) {
    prober.send(prober.udp("dst", 50000, 9));
    prober.send(prober.probe(Protocol::tcp, network.address("dst"), 50000, 9));
  }
  std::size_t errors = 0;
  std::size_t segments = 0;
  for (const Reply& reply : prober.wait())
    ++(reply.error() != nullptr ? errors : segments);
  CHECK(errors == 3);
  CHECK(segments == 10);
}

TEST_CASE("nodes of one box share its limit, others do not", "[destination]") {
  const Seed seed(24);
  const auto scenario = parse_scenario(R"TOML(
    wires = ["agent - r1 - (dst other)"]
    [router.r1]
    box = "one"
    icmp_limit = { rate = 1, burst = 3 }
    [destination.dst]
    box = "one"
    icmp_limit = { rate = 1, burst = 3 }
    [destination.other]
    icmp_limit = { rate = 1, burst = 3 })TOML",
                                       "box");
  REQUIRE(scenario);
  SimulatedNetwork network(*scenario, seed);
  Prober prober(network);
  for (int i = 0; i < 10; ++i) {
    prober.send(prober.udp("dst", 50000, 1));
    prober.send(prober.udp("dst", 50000, 9));
    prober.send(prober.udp("other", 50000, 9));
  }
  CHECK(prober.wait().size() == 6);
  CHECK(network.counts_of("r1").replies + network.counts_of("dst").replies == 3);
  CHECK(network.counts_of("other").replies == 3);
}

TEST_CASE("behind a gateway the same address answers at two TTLs", "[destination]") {
  const Seed seed(25);
  SimulatedNetwork network(load_scenario("gateway"), seed);
  Prober prober(network);
  for (const Family family : kFamilies) {
    auto probe = prober.udp("dst", 50000, 4, family);
    const auto path = network.path_of(probe.tuple, 0, network.now());
    REQUIRE(path.responders.size() == 5);
    CHECK(path.responders[3] == path.responders[4]);
    auto replies = prober.ask(probe);
    CHECK(replies.at(0).kind() == ReplyKind::time_exceeded);
    CHECK(replies[0].from() == network.address("dst", family));
    probe.ttl = 5;
    replies = prober.ask(probe);
    CHECK(replies.at(0).kind() == ReplyKind::port_unreachable);
    CHECK(replies[0].from() == network.address("dst", family));
  }
}

TEST_CASE("a wrong checksum is dropped where a real host would drop it", "[destination]") {
  const Seed seed(26);
  SimulatedNetwork network(chain(""), seed);
  Prober prober(network);
  for (const Family family : kFamilies) {
    std::array<std::uint8_t, 200> bytes{};
    const auto probe = prober.udp("dst", 50000, 9, family);
    const ByteView datagram = packet::write_probe(probe, bytes);
    bytes[datagram.size() - 1] ^= 0x10;
    prober.send(datagram);
    CHECK(prober.wait().empty());
  }
  CHECK(network.counts_of("dst").bad_checksum == 2);

  std::array<std::uint8_t, 200> bytes{};
  const ByteView datagram = packet::write_probe(prober.udp("dst", 50000, 9), bytes);
  bytes[8] ^= 0x01;  // TTL: the header checksum is wrong now
  prober.send(datagram);
  CHECK(prober.wait().empty());
  CHECK(network.counts().malformed == 1);
}

TEST_CASE("one destination can answer for a whole prefix", "[destination]") {
  const Seed seed(27);
  SimulatedNetwork network(load_scenario("crowd"), seed);
  Prober prober(network);
  for (const std::string_view text : {"10.200.0.1", "10.200.255.254", "2001:db8:200::1:2:3"}) {
    const IpAddress address = *IpAddress::parse(text);
    const auto replies = prober.ask(prober.probe(Protocol::udp, address, 50000, 30));
    CHECK(replies.at(0).from() == address);
    CHECK(replies[0].kind() == ReplyKind::port_unreachable);
  }
  const auto outside = prober.ask(prober.probe(Protocol::udp, *IpAddress::parse("10.201.0.1"), 50000, 30));
  CHECK(outside.at(0).kind() == ReplyKind::net_unreachable);
}
