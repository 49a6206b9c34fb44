#include "config/config.hpp"

#include "config/write.hpp"
#include "parsing.hpp"

using namespace std::chrono_literals;
using ecmp::IpAddress;
using ecmp::Protocol;
using ecmp::config::Config;
using ecmp::config::Destination;
using ecmp::config::FamilyChoice;
using ecmp::config::HistogramForm;
using ecmp::config::must_parse;
using ecmp::config::problems_of;

namespace {

Destination only_destination(std::string_view text) {
  const Config config = must_parse(text);
  REQUIRE(config.destinations.size() == 1);
  return config.destinations.front();
}

// The example of the interface document, but for the bucket lists and the features that are not there yet.
constexpr const char* kExample = R"(
[web]
listen_addresses = [":10815"]
config_file = ""                      # TLS and basic auth, exporter-toolkit's YAML schema

[probe]                               # defaults of every destination
protocol = "udp"                      # udp | tcp | icmp
family = "any"                        # any | ipv4 | ipv6
port = 33434                          # udp 33434, tcp 443 if left out
flows = 16                            # a number, or "auto"
source_ports = "32768-49151"          # flows take ports spread pseudo-randomly over this range
source_address = ""                   # or interface = "eth0"
interval = "10s"                      # one round of every flow
timeout = "2s"
max_ttl = 30
packet_size = 60                      # IP length in bytes, the same for every probe of a destination
dscp = 0
confirm_rounds = 2

[limits]
probes_per_second = 50000
probes_per_second_per_responder = 500
max_destinations = 10000
max_flows_per_destination = 512
max_paths_per_destination = 128
max_series = 500000

[window]
duration = "5m"

[histograms]                          # seconds; loss as ratio
format = "both"                       # classic | native | both
hops = "auto"                         # native for a scraper that takes protobuf, else classic | ... | off

[history]
memory = "64MiB"                      # recent rounds kept for /paths
directory = ""                        # not empty: they survive a restart
retention = "24h"

[dns]
names = true                          # reverse names of responders
refresh = "ttl"                       # or a duration

[[destination]]
name = "fra-edge"                     # default: host
host = "192.0.2.1"                    # address or name; all = true traces every address of the name
labels = { site = "fra" }
# and any key of [probe]
)";

}  // namespace

TEST_CASE("the example of the interface is a good configuration", "[config]") {
  const Config config = must_parse(kExample);
  CHECK(config.listen_addresses == std::vector<std::string>{":10815"});
  CHECK(config.limits.probes_per_second == 50000);
  CHECK(config.limits.max_series == 500000);
  CHECK(config.window == 5min);
  CHECK(config.history_memory == 64u << 20);
  CHECK(config.dns.names);
  CHECK_FALSE(config.dns.refresh);

  REQUIRE(config.destinations.size() == 1);
  Destination expected;  // every value of the example is the default
  expected.name = "fra-edge";
  expected.host = "192.0.2.1";
  expected.address = IpAddress::parse("192.0.2.1");
  expected.labels = {{"site", "fra"}};
  CHECK(config.destinations.front() == expected);
}

TEST_CASE("an empty configuration has every default", "[config]") {
  const Config config = must_parse("");
  CHECK(config.listen_addresses == Config{}.listen_addresses);
  CHECK(config.destinations.empty());
}

TEST_CASE("a byte order mark and Windows line ends do no harm", "[config]") {
  CHECK(only_destination("\xef\xbb\xbf[[destination]]\r\nhost = \"192.0.2.1\"\r\n").host == "192.0.2.1");
}

TEST_CASE("a destination takes what it does not say from [probe]", "[config]") {
  const Destination destination = only_destination(R"(
[probe]
protocol = "tcp"
family = "ipv6"
port = 8443
flows = 4
source_port = 20000
source_address = "2001:db8::1"
interval = "1m30s"
timeout = "500ms"
max_ttl = 12
packet_size = 1280
dscp = 46
confirm_rounds = 3
expected_paths = 16
[[destination]]
host = "edge.example.net"
flows = 8
)");
  CHECK(destination.name == "edge.example.net");
  CHECK_FALSE(destination.address);
  CHECK(destination.protocol == Protocol::tcp);
  CHECK(destination.family == FamilyChoice::ipv6);
  CHECK(destination.port == 8443);
  CHECK(destination.flows == 8);
  CHECK(destination.source_port == std::uint16_t{20000});
  CHECK(destination.source_address == IpAddress::parse("2001:db8::1"));
  CHECK(destination.interval == 90s);
  CHECK(destination.timeout == 500ms);
  CHECK(destination.max_ttl == 12);
  CHECK(destination.packet_size == 1280);
  CHECK(destination.dscp == 46);
  CHECK(destination.confirm_rounds == 3);
  CHECK(destination.expected_paths == 16);
}

