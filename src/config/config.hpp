#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/family_choice.hpp"
#include "base/histogram_settings.hpp"
#include "base/ip_address.hpp"
#include "base/listen_address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "config/networks.hpp"
#include "packet/five_tuple.hpp"
#include "packet/source_ports.hpp"

namespace ecmp::config {

using ecmp::FamilyChoice;

/// How the flows of a destination with `flows = "auto"` are chosen.
struct AutoFlows {
  double confidence = 0.95;              ///< that all paths are found
  double p_min = 0;                      ///< least share of a branch; 0: all branches of a router have the same
  std::uint32_t min_flows_per_path = 2;  ///< kept, where there are so many
  Duration rediscover = std::chrono::hours(1);

  friend bool operator==(const AutoFlows&, const AutoFlows&) = default;
};

/// One destination with every [probe] default filled in.
struct Destination {
  std::string name;
  std::string host;                  ///< an address or a name
  std::optional<IpAddress> address;  ///< set when host is an address
  bool all = false;                  ///< trace every address of the name, each as a destination "name/address"
  std::vector<std::pair<std::string, std::string>> labels;  ///< sorted by name

  Protocol protocol{};
  FamilyChoice family = FamilyChoice::any;
  std::uint16_t port = 33434;                ///< 0 for ICMP
  std::uint16_t flows = 16;                  ///< with `auto_flows` the most that are asked for paths: max_flows
  std::optional<AutoFlows> auto_flows;       ///< `flows = "auto"`
  std::optional<std::uint16_t> source_port;  ///< set: flow i has source_port + i
  PortBlock source_ports;                    ///< else flows take ports of this block, see PortOrder
  std::optional<IpAddress> source_address;
  std::string interface;
  std::uint32_t fwmark = 0;  ///< routes are those of packets with this mark
  Duration interval = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(2);
  std::uint8_t max_ttl = 30;
  std::uint16_t packet_size = 60;
  std::uint8_t dscp = 0;
  std::uint32_t confirm_rounds = 2;
  bool stamp = false;  ///< `protocol = "stamp"`: UDP, and a stream of STAMP packets for each flow
  Duration packet_interval = std::chrono::seconds(1);  ///< between packets of a stream
  std::string key_file;                                ///< of STAMP's authenticated mode; empty: open mode
  std::string key;                   ///< what that file holds; read by whoever opens files, written nowhere
  std::uint32_t expected_paths = 0;  ///< how many equal-cost paths there should be; 0: not known
  bool mesh = false;                 ///< an agent of [mesh]; `all`: each of the host's addresses is one

  friend bool operator==(const Destination&, const Destination&) = default;
};

struct Limits {
  double probes_per_second = 50000;
  double probes_per_second_per_responder = 500;
  bool adapt_to_responders = true;
  std::uint32_t max_destinations = 10000;
  std::uint32_t max_flows_per_destination = 512;
  std::uint32_t max_paths_per_destination = 128;
  std::uint64_t max_series = 500000;

  friend bool operator==(const Limits&, const Limits&) = default;
};

struct Dns {
  bool names = true;
  std::optional<Duration> refresh;  ///< nullopt: as long as the record's TTL says
  std::string asn_database;         ///< file of prefixes and the systems that announce them; empty: none
  std::string city_database;        ///< file of prefixes and the cities they are in; empty: none

  friend bool operator==(const Dns&, const Dns&) = default;
};

using ecmp::HistogramForm;

struct Histograms {
  HistogramForm paths = HistogramForm::both;  ///< never off
  HistogramForm hops = HistogramForm::automatic;
  // Upper bounds of classic buckets, rising, in seconds, of loss as ratios; the open last one is not listed.
  std::vector<double> rtt = DefaultBuckets().rtt;
  std::vector<double> jitter = DefaultBuckets().jitter;
  std::vector<double> loss = DefaultBuckets().loss;

  friend bool operator==(const Histograms&, const Histograms&) = default;
};

/// [metrics]: groups of families that a scrape has, or has not.
struct MetricGroups {
  bool flows = true;
  bool path_windows = true;
  bool hops = true;
  bool hop_windows = false;
  bool links = true;

  friend bool operator==(const MetricGroups&, const MetricGroups&) = default;
};

/// What GET /probe may be asked for by name.
struct Module {
  std::string name;
  Destination probe;  ///< without name, host and address
  std::uint32_t rounds = 3;

  friend bool operator==(const Module&, const Module&) = default;
};

/// How much GET /probe may be used, and for what.
struct OneOffLimits {
  std::vector<Network> allowed_networks;  ///< not empty when there are modules
  double requests_per_second = 2;
  std::uint32_t burst = 10;
  std::uint32_t max_concurrent = 4;
  Duration timeout = std::chrono::seconds(10);               ///< of requests that do not say how long they wait
  Duration timeout_offset = std::chrono::milliseconds(500);  ///< for the answer's way to who waits for it

  friend bool operator==(const OneOffLimits&, const OneOffLimits&) = default;
};

/// Where further destinations are found.
/// A server that speaks http_sd, and how to log in there. Files are read for each request, as Prometheus does.
struct HttpSource {
  std::string url;
  std::string username;           ///< basic authentication; empty: what the URL has
  std::string password_file;      ///< relative to the configuration's directory; empty: no password
  std::string bearer_token_file;  ///< likewise; not together with a username

  friend bool operator==(const HttpSource&, const HttpSource&) = default;
};

struct Discovery {
  std::vector<std::string> files;  ///< patterns, relative to the configuration's directory
  std::vector<HttpSource> http;    ///< no two of one URL
  Duration refresh_interval = std::chrono::minutes(1);
  Duration timeout = std::chrono::seconds(10);

