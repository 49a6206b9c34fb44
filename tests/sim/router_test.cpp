// What routers do to probes and how they answer.
#include "sim/prober.hpp"
#include "sim/scenario.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;
using packet::ReplyKind;

namespace {

/// One router after the other, with the given words for r2.
Scenario chain(const std::string& r2) {
  Result<Scenario> scenario = parse_scenario(
      "wires = [\"agent - r1 - r2 - r3 - dst\"]\n"
      "[link.\"*\"]\ndelay = \"1ms\"\n[destination.dst]\n[router.r2]\n" +
          r2,
      "chain");
  if (!scenario) throw std::runtime_error(scenario.error());
  return std::move(*scenario);
}

const packet::IcmpError& only_error(const std::vector<Reply>& replies) {
  REQUIRE(replies.size() == 1);
  REQUIRE(replies[0].error() != nullptr);
  return *replies[0].error();
}

}  // namespace

TEST_CASE("the router where the TTL runs out says so and quotes the probe", "[router]") {
  const Seed seed(1);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
      SimulatedNetwork network(chain(""), seed);
      Prober prober(network);
      packet::ProbeDatagram sent = prober.probe(protocol, network.address("dst", family), 50000, 2);
      sent.dscp = 10;
      const Instant start = network.now();
      const std::vector<Reply> replies = prober.ask(sent);
      const packet::IcmpError& error = only_error(replies);
      CHECK(replies[0].at == start + 4ms);
      CHECK(replies[0].kind() == ReplyKind::time_exceeded);
      CHECK(error.from == network.address("r2", family));
      CHECK(error.to == network.address("agent", family));
      CHECK(error.reply_ttl == 254);
      CHECK(error.quote.tuple == sent.tuple);
      CHECK(error.quote.ttl == 1);
      CHECK(error.quote.traffic_class == 40);
      CHECK(error.quote.total_size == sent.total_size);
      if (family == Family::ipv4) {
        CHECK(error.quote.ip_id == sent.ip_id);
      } else {
        CHECK(error.quote.flow_label == sent.flow_label);
      }
      if (protocol == Protocol::tcp) {
        CHECK(error.quote.sequence == sent.sequence);
      } else {
        CHECK(error.quote.checksum == sent.checksum);
        CHECK(error.quote.payload.size() == sent.total_size - (family == Family::ipv4 ? 28u : 48u));
      }
      CHECK(error.mpls.depth == 0);
      CHECK(network.packets_on_the_way() == 0);
    }
  }
}

TEST_CASE("a quote can be as short as 8 bytes on IPv4, and is cut to what fits in 576 and 1280 bytes", "[router]") {
  const Seed seed(2);
  SimulatedNetwork brief(chain("quote = 8"), seed);
  Prober prober(brief);
  auto replies = prober.ask(prober.udp("dst", 50000, 2));
  CHECK(replies.at(0).bytes.size() == 20 + 8 + 20 + 8);
  CHECK(only_error(replies).quote.payload.empty());

  SimulatedNetwork network(chain(""), seed);
  Prober other(network);
  for (const auto& [family, size] : {std::pair{Family::ipv4, 576u}, std::pair{Family::ipv6, 1280u}}) {
    packet::ProbeDatagram large = other.udp("dst", 50000, 2, family);
    large.total_size = 1500;
    replies = other.ask(large);
    CHECK(replies.at(0).bytes.size() == size);
    CHECK(only_error(replies).quote.total_size == 1500);
  }
}

TEST_CASE("label stacks are told as RFC 4950 says, whatever the length of the quote", "[router]") {
  const Seed seed(3);
  for (const std::string quote : {"quote = 8\n", ""}) {
    SimulatedNetwork network(chain(quote + "mpls = [{ label = 16004, tc = 5, ttl = 1 }, { label = 7, ttl = 254 }]"),
                             seed);
    Prober prober(network);
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      for (const std::uint16_t size : {std::uint16_t{80}, std::uint16_t{1000}}) {
        packet::ProbeDatagram sent = prober.udp("dst", 50000, 2, family);
        sent.total_size = size;
        const auto replies = prober.ask(sent);
        const packet::IcmpError& error = only_error(replies);
        REQUIRE(error.mpls.depth == 2);
        CHECK(error.mpls.labels[0] == packet::MplsLabel{16004, 5, false, 1});
        CHECK(error.mpls.labels[1] == packet::MplsLabel{7, 0, true, 254});
        CHECK(error.quote.tuple == sent.tuple);
      }
    }
  }
}

