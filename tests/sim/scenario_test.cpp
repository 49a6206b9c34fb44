// The words of scenario files.
#include <algorithm>
#include <filesystem>

#include "sim/prober.hpp"
#include "sim/scenario_files.hpp"
#include "sim/seed.hpp"
#include "sim/wires.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string error_of(std::string_view text) {
  const auto scenario = parse_scenario(text, "file");
  return scenario ? "" : scenario.error();
}

}  // namespace

TEST_CASE("cables are drawn as they are", "[scenario]") {
  CHECK(*parse_wires("a-b - c") == Pairs{{"a", "b"}, {"b", "c"}});
  CHECK(*parse_wires("a - (b1..b3) - c") ==
        Pairs{{"a", "b1"}, {"a", "b2"}, {"a", "b3"}, {"b1", "c"}, {"b2", "c"}, {"b3", "c"}});
  CHECK(*parse_wires("(a1 a2) = (b1 b2)") == Pairs{{"a1", "b1"}, {"a2", "b2"}});
  for (const std::string_view wrong : {"", "a", "a -", "- a", "a b", "a - (b", "a - b)", "a - ((b) c)", "a - (b - c)",
                                       "a - () - b", "(a b) = (c)", "a - b1..c3", "a - b3..b1", "a - b1..b99999",
                                       "a - 1b", "a - b!", "a (b)", "a - b1..b", "a - b1..b99999999999"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_wires(wrong));
  }
}

TEST_CASE("every scenario can be read, says what it is, and leads somewhere", "[scenario]") {
  const Seed seed(70);
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ECMP_SCENARIOS)) {
    if (entry.path().extension() != ".toml") continue;
    CAPTURE(entry.path().string());
    ++count;
    const Scenario scenario = load_scenario(entry.path().stem().string());
    CHECK_FALSE(scenario.about.empty());
    SimulatedNetwork network(scenario, seed);
    Prober prober(network);
    std::size_t answers = 0;
    for (const NodeId destination : network.topology().destinations) {
      for (const Family family : {Family::ipv4, Family::ipv6}) {
        const IpAddress& address = network.topology().nodes[destination].addresses.of(family);
        if (address.is_unspecified()) continue;
        for (std::uint16_t port = 50000; port < 50016; ++port)
          answers += prober.ask(prober.probe(Protocol::udp, address, port, 30), 1s).size();
      }
    }
    CHECK(answers > 0);
  }
  CHECK(count >= 18);
  CHECK_THROWS_AS(load_scenario("no_such_thing"), std::runtime_error);
}