  friend bool operator==(const Discovery&, const Discovery&) = default;
};

/// Which links lose, over all flows of all destinations.
struct Localisation {
  bool enabled = true;
  std::uint32_t worst_links = 20;  ///< told at most
  double min_loss = 0.001;         ///< ratio, below which no link is looked for

  friend bool operator==(const Localisation&, const Localisation&) = default;
};

/// Which part of the destinations this agent traces.
struct Shard {
  std::uint32_t index = 0;  ///< below `count`
  std::uint32_t count = 1;

  friend bool operator==(const Shard&, const Shard&) = default;
};

/// What of the history survives a restart.
struct HistoryDisk {
  std::string directory;  ///< absolute; empty: nothing
  Duration retention = std::chrono::hours(24);
  std::uint64_t max_size = 1ull << 30;  ///< bytes, of the files of rounds and events
  Duration rollup_retention = std::chrono::hours(24) * 30;
  std::uint64_t rollup_max_size = 1ull << 30;  ///< bytes, of the files of roll-ups

  friend bool operator==(const HistoryDisk&, const HistoryDisk&) = default;
};

/// What HTTP clients may have.
struct WebLimits {
  std::vector<std::string> allowed_hosts;                  ///< that loopback and unix listeners are asked by
  std::uint64_t answer_memory = std::uint64_t{128} << 20;  ///< bytes that all answers under way may hold
  std::uint32_t connections_per_address = 16;              ///< while places are short

  friend bool operator==(const WebLimits&, const WebLimits&) = default;
};

/// The STAMP Session-Reflector. Off without addresses, unless systemd passes sockets for it.
struct Reflector {
  std::vector<std::string> listen_addresses;    ///< as written: an address and a port each
  std::vector<Network> allow;                   ///< empty: everybody
  std::string key_file;                         ///< as web_config_file; empty: open mode
  bool only_allowed = false;                    ///< with [mesh]: an empty `allow` is nobody
  double packets_per_second_per_source = 1000;  ///< of an IPv4 address or IPv6 /64
  std::uint32_t max_sessions = 65536;

  friend bool operator==(const Reflector&, const Reflector&) = default;
};

/// Agents that probe each other by STAMP. Off unless it says where they are.
struct Mesh {
  static constexpr std::uint16_t kPort = 10862;  ///< above 1023: takes no privilege

  std::vector<std::string> peers;   ///< an agent each: addresses or names
  std::vector<std::string> groups;  ///< names of which each address is an agent
  bool from_discovery = false;      ///< what [discovery] finds is an agent unless it says otherwise
  Destination probe;                ///< how they are measured, without name and host

  [[nodiscard]] bool enabled() const { return !peers.empty() || !groups.empty() || from_discovery; }
  friend bool operator==(const Mesh&, const Mesh&) = default;
};

/// What destinations from elsewhere inherit from [probe].
class DestinationDefaults;

/// A file that a configuration names, for messages about it.
struct NamedFile {
  std::string key;
  std::string path;  ///< as written: relative to the directory of the configuration; of [discovery] a pattern
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

struct Config {
  std::vector<std::string> listen_addresses = {":10815"};
  std::string web_config_file;  ///< as written: relative to the directory of the configuration
  WebLimits web;
  bool systemd_socket = false;  ///< of the command line only: serve on what systemd passes instead
  Limits limits;
  Duration window = std::chrono::minutes(5);
  Histograms histograms;
  MetricGroups metrics;
  std::uint64_t history_memory = 64ull << 20;  ///< bytes
  HistoryDisk history_disk;
  Dns dns;
  Discovery discovery;
  Shard shard;
  Localisation localisation;
  Reflector reflector;
  Mesh mesh;
  std::vector<Destination> mesh_peers;    ///< those of mesh.peers, then those of mesh.groups, as they are written
  std::vector<std::string> mesh_origins;  ///< "file:line:column" of each
  std::vector<Destination> destinations;
  std::vector<Module> modules;
  OneOffLimits one_off;
  std::vector<NamedFile> named_files;                   ///< in no order
  std::vector<std::string> origins;                     ///< "file:line:column" of each destination
  std::shared_ptr<const DestinationDefaults> defaults;  ///< null: those of the code
  /// What agents from elsewhere inherit from [mesh], and from [probe] by it; null: there is no mesh.
  std::shared_ptr<const DestinationDefaults> mesh_defaults;
};

/// One thing wrong in a configuration. Lines and columns count from 1.
struct Problem {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  std::string message;  ///< one line, with the offending text quoted
};

/// "file:line:column: message"
std::string format_problem(std::string_view file, const Problem& problem);

/// All that is wrong with a file, in its order, never empty; or the configuration.
using ParseOutcome = std::variant<Config, std::vector<Problem>>;

/// Parses and checks a whole configuration. Pure: the text is given, `file` is only for messages of the TOML parser.
ParseOutcome parse(std::string_view text, std::string_view file);

/// ":10815", "127.0.0.1:9", "[::1]:9", "localhost:9", "unix:/run/x.sock". An empty host means all addresses of both
/// families; "[::]:9" is IPv6 only, so that it can stand beside "0.0.0.0:9". Errors follow "ADDRESS: ".
Result<ListenAddress> parse_listen_address(std::string_view text);

/// "500ms", "10s", "1m30s", "5m", "24h": a sum of numbers with units ns us ms s m h d, no sign.
std::optional<Duration> parse_duration(std::string_view text);

}  // namespace ecmp::config