TEST_CASE("the port follows the protocol unless it is set", "[config]") {
  const auto port = [](const std::string& probe, const std::string& destination) {
    return only_destination("[probe]\n" + probe + "[[destination]]\nhost = \"192.0.2.1\"\n" + destination).port;
  };
  CHECK(port("", "") == 33434);
  CHECK(port("", "protocol = \"tcp\"\n") == 443);
  CHECK(port("protocol = \"tcp\"\n", "") == 443);
  CHECK(port("", "protocol = \"icmp\"\n") == 0);
  CHECK(port("port = 9\n", "protocol = \"icmp\"\n") == 0);
  CHECK(port("port = 9\n", "protocol = \"tcp\"\n") == 9);
  CHECK(port("port = 9\n", "port = 7\n") == 7);
}

TEST_CASE("the packet size of [probe] is raised to what a destination needs", "[config]") {
  const auto size = [](const std::string& probe, const std::string& destination) {
    return only_destination("[probe]\n" + probe + "[[destination]]\n" + destination).packet_size;
  };
  CHECK(size("", "host = \"192.0.2.1\"\n") == 60);
  CHECK(size("", "host = \"2001:db8::1\"\n") == 60);
  CHECK(size("", "host = \"2001:db8::1\"\nprotocol = \"tcp\"\n") == 80);
  CHECK(size("", "host = \"h.example\"\nfamily = \"ipv6\"\nprotocol = \"tcp\"\n") == 80);
  CHECK(size("packet_size = 38\n", "host = \"192.0.2.1\"\n") == 38);
  CHECK(size("packet_size = 38\n", "host = \"192.0.2.1\"\nprotocol = \"tcp\"\n") == 60);
  CHECK(size("packet_size = 38\n", "host = \"2001:db8::1\"\nprotocol = \"icmp\"\n") == 58);
  CHECK(size("packet_size = 9000\n", "host = \"2001:db8::1\"\nprotocol = \"tcp\"\n") == 9000);
}

TEST_CASE("source_address, interface and fwmark go together, and each replaces its own default", "[config]") {
  const Destination both = only_destination(
      "[probe]\nsource_address = \"192.0.2.9\"\nfwmark = 0x10\n[[destination]]\nhost = \"192.0.2.1\"\ninterface = "
      "\"eth0\"\nfwmark = 4294967295\n");
  CHECK(both.interface == "eth0");
  CHECK(both.source_address == IpAddress::parse("192.0.2.9"));
  CHECK(both.fwmark == 0xffffffff);
  CHECK(only_destination("[probe]\nfwmark = 0x10\n[[destination]]\nhost = \"192.0.2.1\"\n").fwmark == 16);

  const Destination by_neither = only_destination(
      "[probe]\nsource_address = \"192.0.2.9\"\n[[destination]]\nhost = \"192.0.2.1\"\nsource_address = \"\"\n");
  CHECK_FALSE(by_neither.source_address);
}

TEST_CASE("a source address narrows the family of a host name", "[config]") {
  CHECK(only_destination("[[destination]]\nhost = \"a.example\"\nsource_address = \"192.0.2.9\"\n").family ==
        FamilyChoice::ipv4);
  CHECK(only_destination("[[destination]]\nhost = \"a.example\"\nsource_address = \"2001:db8::9\"\n").family ==
        FamilyChoice::ipv6);
}

TEST_CASE("whoever sets source_port or source_ports does not inherit the other", "[config]") {
  constexpr const char* kSpread = "[probe]\nsource_ports = \"40000-41023\"\n[[destination]]\nhost = \"192.0.2.1\"\n";
  constexpr const char* kRow = "[probe]\nsource_port = 20000\n[[destination]]\nhost = \"192.0.2.1\"\n";
  CHECK(only_destination(kSpread).source_ports == ecmp::PortBlock{40000, 41023});
  CHECK_FALSE(only_destination(kSpread).source_port);
  CHECK(only_destination(std::string(kSpread) + "source_port = 7\n").source_port == std::uint16_t{7});
  CHECK(only_destination(kRow).source_port == std::uint16_t{20000});
  const Destination own = only_destination(std::string(kRow) + "source_ports = \"1-65535\"\n");
  CHECK_FALSE(own.source_port);
  CHECK(own.source_ports == ecmp::PortBlock{1, 65535});
  CHECK(only_destination("[[destination]]\nhost = \"192.0.2.1\"\n").source_ports == ecmp::PortBlock{32768, 49151});
}