TEST_CASE("an ICMP limit lets the burst through and then its rate, exactly", "[router]") {
  const Seed seed(4);
  SimulatedNetwork network(chain("icmp_limit = { rate = 10, burst = 5 }"), seed);
  Prober prober(network);
  for (int i = 0; i < 20; ++i)
    prober.send(prober.udp("dst", 50000, 2));
  CHECK(prober.wait(1s).size() == 5);
  CHECK(network.counts_of("r2").suppressed == 15);

  // 100 a second for 10 s against 10 a second; the bucket has filled up again before.
  prober.wait(10s);
  std::size_t answered = 0;
  for (int i = 0; i < 1000; ++i)
    answered += prober.ask(prober.udp("dst", 50000, 2), 10ms).size();
  answered += prober.wait(1s).size();
  CHECK(answered == 5 + 99);
  CHECK(network.counts_of("r2").replies == 5 + answered);
  CHECK(network.counts_of("r2").suppressed == 15 + 1000 - answered);
  // Other routers answer all the same.
  CHECK(prober.responder(prober.udp("dst", 50000, 1)) == network.address("r1"));
}

TEST_CASE("the limit counts probes in the order of their arrival, not of their sending", "[router]") {
  // The first probe needs 50 ms to r2 over the slow branch, the second is there after 2 ms.
  const Seed seed(5);
  const auto scenario = parse_scenario(R"(
    wires = ["agent - r1 - (slow fast) - r2 - dst"]
    [link."*"]
    delay = "1ms"
    [link."slow-r2"]
    delay = "50ms"
    [router.r2]
    icmp_limit = { rate = 0.001, burst = 1 }
    [destination.dst]
  )",
                                       "order");
  REQUIRE(scenario);
  SimulatedNetwork network(*scenario, seed);
  Prober prober(network);
  std::uint16_t slow = 0;
  std::uint16_t fast = 0;
  for (std::uint16_t port = 50000; port < 50064; ++port) {
    const auto probe = prober.udp("dst", port, 3);
    const TruePath path = network.path_of(probe.tuple, 0, network.now());
    (path.responders.at(1) == network.address("slow") ? slow : fast) = port;
  }
  REQUIRE(slow != 0);
  REQUIRE(fast != 0);
  prober.send(prober.udp("dst", slow, 3));
  prober.send(prober.udp("dst", fast, 3));
  const auto replies = prober.wait();
  CHECK(only_error(replies).quote.tuple.source_port == fast);
}

TEST_CASE("silent routers forward, and tell nothing", "[router]") {
  const Seed seed(6);
  SimulatedNetwork network(chain("silent = true"), seed);
  Prober prober(network);
  CHECK(prober.ask(prober.udp("dst", 50000, 2)).empty());
  CHECK(network.counts_of("r2").silent == 1);
  CHECK(prober.responder(prober.udp("dst", 50000, 3)) == network.address("r3"));
  CHECK(prober.responder(prober.udp("dst", 50000, 4)) == network.address("dst"));
}

TEST_CASE("replies start with the TTL and the delay of their router", "[router]") {
  const Seed seed(7);
  SimulatedNetwork network(chain("reply_ttl = 64\nprocessing = \"700us\"\nquoted_ttl = 7"), seed);
  Prober prober(network);
  const Instant start = network.now();
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto replies = prober.ask(prober.udp("dst", 50000, 2, family));
    CHECK(only_error(replies).reply_ttl == 63);
    CHECK(only_error(replies).quote.ttl == 7);
    if (family == Family::ipv4) CHECK(replies[0].at == start + 4700us);
  }
}

TEST_CASE("a reply comes from the address of the link that the probe came in by", "[router]") {
  const Seed seed(8);
  const auto scenario = parse_scenario(R"(
    wires = ["agent - r1 - r2 - dst"]
    [link."r1-r2"]
    addresses = ["10.9.9.9", "2001:db8:99::9"]
    [destination.dst]
  )",
                                       "ingress");
  REQUIRE(scenario);
  SimulatedNetwork network(*scenario, seed);
  Prober prober(network);
  CHECK(prober.responder(prober.udp("dst", 50000, 2)).to_string() == "10.9.9.9");
  const auto v6 = prober.udp("dst", 50000, 2, Family::ipv6);
  CHECK(prober.responder(v6).to_string() == "2001:db8:99::9");
  CHECK(network.path_of(v6.tuple, 0, network.now()).responders.at(1).to_string() == "2001:db8:99::9");
}

