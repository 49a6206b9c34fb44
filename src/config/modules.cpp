#include "config/modules.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>

#include "config/destinations.hpp"
#include "config/sections.hpp"
#include "config/text.hpp"

namespace ecmp::config {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kMostModules = 64;
constexpr Range<std::int64_t> kRounds{1, 100, "a whole number from 1 to 100"};
constexpr Range<std::int64_t> kConcurrent{1, 64, "a whole number from 1 to 64"};
constexpr Range<std::int64_t> kBurst{1, 10'000, "a whole number from 1 to 10000"};
constexpr Range<double> kRate{0.001, 1000, "a number from 0.001 to 1000"};
constexpr Range<Duration> kTimeout{milliseconds(100), minutes(5), "a duration from \"100ms\" to \"5m\""};
constexpr Range<Duration> kOffset{Duration(0), seconds(60), "a duration up to \"1m\""};
/// A scrape waits for the rounds of a one-off trace: the ten seconds between those of steady tracing would be too long.
constexpr Duration kLongestInterval = seconds(1);

bool is_module_name(std::string_view name) {
  constexpr std::size_t kLongest = 64;
  return !name.empty() && name.size() <= kLongest && std::ranges::all_of(name, [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '_' || byte == '-' || byte == '.';
  });
}

/// A module is read as a destination whose host is not known yet: so every check of [[destination]] holds for it.
Module read_module(const Entry& entry, const ProbeKeys& defaults, const Limits& limits, Problems& problems) {
  Module module;
  module.name = entry.key;
  Node node = entry.node;
  auto& keys = std::get<Node::Table>(node.value);
  for (const std::string_view key : {"host", "name", "all", "labels"}) {
    const auto found = std::ranges::find(keys, key, &Entry::key);
    if (found == keys.end()) continue;
    problems.add(found->where, fmt::format("{}: not for a module, whose destination is named by the request", key));
    keys.erase(found);
  }
  const auto rounds = std::ranges::find(keys, "rounds", &Entry::key);
  if (rounds != keys.end()) {
    const Node only{node.where, node.text, Node::Table{*rounds}};
    TableReader reader(only, problems);
    if (const auto given = reader.integer("rounds", kRounds)) module.rounds = static_cast<std::uint32_t>(given->value);
    keys.erase(rounds);
  }
  // A one-off trace has no time to search for paths.
  const auto flows = std::ranges::find(keys, "flows", &Entry::key);
  if (flows != keys.end()) {
    const auto* const word = std::get_if<std::string>(&flows->node.value);
    if (word != nullptr && *word == "auto") {
      problems.add_value("flows", flows->node.where, flows->node.text, "not for a module: give a number of flows");
      keys.erase(flows);
    }
  }
  const auto protocol = std::ranges::find(keys, "protocol", &Entry::key);
  if (protocol != keys.end()) {
    const auto* const word = std::get_if<std::string>(&protocol->node.value);
    if (word != nullptr && *word == "stamp") {
      problems.add_value("protocol", protocol->node.where, protocol->node.text,
                         "not for a module: it has no time for streams");
      keys.erase(protocol);
    }
  }
  const bool paced = std::ranges::find(keys, "interval", &Entry::key) != keys.end();
  keys.push_back({"host", node.where, {node.where, "", std::string("module.invalid")}});
  module.probe = read_destination(node, defaults, limits, problems).destination;
  if (module.probe.auto_flows) {  // of [probe]
    module.probe.auto_flows.reset();
    module.probe.flows = Destination().flows;
  }
  if (module.probe.stamp) {  // of [probe]
    const Destination usual;
    module.probe.stamp = false;
    module.probe.key_file.clear();
    module.probe.packet_interval = usual.packet_interval;
    if (std::ranges::find(keys, "port", &Entry::key) == keys.end()) module.probe.port = usual.port;
  }
  module.probe.name.clear();
  module.probe.host.clear();
  if (!paced) module.probe.interval = std::min(module.probe.interval, kLongestInterval);
  return module;
}

void read_table(TableReader& root, const ProbeKeys& defaults, Config& config) {
  const Node* const table = root.table("modules");
  if (table == nullptr) return;
  Problems& problems = root.problems();
  for (const Entry& entry : std::get<Node::Table>(table->value)) {
    if (!is_module_name(entry.key)) {
      problems.add(entry.where,
                   fmt::format("module {}: expected a name of at most 64 letters, digits, \"_\", \"-\" and "
                               "\".\"",
                               in_quotes(entry.key)));
    } else if (!std::holds_alternative<Node::Table>(entry.node.value)) {
      problems.add_value(entry.key, entry.node.where, entry.node.text, "expected a table: [modules.NAME]");
    } else if (config.modules.size() == kMostModules) {
      problems.add(entry.where, fmt::format("[modules]: more than {}", kMostModules));
      return;
    } else {
      config.modules.push_back(read_module(entry, defaults, config.limits, problems));
    }
  }
}

}  // namespace

void read_modules(TableReader& root, const ProbeKeys& defaults, Config& config) {
  read_table(root, defaults, config);
  const Node* const table = root.table("one_off");
  if (table != nullptr) {
    OneOffLimits& limits = config.one_off;
    TableReader reader(*table, root.problems());
    read_networks(reader, "allowed_networks", limits.allowed_networks);
    if (const auto rate = reader.positive_number("requests_per_second", kRate))
      limits.requests_per_second = rate->value;
    if (const auto burst = reader.integer("burst", kBurst)) limits.burst = static_cast<std::uint32_t>(burst->value);
    if (const auto most = reader.integer("max_concurrent", kConcurrent))
      limits.max_concurrent = static_cast<std::uint32_t>(most->value);
    if (const auto timeout = reader.duration("timeout", kTimeout)) limits.timeout = timeout->value;
    if (const auto offset = reader.duration("timeout_offset", kOffset)) limits.timeout_offset = offset->value;
    reader.refuse_unknown_keys();
    if (reader.broken("allowed_networks")) return;
  }
  // Whoever reaches the port could otherwise send probes anywhere in our name.
  if (!config.modules.empty() && config.one_off.allowed_networks.empty()) {
    const Entry* const modules = root.entry("modules");
    root.problems().add(modules->where,
                        "[modules] without allowed_networks of [one_off]: say which addresses may be traced");
  }
}

}  // namespace ecmp::config