TEST_CASE("a block of source ports that cannot be is reported with its place", "[config]") {
  constexpr const char* kExpected = ": expected a range of ports from 1 to 65535, such as \"32768-49151\"\n";
  for (const char* wrong : {"", "40000", "0-5", "5-4", "1-65536", "1-2-3", " 1-2", "1 - 2", "-", "a-b", "-1-5"}) {
    const std::string value = "\"" + std::string(wrong) + "\"";
    CHECK(problems_of("[probe]\nsource_ports = " + value + "\n[[destination]]\nhost = \"192.0.2.1\"\n") ==
          "test.toml:2:16: source_ports = " + value + kExpected);
  }
  CHECK(problems_of("[[destination]]\nhost = \"192.0.2.1\"\nsource_ports = \"40000-40014\"\n") ==
        "test.toml:3:16: source_ports = \"40000-40014\": 16 flows need as many source ports, and source_ports = "
        "\"40000-40014\" are 15\n");
  CHECK(problems_of("[probe]\nsource_ports = \"40000-40015\"\n[[destination]]\nhost = \"192.0.2.1\"\nflows = 17\n") ==
        "test.toml:5:9: flows = 17: 17 flows need as many source ports, and source_ports = \"40000-40015\" are 16\n");
  CHECK(problems_of("[probe]\nsource_ports = \"1-2000\"\nsource_port = 5\n[[destination]]\nhost = \"192.0.2.1\"\n") ==
        "test.toml:3:15: source_port = 5 and source_ports = \"1-2000\": only one of them can be set\n");
}

TEST_CASE("labels are sorted, and may hold any text", "[config]") {
  const Destination destination =
      only_destination("[[destination]]\nhost = \"192.0.2.1\"\n[destination.labels]\nz = \"1\"\na = \"K\xc3\xb6ln\"\n");
  CHECK(destination.labels == std::vector<std::pair<std::string, std::string>>{{"a", "K\xc3\xb6ln"}, {"z", "1"}});
}

TEST_CASE("flows of one host are kept apart by protocol, family or source ports", "[config]") {
  CHECK(problems_of(R"(
destination = [
  { name = "a", host = "192.0.2.1", flows = 16, source_port = 50000 },
  { name = "b", host = "192.0.2.1", flows = 16, source_port = 50016 },
  { name = "c", host = "192.0.2.1", protocol = "tcp" },
  { name = "d", host = "192.0.2.1", protocol = "icmp" },
  { name = "e", host = "h.example", family = "ipv4" },
  { name = "f", host = "h.example", family = "ipv6" },
]
)")
            .empty());
}

TEST_CASE("what of the history survives a restart is what the file says", "[config]") {
  CHECK(must_parse("").history_disk == ecmp::config::HistoryDisk{});
  const Config config = must_parse(
      "[history]\ndirectory = \"/var/lib/ecmp_exporter\"\nretention = \"48h\"\nmax_size = \"16MiB\"\n"
      "rollup_retention = \"7d\"\nrollup_max_size = \"32MiB\"\n");
  CHECK(config.history_disk.directory == "/var/lib/ecmp_exporter");
  CHECK(config.history_disk.retention == std::chrono::hours(48));
  CHECK(config.history_disk.max_size == 16u << 20);
  CHECK(config.history_disk.rollup_retention == std::chrono::hours(7 * 24));
  CHECK(config.history_disk.rollup_max_size == 32u << 20);
  CHECK(must_parse("").history_disk.rollup_retention == std::chrono::hours(30 * 24));
  CHECK(problems_of("[history]\ndirectory = \"\"\n").empty());
  for (const char* text : {"directory = \"history\"", "directory = \"/a\\nb\"", "max_size = \"1MiB\"",
                           "retention = \"1s\"", "rollup_retention = \"0s\"", "rollup_max_size = \"1MiB\""}) {
    CAPTURE(text);
    CHECK(problems_of(std::string("[history]\n") + text + "\n") != "");
  }
}

TEST_CASE("defaults of features that are not there yet are accepted", "[config]") {
  CHECK(problems_of("[discovery]\nfiles = []\nhttp = []\n").empty());
}

TEST_CASE("groups of metrics are switched one by one", "[config]") {
  using ecmp::config::MetricGroups;
  CHECK(must_parse("").metrics == MetricGroups{.hop_windows = false});
  CHECK(must_parse("[metrics]\nflows = false\n").metrics == MetricGroups{.flows = false});
  CHECK(must_parse("[metrics]\nhop_windows = true\nlinks = false\n").metrics ==
        MetricGroups{.hop_windows = true, .links = false});
  CHECK_FALSE(problems_of("[metrics]\npaths = false\n").empty());
}