TEST_CASE("filters refuse with their code, swallow, or drop a share", "[router]") {
  const Seed seed(9);
  for (const auto& [word, kind] : {std::pair{"net_unreachable", ReplyKind::net_unreachable},
                                   std::pair{"host_unreachable", ReplyKind::host_unreachable},
                                   std::pair{"port_unreachable", ReplyKind::port_unreachable},
                                   std::pair{"fragmentation_needed", ReplyKind::fragmentation_needed},
                                   std::pair{"admin_prohibited", ReplyKind::admin_prohibited}}) {
    CAPTURE(word);
    SimulatedNetwork network(chain("reject = \"" + std::string(word) + "\""), seed);
    Prober prober(network);
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      const auto replies = prober.ask(prober.udp("dst", 50000, 9, family));
      CHECK(only_error(replies).from == network.address("r2", family));
      CHECK(replies[0].kind() == kind);
      CHECK(only_error(replies).quote.ttl == 8);
      CHECK(only_error(replies).mtu == (kind == ReplyKind::fragmentation_needed ? 1280u : 0u));
    }
    // What expires there has not been forwarded.
    CHECK(prober.ask(prober.udp("dst", 50000, 2)).at(0).kind() == ReplyKind::time_exceeded);
  }
  SimulatedNetwork hole(chain("black_hole = true"), seed);
  Prober prober(hole);
  CHECK(prober.ask(prober.udp("dst", 50000, 9)).empty());
  CHECK(prober.ask(prober.udp("dst", 50000, 2)).size() == 1);
  CHECK(hole.counts_of("r2").filtered == 1);
}

TEST_CASE("hidden routers are no hops", "[router]") {
  const Seed seed(10);
  SimulatedNetwork network(chain("hidden = true"), seed);
  Prober prober(network);
  CHECK(prober.responder(prober.udp("dst", 50000, 2)) == network.address("r3"));
  const auto replies = prober.ask(prober.udp("dst", 50000, 3));
  CHECK(replies.at(0).from() == network.address("dst"));
  CHECK(only_error(replies).reply_ttl == 62);  // 64 less r3 and r1
}

TEST_CASE("a rewritten DSCP is seen in the quotes behind it", "[router]") {
  const Seed seed(11);
  SimulatedNetwork network(chain("dscp = 46"), seed);
  Prober prober(network);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    packet::ProbeDatagram sent = prober.udp("dst", 50000, 2, family);
    sent.dscp = 10;
    CHECK(only_error(prober.ask(sent)).quote.traffic_class == 40);
    sent.ttl = 3;
    CHECK(only_error(prober.ask(sent)).quote.traffic_class == 46 << 2);
    sent.ttl = 4;
    CHECK(only_error(prober.ask(sent)).from == network.address("dst", family));
  }
}

TEST_CASE("nobody's address is answered by the first router", "[router]") {
  const Seed seed(12);
  SimulatedNetwork network(chain(""), seed);
  Prober prober(network);
  const auto replies = prober.ask(prober.probe(Protocol::udp, *IpAddress::parse("203.0.113.99"), 50000, 9));
  CHECK(replies.at(0).kind() == ReplyKind::net_unreachable);
  CHECK(replies[0].from() == network.address("r1"));
}

TEST_CASE("translators hide the source from what is behind them and restore it in what comes back", "[router][nat]") {
  const Seed seed(13);
  for (const std::string quote : {"restored", "checksum_left", "untouched"}) {
    CAPTURE(quote);
    SimulatedNetwork network(chain("nat = { addresses = [\"203.0.113.1\", \"2001:db8:203::1\"], port_offset = 7000, "
                                   "quote = \"" +
                                   quote + "\" }"),
                             seed);
    Prober prober(network);
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
        CAPTURE(static_cast<int>(family), static_cast<int>(protocol));
        auto sent = prober.probe(protocol, network.address("dst", family), 50000, 2);
        // Expired at the translator: not translated yet.
        CHECK(only_error(prober.ask(sent)).quote.tuple == sent.tuple);

        sent.ttl = 3;
        auto replies = prober.ask(sent);
        const packet::IcmpError& error = only_error(replies);
        CHECK(error.to == network.address("agent", family));
        FiveTuple seen = sent.tuple;
        if (quote == "untouched") {
          seen.source = *IpAddress::parse(family == Family::ipv4 ? "203.0.113.1" : "2001:db8:203::1");
          seen.source_port = 57000;
        }
        CHECK(error.quote.tuple == seen);
        if (protocol != Protocol::tcp) CHECK((error.quote.checksum == sent.checksum) == (quote == "restored"));

        // The destination checks the checksum, so it is right behind the translator.
        sent.ttl = 4;
        replies = prober.ask(sent);
        REQUIRE(replies.size() == 1);
        CHECK(replies[0].from() == network.address("dst", family));
        CHECK(network.counts_of("dst").bad_checksum == 0);
        if (protocol == Protocol::tcp) {
          CHECK(replies[0].tcp()->destination_port == 50000);
          CHECK(replies[0].tcp()->to == network.address("agent", family));
        }
        if (protocol == Protocol::icmp) CHECK(replies[0].echo()->identifier == 50000);
        if (protocol == Protocol::udp) CHECK(replies[0].kind() == ReplyKind::port_unreachable);
      }
    }
  }
}
