#include <fstream>
#include <iterator>
#include <regex>

#include "parsing.hpp"

using ecmp::config::Config;
using ecmp::config::must_parse;

namespace {

std::string read(const std::string& name) {
  std::ifstream file(ECMP_SOURCE_DIR "/configs/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void check_same(const Config& a, const Config& b) {
  CHECK(a.listen_addresses == b.listen_addresses);
  CHECK(a.web_config_file == b.web_config_file);
  CHECK(a.web == b.web);
  CHECK(a.limits.probes_per_second == b.limits.probes_per_second);
  CHECK(a.limits.probes_per_second_per_responder == b.limits.probes_per_second_per_responder);
  CHECK(a.limits.adapt_to_responders == b.limits.adapt_to_responders);
  CHECK(a.limits.max_destinations == b.limits.max_destinations);
  CHECK(a.limits.max_flows_per_destination == b.limits.max_flows_per_destination);
  CHECK(a.limits.max_paths_per_destination == b.limits.max_paths_per_destination);
  CHECK(a.limits.max_series == b.limits.max_series);
  CHECK(a.window == b.window);
  CHECK(a.histograms == b.histograms);
  CHECK(a.history_memory == b.history_memory);
  CHECK(a.history_disk == b.history_disk);
  CHECK(a.dns.names == b.dns.names);
  CHECK(a.dns.refresh == b.dns.refresh);
  CHECK(a.modules == b.modules);
  CHECK(a.one_off == b.one_off);
  CHECK(a.discovery == b.discovery);
  CHECK(a.shard == b.shard);
  CHECK(a.reflector == b.reflector);
  CHECK(a.mesh == b.mesh);
}

}  // namespace

TEST_CASE("the quickstart configuration is good", "[config]") {
  const Config config = must_parse(read("quickstart.toml"));
  CHECK_FALSE(config.destinations.empty());
}

TEST_CASE("the configuration of a mesh is good, as it is and with what is left out in it", "[config][mesh]") {
  const std::string text = read("mesh.toml");
  CHECK(must_parse(text).mesh_peers.size() == 3);
  const std::string all = std::regex_replace(text, std::regex("(^|\n)#(\\[|[a-z_]+ = )"), "$1$2");
  REQUIRE(all != text);
  const Config config = must_parse(all);
  CHECK(config.mesh.probe.key_file == "mesh.key");
  CHECK_FALSE(config.metrics.hops);
  CHECK(config.mesh_peers.front().flows == ecmp::config::Destination().flows);
}

// In configs/ecmp_exporter.toml each key stands as "#key = value", with its default: a user takes the '#' away to
// change it. So the file as it is, and the file with every '#' taken away, must both mean the defaults.
TEST_CASE("the reference configuration shows every key with its default", "[config]") {
  const std::string text = read("ecmp_exporter.toml");
  const std::string uncommented = std::regex_replace(text, std::regex("(^|\n)#([a-z_]+ = )"), "$1$2");
  REQUIRE(uncommented != text);

  const Config shown = must_parse(uncommented);
  check_same(shown, Config{});
  check_same(must_parse(text), Config{});
  REQUIRE(shown.destinations.size() == 1);
  ecmp::config::Destination expected;
  expected.name = shown.destinations.front().name;
  expected.host = shown.destinations.front().host;
  expected.address = shown.destinations.front().address;
  expected.labels = shown.destinations.front().labels;
  CHECK(shown.destinations.front() == expected);
  CHECK(must_parse(text).destinations == shown.destinations);

  for (const char* key : {"listen_addresses",
                          "config_file",
                          "protocol",
                          "family",
                          "port",
                          "flows",
                          "source_ports",
                          "source_address",
                          "interface",
                          "fwmark",
                          "interval",
                          "timeout",
                          "max_ttl",
                          "packet_size",
                          "dscp",
                          "confirm_rounds",
                          "expected_paths",
                          "probes_per_second",
                          "probes_per_second_per_responder",
                          "adapt_to_responders",
                          "max_destinations",
                          "max_flows_per_destination",
                          "max_paths_per_destination",
                          "max_series",
                          "allowed_networks",
                          "requests_per_second",
                          "burst",
                          "max_concurrent",
                          "timeout_offset",
                          "duration",
                          "format",
                          "rtt_buckets",
                          "jitter_buckets",
                          "loss_buckets",
                          "hops",
                          "hop_windows",
                          "path_windows",
                          "links",
                          "memory",
                          "directory",
                          "retention",
                          "names",
                          "refresh",
                          "name",
                          "host",
                          "all",
                          "labels",
                          "files",
                          "http",
                          "refresh_interval",
                          "timeout",
                          "index",
                          "count",
                          "peers",
                          "groups",
                          "from_discovery"}) {
    CAPTURE(key);
    CHECK(uncommented.find("\n" + std::string(key) + " = ") != std::string::npos);
  }
}