TEST_CASE("what is wrong in a scenario is told with its place", "[scenario]") {
  const std::string head = "wires = [\"agent - r1 - dst\"]\n[destination.dst]\n";
  CHECK(error_of(head) == "");
  CHECK(error_of("wires = [\"agent - r1 - dst\"]\n") == "file:1:1: \"destination\" is missing");
  CHECK(error_of("wires = [1]\n[destination.d]\n") == "file:1:10: a string is expected here");
  CHECK(error_of("wires = [\"agent - dst -\"]\n[destination.dst]\n") ==
        "file:1:10: a name or a group is missing beside a sign");
  CHECK(error_of("wires = [\"agent - dst\", \"agent - dst\"]\n[destination.dst]\n") ==
        "file:1:25: agent-dst is there already");
  CHECK(error_of(head + "[destination.other]\n") == "file:3:14: destination \"other\" is not wired");
  CHECK(error_of(head + "speed = 1\n") == "file:3:1: unknown key \"speed\"");
  CHECK(error_of(head + "[router.r9]\n") == "file:3:9: no router \"r9\" is wired");
  CHECK(error_of(head + "[router.dst]\n") == "file:3:9: no router \"dst\" is wired");
  CHECK(error_of(head + "[router.r1]\nhash = \"l5\"\n") ==
        "file:4:8: \"l5\" is none of l4, l3, flow_label, per_packet");
  CHECK(error_of(head + "[router.r1]\ndrop = \"110%\"\n") ==
        "file:4:8: \"110%\" is no probability (as \"10%\" or 0.1)");
  CHECK(error_of(head + "[router.r1]\ndrop = -1\n") == "file:4:8: a number of 0 to 1 is expected here");
  CHECK(error_of(head + "[router.r1]\nquote = 7\n") == "file:4:9: a whole number of 8 to 1500 is expected here");
  CHECK(error_of(head + "[router.r1]\nicmp_limit = { burst = 1 }\n") == "file:4:14: \"rate\" is missing");
  CHECK(error_of(head + "[router.r1]\naddresses = [\"1.2.3\"]\n") == "file:4:14: \"1.2.3\" is no address");
  CHECK(error_of(head + "[router.r1]\naddresses = [\"10.0.0.0/8\"]\n") ==
        "file:4:14: only a destination can have a prefix of addresses");
  CHECK(error_of(head + "[link.\"r1-r2\"]\n") == "file:3:7: no link \"r1-r2\" is wired");
  CHECK(error_of(head + "[link.r1]\n") == "file:3:7: a link is named \"from-to\", or \"*\" for all");
  CHECK(error_of(head + "[link.\"r1-dst\"]\ndelay = \"5 parsecs\"\n") ==
        "file:4:9: \"5 parsecs\" is no duration (as 250us, 1.5ms, 30s, 2h)");
  CHECK(error_of(head + "[link.\"r1-dst\"]\njitter = \"cauchy 1ms\"\n").starts_with("file:4:10: "));
  CHECK(error_of(head + "[[route]]\nat = \"r1\"\nvia = [\"agent\", \"nobody\"]\n") ==
        "file:5:17: no node \"nobody\" is wired");
  CHECK(error_of(head + "[[route]]\nat = \"r1\"\nto = \"agent\"\nvia = [\"dst\"]\n") ==
        "file:5:6: a route leads to a destination");
  CHECK(error_of(head + "[[route]]\nat = \"r1\"\nvia = [\"dst\"]\nweights = [1, 2]\n") ==
        "file:6:11: as many weights as next hops are expected");
  CHECK(error_of(head + "[[change]]\nat = \"1s\"\n").starts_with("file:3:1: a change names "));
  CHECK(error_of(head + "[[change]]\nat = \"1s\"\nsend_error = \"no_buffers\"\n") ==
        "file:5:14: \"send_error\" needs \"for\"");
  CHECK(error_of("wires = [\n").starts_with("file:"));
}

TEST_CASE("special tables have the last word over general ones, wherever they stand", "[scenario]") {
  const auto scenario = parse_scenario(R"(
    wires = ["agent - r1 - (b1 b2) - dst"]
    [link."r1-b1"]
    delay = "3ms"
    [link."r1-b*"]
    delay = "2ms"
    return = { delay = "9ms" }
    [link."*"]
    delay = "1ms"
    jitter = "normal 10us"
    [router.b1]
    silent = false
    [router."*"]
    silent = true
    reply_ttl = 200
    [destination.dst]
    addresses = ["198.18.0.0/15"]
  )",
                                       "file");
  REQUIRE(scenario);
  Topology topology = scenario->topology;
  CHECK(topology.link("r1", "b1").delay.fixed == 3ms);
  CHECK(topology.link("b1", "r1").delay.fixed == 3ms);
  CHECK(topology.link("r1", "b2").delay.fixed == 2ms);
  CHECK(topology.link("b2", "r1").delay.fixed == 9ms);
  CHECK(topology.link("b2", "dst").delay.fixed == 1ms);
  CHECK(topology.link("r1", "b1").delay.shape == JitterShape::normal);
  CHECK_FALSE(topology.node("b1").silent);
  CHECK(topology.node("b1").reply_ttl == 200);
  CHECK(topology.node("b2").silent);
  topology.compute_routes();
  CHECK(topology.owner(*IpAddress::parse("198.19.255.255")) == topology.node_id("dst"));
  CHECK(topology.owner(*IpAddress::parse("198.20.0.0")) == kNone);
}
