#include <algorithm>
#include <fmt/format.h>

#include "config/destinations.hpp"
#include "config/host.hpp"
#include "config/mesh.hpp"

namespace ecmp::config {

namespace {

constexpr std::string_view kPeers = "a list of addresses and host names, such as \"192.0.2.1\", \"agent.example\"";
constexpr std::string_view kGroups = "a list of host names, such as \"agents.example\"";

/// As if each were a [[destination]] with this host.
void add_peers(TableReader& reader, std::string_view key, std::string_view expected, bool all, Config& config,
               std::string_view file) {
  const auto given = reader.strings(key, expected);
  if (!given) return;
  std::vector<std::string>& written = all ? config.mesh.groups : config.mesh.peers;
  for (const Setting<std::string>& peer : given->value) {
    const auto host = parse_host(peer.value);
    if (!host.ok()) {
      reader.refuse(key, peer, host.error());
    } else if (all && host->address) {
      reader.refuse(key, peer, "an address is one agent, which belongs into peers");
    } else if (std::ranges::find(config.mesh.peers, peer.value) != config.mesh.peers.end() ||
               std::ranges::find(config.mesh.groups, peer.value) != config.mesh.groups.end()) {
      reader.refuse(key, peer, "given twice");
    } else {
      written.push_back(peer.value);
      config.mesh_origins.push_back(fmt::format("{}:{}:{}", file, peer.where.line, peer.where.column));
      Destination destination;
      destination.host = peer.value;
      destination.all = all;
      config.mesh_peers.push_back(std::move(destination));
    }
  }
}

Destination read_peer(const std::string& host, bool all, const Node& table, const ProbeKeys& keys, const Limits& limits,
                      Problems& problems) {
  Node node{table.where, host, Node::Table{}};
  auto& entries = std::get<Node::Table>(node.value);
  entries.push_back({"host", table.where, {table.where, host, host}});
  if (all) entries.push_back({"all", table.where, {table.where, "true", true}});
  return read_destination(node, keys, limits, problems, true).destination;
}

/// A reflector has one key, for the mesh and for everybody else.
void check_key(TableReader& reader, ProbeKeys& own, const Node& table, const Reflector& reflector) {
  if (reflector.key_file.empty()) return;
  if (!own.key_file) {
    own.key_file = Setting<std::string>{reflector.key_file, table.where, reflector.key_file};
  } else if (own.key_file->value != reflector.key_file) {
    reader.refuse("key_file", *own.key_file,
                  fmt::format("[reflector] has key_file = \"{}\", and an agent has one key", reflector.key_file));
  }
}

void complete_reflector(Reflector& reflector, const Mesh& mesh) {
  reflector.only_allowed = true;
  reflector.key_file = mesh.probe.key_file;
  const bool listens = std::ranges::any_of(reflector.listen_addresses, [&mesh](const std::string& text) {
    const auto address = parse_listen_address(text);
    return address && address->port == mesh.probe.port;
  });
  if (!listens) reflector.listen_addresses.push_back(fmt::format(":{}", mesh.probe.port));
}

}  // namespace

void read_mesh(TableReader& root, const ProbeKeys& probe, Config& config, std::string_view file) {
  const Node* table = root.table("mesh");
  if (table == nullptr) return;
  Problems& problems = root.problems();
  TableReader reader(*table, problems);
  add_peers(reader, "peers", kPeers, false, config, file);
  add_peers(reader, "groups", kGroups, true, config, file);
  if (const auto from = reader.boolean("from_discovery")) config.mesh.from_discovery = from->value;
  ProbeKeys own = read_probe_keys(reader, config.limits);
  if (own.protocol) reader.refuse("protocol", *own.protocol, "agents of a mesh are measured by STAMP");
  check_key(reader, own, *table, config.reflector);
  reader.refuse_unknown_keys();
  check_combinations(own, probe, config.limits, problems);
  if (!config.mesh.enabled()) return;

  own.protocol = Setting<Protocol>{kStampProtocol, table->where, "\"stamp\""};
  own.stamp = Setting<bool>{true, table->where, "\"stamp\""};
  if (!own.port) own.port = Setting<std::int64_t>{Mesh::kPort, table->where, "10862"};
  const ProbeKeys keys = over(own, probe);
  config.mesh.probe = read_peer("mesh.invalid", false, *table, keys, config.limits, problems);
  config.mesh.probe.name.clear();
  config.mesh.probe.host.clear();
  for (Destination& peer : config.mesh_peers)
    peer = read_peer(peer.host, peer.all, *table, keys, config.limits, problems);
  complete_reflector(config.reflector, config.mesh);
  config.mesh_defaults = std::make_shared<const DestinationDefaults>(keys);
}

}  // namespace ecmp::config
