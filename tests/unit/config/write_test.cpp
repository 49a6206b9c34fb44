#include "config/write.hpp"

#include <fstream>
#include <iterator>

#include "base/url.hpp"
#include "config/changes.hpp"
#include "parsing.hpp"

using namespace ecmp::config;

namespace {

std::string read(const std::string& name) {
  std::ifstream file(ECMP_SOURCE_DIR "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Whether a configuration that was written is the same once it is read again.
void check_round_trip(const std::string& text) {
  const Config config = must_parse(text);
  const Config again = must_parse(to_toml(config));
  CHECK(again.destinations == config.destinations);
  const Changes changes = plan_changes(config, again);
  CHECK_FALSE(changes.any());
  CHECK(changes.need_restart.empty());
  CHECK(again.discovery.files == config.discovery.files);
  // What may be a secret is not written.
  REQUIRE(again.discovery.http.size() == config.discovery.http.size());
  for (std::size_t i = 0; i < again.discovery.http.size(); ++i)
    CHECK(again.discovery.http[i].url == ecmp::masked_url(config.discovery.http[i].url));
  CHECK(again.shard == config.shard);
  CHECK(again.reflector == config.reflector);
  CHECK(again.mesh == config.mesh);
  CHECK(again.mesh_peers == config.mesh_peers);
}

}  // namespace

TEST_CASE("a configuration that is written and read again is the same", "[config][write]") {
  check_round_trip("");
  for (const char* name : {"tests/golden/config/good.toml", "configs/ecmp_exporter.toml", "configs/quickstart.toml"}) {
    CAPTURE(name);
    check_round_trip(read(name));
  }
  check_round_trip("[mesh]\nfrom_discovery = true\n");
  check_round_trip(R"([probe]
flows = 4
[reflector]
listen_addresses = ["192.0.2.1:10900"]
allow = ["198.51.100.0/24"]
[mesh]
peers = ["192.0.2.7", "2001:db8::7", "a.example"]
groups = ["agents.example"]
from_discovery = true
port = 10900
packet_interval = "200ms"
key_file = "mesh.key"
dscp = 10
)");
  check_round_trip(R"([web]
listen_addresses = [":1", "[::1]:2"]
[limits]
probes_per_second = 0.125
probes_per_second_per_responder = 1e9
max_destinations = 7
[window]
duration = "90s"
[histograms]
format = "native"
hops = "off"
rtt_buckets = [1e-9, 1, 1e300]
[history]
memory = "65537B"
directory = "/var/lib/ecmp_exporter"
retention = "49h"
max_size = "17MiB"
rollup_retention = "31d"
rollup_max_size = "18MiB"
[dns]
names = false
refresh = "36h"
[discovery]
files = ["a\"\\\u00e9/*.toml"]
http = ["http://127.0.0.1/x", "https://user@h/"]
refresh_interval = "1m1ms"
timeout = "100ms"
[shard]
index = 2
count = 3
[reflector]
listen_addresses = ["192.0.2.1:862", "[::1]:10862"]
allow = ["192.0.2.0/24", "2001:db8::/32"]
key_file = "/etc/key \"x\""
packets_per_second_per_source = 0.5
max_sessions = 9
[probe]
protocol = "icmp"
[[destination]]
name = "tab\u0020 \"quoted\" \\ \u00e9"
host = "x.example"
all = true
labels = { a = "line\nbreak \u202e \u001b", b = "" }
[[destination]]
host = "2001:db8::1"
protocol = "tcp"
port = 33434
flows = 1
source_port = 7
source_address = "2001:db8::2"
interval = "10500us"
timeout = "1ms"
max_ttl = 255
packet_size = 9000
dscp = 63
confirm_rounds = 100
expected_paths = 16
[[destination]]
host = "192.0.2.1"
interface = "eth0"
protocol = "udp"
port = 443
source_ports = "49152-65535"
)");
}

TEST_CASE("secrets are masked where the running configuration is told", "[config][write]") {
  const std::string told = to_toml(must_parse("[discovery]\nhttp = [\"https://user:hunter2@h.example/a?b\"]\n"));
  CHECK(told.find("hunter2") == std::string::npos);
  CHECK(told.find("\"https://<secret>@h.example/<secret>\"") != std::string::npos);
  const std::string logins = to_toml(
      must_parse("[discovery]\nhttp = [{ url = \"https://h.example/\", username = \"ann\", password_file = \"p\" }, "
                 "{ url = \"https://i.example/\", bearer_token_file = \"/t\" }]\n"));
  CHECK(logins.find("http = [{ url = \"https://h.example/\", username = \"<secret>\", password_file = \"p\" }, "
                    "{ url = \"https://i.example/\", bearer_token_file = \"/t\" }]") != std::string::npos);
}

TEST_CASE("each destination is told with where it stands", "[config][write]") {
  const std::string told = to_toml(must_parse("\n[[destination]]\nhost = \"192.0.2.1\"\n"));
  CHECK(told.find("\n# test.toml:2:1\n[[destination]]\nname = \"192.0.2.1\"\nhost = \"192.0.2.1\"\n") !=
        std::string::npos);
}