TEST_CASE("the window and the histograms are what the file says", "[config]") {
  const Config config = must_parse(R"(
[window]
duration = "24h"

[histograms]
format = "native"
rtt_buckets = [0.1, 1, 10]
jitter_buckets = [0.001]
loss_buckets = [0.5]
hops = "off"
)");
  CHECK(config.window == 24h);
  CHECK(config.histograms.paths == HistogramForm::native);
  CHECK(config.histograms.hops == HistogramForm::off);
  CHECK(config.histograms.rtt == std::vector<double>{0.1, 1, 10});
  CHECK(config.histograms.jitter == std::vector<double>{0.001});
  CHECK(config.histograms.loss == std::vector<double>{0.5});
  CHECK(must_parse("").histograms.hops == HistogramForm::automatic);
  CHECK(must_parse("[histograms]\nhops = \"auto\"\n").histograms.hops == HistogramForm::automatic);
  CHECK_FALSE(problems_of("[histograms]\nformat = \"auto\"\n").empty());
  CHECK(must_parse("[window]\nduration = \"10s\"\n").window == 10s);
  CHECK_FALSE(problems_of("[window]\nduration = \"9s\"\n").empty());
  CHECK_FALSE(problems_of("[histograms]\nformat = \"off\"\n").empty());
}

TEST_CASE("any whole or broken number will do for a rate", "[config]") {
  CHECK(must_parse("[limits]\nprobes_per_second = 0.5\n").limits.probes_per_second == 0.5);
  CHECK(must_parse("[limits]\nprobes_per_second = 7\n").limits.probes_per_second == 7);
}

TEST_CASE("a hopeless file tells its first thousand problems", "[config]") {
  std::string text;
  for (int i = 0; i < 5000; ++i)
    text += "unknown" + std::to_string(i) + " = 1\n";
  const auto outcome = ecmp::config::parse(text, "test.toml");
  const auto& problems = std::get<std::vector<ecmp::config::Problem>>(outcome);
  REQUIRE(problems.size() == 1001);
  CHECK(problems.back().message == "... and more: 4000 problems are not listed");
}

TEST_CASE("flows that are found by themselves have terms of their own", "[config]") {
  const auto config = must_parse(R"(
[probe]
flows = "auto"
confidence = 0.99
[limits]
max_flows_per_destination = 300
[[destination]]
host = "192.0.2.1"
[[destination]]
host = "192.0.2.2"
max_flows = 100
confidence = 0.9
p_min = 0.05
min_flows_per_path = 1
rediscover = "10m"
[[destination]]
host = "192.0.2.3"
flows = 8
)");
  const auto& destinations = config.destinations;
  CHECK(destinations[0].flows == 300);
  REQUIRE(destinations[0].auto_flows);
  CHECK(*destinations[0].auto_flows == ecmp::config::AutoFlows{.confidence = 0.99});
  CHECK(destinations[1].flows == 100);
  REQUIRE(destinations[1].auto_flows);
  CHECK(*destinations[1].auto_flows ==
        ecmp::config::AutoFlows{
            .confidence = 0.9, .p_min = 0.05, .min_flows_per_path = 1, .rediscover = std::chrono::minutes(10)});
  CHECK(destinations[2].flows == 8);
  CHECK_FALSE(destinations[2].auto_flows);
  // Written and read again it is the same.
  CHECK(must_parse(ecmp::config::to_toml(config).c_str()).destinations == destinations);
}

TEST_CASE("STAMP is UDP with streams, with a port and sizes of its own", "[config]") {
  const auto only = [](const std::string& keys) {
    return must_parse("[[destination]]\nhost = \"192.0.2.1\"\nprotocol = \"stamp\"\n" + keys).destinations.at(0);
  };
  const Destination usual = only("");
  CHECK(usual.stamp);
  CHECK(usual.protocol == ecmp::Protocol::udp);
  CHECK(usual.port == 862);  // RFC 8762 section 4.1
  CHECK(usual.packet_interval == 1s);
  CHECK(usual.packet_size == 88);
  CHECK(only("packet_size = 124\n").packet_size == 124);
  CHECK(only("key_file = \"stamp.key\"\n").packet_size == 156);
  CHECK(only("port = 10862\n").port == 10862);
  CHECK(only("packet_interval = \"50ms\"\n").packet_interval == 50ms);
  CHECK_FALSE(
      must_parse("[probe]\nprotocol = \"stamp\"\npacket_interval = \"2s\"\n[[destination]]\nhost = \"192.0.2.1\"\n"
                 "protocol = \"udp\"\n")
          .destinations.at(0)
          .stamp);
  CHECK_FALSE(problems_of("[[destination]]\nhost = \"192.0.2.1\"\npacket_interval = \"2s\"\n").empty());
  CHECK_FALSE(problems_of("[[destination]]\nhost = \"192.0.2.1\"\nprotocol = \"stamp\"\npacket_size = 87\n").empty());
}
