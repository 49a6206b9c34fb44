#include "parsing.hpp"

using namespace ecmp;
using namespace ecmp::config;
using namespace std::chrono_literals;

namespace {

bool inside(const char* network, const char* address) {
  const auto parsed = Network::parse(network);
  REQUIRE(parsed);
  return parsed->contains(*IpAddress::parse(address));
}

}  // namespace

TEST_CASE("a network holds the addresses of its prefix and family", "[config]") {
  CHECK(inside("192.0.2.0/24", "192.0.2.0"));
  CHECK(inside("192.0.2.0/24", "192.0.2.255"));
  CHECK_FALSE(inside("192.0.2.0/24", "192.0.3.0"));
  CHECK(inside("192.0.2.128/25", "192.0.2.129"));
  CHECK_FALSE(inside("192.0.2.128/25", "192.0.2.127"));
  CHECK(inside("192.0.2.7", "192.0.2.7"));
  CHECK_FALSE(inside("192.0.2.7", "192.0.2.6"));
  CHECK(inside("0.0.0.0/0", "203.0.113.9"));
  CHECK_FALSE(inside("0.0.0.0/0", "2001:db8::1"));
  CHECK_FALSE(inside("::/0", "192.0.2.1"));
  CHECK(inside("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK_FALSE(inside("2001:db8::/33", "2001:db8:8000::1"));
  CHECK(inside("2001:db8::1/128", "2001:db8::1"));
}

TEST_CASE("what is no network is not taken for one", "[config]") {
  for (const char* const text : {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/ 8",
                                 "10.1.2.3/8", "10.0.0.0/8/8", "2001:db8::/129", "2001:db8::1/32", "example.net",
                                 "10.0.0/8", "10.0.0.0/0", "10.0.0.0/999999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(Network::parse(text));
  }
  CHECK(Network::parse("2001:db8::/32")->to_string() == "2001:db8::/32");
}

TEST_CASE("modules inherit from [probe], and have a shorter interval unless they say otherwise", "[config]") {
  const Config config = must_parse(R"(
    [probe]
    flows = 8
    timeout = "1s"
    [modules.plain]
    [modules."tcp-443"]
    protocol = "tcp"
    flows = 4
    rounds = 5
    interval = "2s"
    [one_off]
    allowed_networks = ["192.0.2.0/24", "2001:db8::/32"]
    requests_per_second = 0.5
    burst = 3
    max_concurrent = 2
    timeout = "20s"
    timeout_offset = "1s"
    [[destination]]
    host = "192.0.2.1"
  )");
  REQUIRE(config.modules.size() == 2);
  const Module& plain = config.modules[0];
  CHECK(plain.name == "plain");
  CHECK(plain.rounds == 3);
  CHECK(plain.probe.flows == 8);
  CHECK(plain.probe.timeout == 1s);
  CHECK(plain.probe.interval == 1s);
  CHECK(plain.probe.host.empty());
  CHECK(plain.probe.family == FamilyChoice::any);
  const Module& tcp = config.modules[1];
  CHECK(tcp.name == "tcp-443");
  CHECK(tcp.rounds == 5);
  CHECK(tcp.probe.protocol == Protocol::tcp);
  CHECK(tcp.probe.port == 443);
  CHECK(tcp.probe.interval == 2s);
  const OneOffLimits& limits = config.one_off;
  CHECK(limits.allowed_networks.size() == 2);
  CHECK(limits.requests_per_second == 0.5);
  CHECK(limits.burst == 3);
  CHECK(limits.max_concurrent == 2);
  CHECK(limits.timeout == 20s);
  CHECK(limits.timeout_offset == 1s);
  CHECK(config.destinations.size() == 1);
}

TEST_CASE("what is wrong with modules is told where it stands", "[config]") {
  CHECK(problems_of("[modules.a]\n") ==
        "test.toml:1:2: [modules] without allowed_networks of [one_off]: say which addresses may be traced\n");
  const std::string allowed = "[one_off]\nallowed_networks = [\"0.0.0.0/0\"]\n";
  CHECK(problems_of(allowed).empty());
  CHECK(problems_of(allowed + "[modules.a]\nhost = \"192.0.2.1\"\n") ==
        "test.toml:4:1: host: not for a module, whose destination is named by the request\n");
  CHECK(problems_of(allowed + "[modules.a]\nrounds = 0\n") ==
        "test.toml:4:10: rounds = 0: expected a whole number from 1 to 100\n");
  CHECK(problems_of(allowed + "[modules.\"a b\"]\n").find("expected a name of at most 64 letters") !=
        std::string::npos);
  CHECK(problems_of(allowed + "[modules]\na = 1\n").find("expected a table: [modules.NAME]") != std::string::npos);
  CHECK(problems_of(allowed + "[modules.a]\nflow = 2\n").find("\"flow\"") != std::string::npos);
  CHECK(problems_of(allowed + "[modules.a]\nprotocol = \"icmp\"\nport = 4\n").find("ICMP has no ports") !=
        std::string::npos);
  CHECK(problems_of("[one_off]\nallowed_networks = [\"10.1.0.0/8\"]\n").find("without bits behind the prefix") !=
        std::string::npos);
  CHECK(problems_of("[one_off]\nmax_concurrent = 65\n").find("from 1 to 64") != std::string::npos);
}
