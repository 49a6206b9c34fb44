#include "config/write.hpp"

#include <array>
#include <fmt/format.h>
#include <iterator>
#include <span>

#include "base/url.hpp"
#include "config/destinations.hpp"
#include "config/probe_keys.hpp"
#include "config/text.hpp"

namespace ecmp::config {

namespace {

/// A basic string of TOML 1.0. Bytes that are no UTF-8 become U+FFFD.
std::string string(std::string_view text) {
  std::string written = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const auto point = decode_utf8(text, at);  // moves `at` on
    if (!point) {
      written += "\\ufffd";
    } else if (*point == U'"' || *point == U'\\') {
      written += '\\';
      written += static_cast<char>(*point);
    } else if (is_control(*point)) {
      written += *point > 0xffff ? fmt::format("\\U{:08x}", static_cast<std::uint32_t>(*point))
                                 : fmt::format("\\u{:04x}", static_cast<std::uint32_t>(*point));
    } else {
      written += text.substr(begin, at - begin);
    }
  }
  return written + '"';
}

/// Where it is and how the exporter logs in, without what is secret.
std::string http_source(const HttpSource& source) {
  std::string url = string(masked_url(source.url));
  if (source.username.empty() && source.bearer_token_file.empty()) return url;
  std::string written = "{ url = " + url;
  if (!source.username.empty()) written += ", username = \"<secret>\"";
  if (!source.password_file.empty()) written += ", password_file = " + string(source.password_file);
  if (!source.bearer_token_file.empty()) written += ", bearer_token_file = " + string(source.bearer_token_file);
  return written + " }";
}

std::string duration(Duration length) {
  struct Unit {
    std::int64_t nanoseconds;
    std::string_view name;
  };
  constexpr std::array<Unit, 6> kUnits = {{{3'600'000'000'000, "h"},
                                           {60'000'000'000, "m"},
                                           {1'000'000'000, "s"},
                                           {1'000'000, "ms"},
                                           {1'000, "us"},
                                           {1, "ns"}}};
  for (const Unit& unit : kUnits) {
    if (length.count() % unit.nanoseconds == 0)
      return fmt::format("\"{}{}\"", length.count() / unit.nanoseconds, unit.name);
  }
  return "\"0s\"";
}

std::string number(double value) {
  std::string written = fmt::format("{}", value);
  if (written.find_first_of(".en") == std::string::npos) written += ".0";
  return written;
}

std::string size(std::uint64_t bytes) {
  for (const auto& [shift, unit] : {std::pair(30u, "GiB"), std::pair(20u, "MiB"), std::pair(10u, "KiB")}) {
    if (bytes % (std::uint64_t{1} << shift) == 0) return fmt::format("\"{}{}\"", bytes >> shift, unit);
  }
  return fmt::format("\"{}B\"", bytes);
}

template <typename T, typename Write>
std::string list(const std::vector<T>& items, Write write) {
  std::string written = "[";
  for (const T& item : items) {
    if (written.size() > 1) written += ", ";
    written += write(item);
  }
  return written + "]";
}

std::string_view form(HistogramForm form) {
  constexpr std::array<std::string_view, 5> kForms = {"\"classic\"", "\"native\"", "\"both\"", "\"off\"", "\"auto\""};
  return kForms[static_cast<std::size_t>(form)];
}

std::string_view family(FamilyChoice choice) {
  constexpr std::array<std::string_view, 3> kFamilies = {"\"any\"", "\"ipv4\"", "\"ipv6\""};
  return kFamilies[static_cast<std::size_t>(choice)];
}

class Writer {
 public:
  void table(std::string_view header) { fmt::format_to(std::back_inserter(text), "\n{}\n", header); }
  template <typename T>
  void key(std::string_view name, const T& value) {
    fmt::format_to(std::back_inserter(text), "{} = {}\n", name, value);
  }
  /// Left out where it is the standard.
  template <typename T>
  void unless(const T& standard, std::string_view name, const T& value, const auto& written) {
    if (value != standard) key(name, written);
  }

  std::string text;
};

void write_tables(Writer& out, const Config& config) {
  out.table("[web]");
  out.key("listen_addresses", list(config.listen_addresses, string));
  out.key("config_file", string(config.web_config_file));
  out.key("allowed_hosts", list(config.web.allowed_hosts, string));
  out.key("answer_memory", size(config.web.answer_memory));
  out.key("connections_per_address", config.web.connections_per_address);
  out.table("[limits]");
  out.key("probes_per_second", number(config.limits.probes_per_second));
  out.key("probes_per_second_per_responder", number(config.limits.probes_per_second_per_responder));
  out.key("adapt_to_responders", config.limits.adapt_to_responders);
  out.key("max_destinations", config.limits.max_destinations);
  out.key("max_flows_per_destination", config.limits.max_flows_per_destination);
  out.key("max_paths_per_destination", config.limits.max_paths_per_destination);
  out.key("max_series", config.limits.max_series);
  out.table("[window]");
  out.key("duration", duration(config.window));
  out.table("[histograms]");
  out.key("format", form(config.histograms.paths));
  out.key("rtt_buckets", list(config.histograms.rtt, number));
  out.key("jitter_buckets", list(config.histograms.jitter, number));
  out.key("loss_buckets", list(config.histograms.loss, number));
  out.key("hops", form(config.histograms.hops));
  out.table("[metrics]");
  out.key("flows", config.metrics.flows);
  out.key("path_windows", config.metrics.path_windows);
  out.key("hops", config.metrics.hops);
  out.key("hop_windows", config.metrics.hop_windows);
  out.key("links", config.metrics.links);
  out.table("[history]");
  out.key("memory", size(config.history_memory));
  out.key("directory", string(config.history_disk.directory));
  out.key("retention", duration(config.history_disk.retention));
  out.key("max_size", size(config.history_disk.max_size));
  out.key("rollup_retention", duration(config.history_disk.rollup_retention));
  out.key("rollup_max_size", size(config.history_disk.rollup_max_size));
  out.table("[dns]");
  out.key("names", config.dns.names);
  out.key("refresh", config.dns.refresh ? duration(*config.dns.refresh) : "\"ttl\"");
  out.key("asn_database", string(config.dns.asn_database));
  out.key("city_database", string(config.dns.city_database));
  out.table("[discovery]");
  out.key("files", list(config.discovery.files, string));
  out.key("http", list(config.discovery.http, http_source));
  out.key("refresh_interval", duration(config.discovery.refresh_interval));
  out.key("timeout", duration(config.discovery.timeout));
  out.table("[shard]");
  out.key("index", config.shard.index);
  out.key("count", config.shard.count);
  out.table("[localisation]");
  out.key("enabled", config.localisation.enabled);
  out.key("worst_links", config.localisation.worst_links);
  out.key("min_loss", number(config.localisation.min_loss));
  out.table("[reflector]");
  out.key("listen_addresses", list(config.reflector.listen_addresses, string));
  out.key("allow", list(config.reflector.allow, [](const Network& network) { return string(network.to_string()); }));
  out.key("key_file", string(config.reflector.key_file));
  out.key("packets_per_second_per_source", number(config.reflector.packets_per_second_per_source));
  out.key("max_sessions", config.reflector.max_sessions);
}

void write_probe_keys(Writer& out, const Destination& destination, const Destination& standard);

void write_mesh(Writer& out, const Mesh& mesh) {
  if (!mesh.enabled()) return;
  out.table("[mesh]");
  out.key("peers", list(mesh.peers, string));
  out.key("groups", list(mesh.groups, string));
  out.key("from_discovery", mesh.from_discovery);
  Destination standard;
  standard.stamp = true;
  write_probe_keys(out, mesh.probe, standard);
}

/// Keys of [probe], those that are not what they are by default.
void write_probe_keys(Writer& out, const Destination& destination, const Destination& standard) {
  out.unless(protocol_name(standard), "protocol", protocol_name(destination), string(protocol_name(destination)));
  out.unless(standard.family, "family", destination.family, family(destination.family));
  // The port has a standard for each protocol.
  const std::uint16_t port = usual_port(destination);
  if (destination.port != 0) out.unless(port, "port", destination.port, destination.port);
  if (destination.auto_flows) {
    const AutoFlows usual;
    const AutoFlows& search = *destination.auto_flows;
    out.key("flows", "\"auto\"");
    out.key("max_flows", destination.flows);
    out.unless(usual.confidence, "confidence", search.confidence, number(search.confidence));
    if (search.p_min > 0) out.key("p_min", number(search.p_min));
    out.unless(usual.min_flows_per_path, "min_flows_per_path", search.min_flows_per_path, search.min_flows_per_path);
    out.unless(usual.rediscover, "rediscover", search.rediscover, duration(search.rediscover));
  } else {
    out.unless(standard.flows, "flows", destination.flows, destination.flows);
  }
  if (destination.source_port) {
    out.key("source_port", *destination.source_port);
  } else {
    const auto [first, last] = destination.source_ports;
    out.unless(standard.source_ports, "source_ports", destination.source_ports,
               string(fmt::format("{}-{}", first, last)));
  }
  if (destination.source_address) out.key("source_address", string(destination.source_address->to_string()));
  out.unless(standard.interface, "interface", destination.interface, string(destination.interface));
  out.unless(standard.fwmark, "fwmark", destination.fwmark, destination.fwmark);
  out.unless(standard.interval, "interval", destination.interval, duration(destination.interval));
  out.unless(standard.packet_interval, "packet_interval", destination.packet_interval,
             duration(destination.packet_interval));
  out.unless(standard.key_file, "key_file", destination.key_file, string(destination.key_file));
  out.unless(standard.timeout, "timeout", destination.timeout, duration(destination.timeout));
  out.unless(standard.max_ttl, "max_ttl", destination.max_ttl, destination.max_ttl);
  out.unless(standard.packet_size, "packet_size", destination.packet_size, destination.packet_size);
  out.unless(standard.dscp, "dscp", destination.dscp, destination.dscp);
  out.unless(standard.confirm_rounds, "confirm_rounds", destination.confirm_rounds, destination.confirm_rounds);
  out.unless(standard.expected_paths, "expected_paths", destination.expected_paths, destination.expected_paths);
}

void write_destination(Writer& out, const Destination& destination) {
  out.table("[[destination]]");
  out.key("name", string(destination.name));
  out.key("host", string(destination.host));
  if (destination.all) out.key("all", true);
  if (!destination.labels.empty()) {
    std::vector<std::string> labels;
    labels.reserve(destination.labels.size());
    for (const auto& [name, value] : destination.labels)
      labels.push_back(name + " = " + string(value));
    out.key("labels", fmt::format("{{ {} }}", fmt::join(labels, ", ")));
  }
  write_probe_keys(out, destination, {});
}

void write_one_off(Writer& out, const Config& config) {
  out.table("[one_off]");
  out.key("allowed_networks",
          list(config.one_off.allowed_networks, [](const Network& network) { return string(network.to_string()); }));
  out.key("requests_per_second", number(config.one_off.requests_per_second));
  out.key("burst", config.one_off.burst);
  out.key("max_concurrent", config.one_off.max_concurrent);
  out.key("timeout", duration(config.one_off.timeout));
  out.key("timeout_offset", duration(config.one_off.timeout_offset));
  for (const Module& module : config.modules) {
    out.table(fmt::format("[modules.{}]", string(module.name)));
    out.key("rounds", module.rounds);
    // Those of a module come more often than those of a destination, so the interval is always told.
    Destination standard;
    standard.interval = Duration(0);
    write_probe_keys(out, module.probe, standard);
  }
}

}  // namespace

std::string to_toml(const Config& config) {
  Writer out;
  out.text = "# The running configuration, with what was left out.\n";
  write_tables(out, config);
  write_mesh(out, config.mesh);
  write_one_off(out, config);
  for (std::size_t i = 0; i < config.destinations.size(); ++i) {
    if (i < config.origins.size()) {
      fmt::format_to(std::back_inserter(out.text), "\n# {}", printable(config.origins[i], 400));
    }
    write_destination(out, config.destinations[i]);
  }
  return std::move(out.text);
}

}  // namespace ecmp::config
