#include <array>

#include "sim/network.hpp"
#include "sim/wire.hpp"

namespace ecmp::sim {

namespace {

/// The headers that routers hash, with nothing else right: no checksum, no lengths.
void fill_hashed_headers(Packet& packet, const FiveTuple& tuple, std::uint32_t flow_label,
                         std::uint16_t icmp_checksum) {
  std::array<std::uint8_t, 64> bytes{};
  packet.family = tuple.destination.family();
  packet.protocol = wire_number(packet.family, tuple.protocol);
  const bool v4 = packet.family == Family::ipv4;
  packet.header_size = v4 ? 20 : 40;
  if (v4) {
    bytes[0] = 0x45;
    bytes[9] = packet.protocol;
  } else {
    store32(bytes, 0, 0x60000000u | flow_label);
    bytes[6] = packet.protocol;
  }
  const std::size_t address_at = v4 ? 12 : 8;
  const ByteView source = tuple.source.bytes();
  const ByteView destination = tuple.destination.bytes();
  for (std::size_t i = 0; i < source.size(); ++i)
    bytes[address_at + i] = source[i];
  for (std::size_t i = 0; i < destination.size(); ++i)
    bytes[address_at + source.size() + i] = destination[i];
  const std::size_t transport = packet.header_size;
  if (!has_ports(tuple.protocol)) {
    bytes[transport] = v4 ? 8 : 128;
    store16(bytes, transport + 2, icmp_checksum);
    store16(bytes, transport + 4, tuple.source_port);
  } else {
    store16(bytes, transport, tuple.source_port);
    store16(bytes, transport + 2, tuple.destination_port);
  }
  packet.assign(bytes);
}

/// Walks without chance and without counting.
TruePath walk(const Topology& topology, Packet& packet) {
  TruePath path;
  packet.target = topology.owner(destination_of(packet));
  if (packet.target == kNone) return path;
  const IpAddress asked = destination_of(packet);
  packet.node = topology.agent();
  for (std::size_t crossings = 0; crossings < Packet::kMaximumCrossings; ++crossings) {
    const Node& node = topology.nodes[packet.node];
    if (node.kind == NodeKind::router) {
      if (node.reject || node.black_hole) return path;
      if (node.nat && !translate(packet, packet.node, *node.nat)) return path;
    }
    const NextHops& hops = topology.next_hops(packet.node, topology.nodes[packet.target].destination);
    const bool by_chance = node.hash == HashPolicy::per_packet || node.hash_ttl || node.flowlet > Duration{};
    if (by_chance && hops.links.size() > 1) path.exact = false;
    const LinkId out = choose_next_hop(hops, node, packet, 0);
    if (out == kNone || topology.links[out].down) return path;
    packet.node = topology.links[out].to;
    const Node& next = topology.nodes[packet.node];
    if (next.down) return path;
    if (next.kind == NodeKind::destination) {
      if (packet.node != packet.target) return path;
      if (next.gateway) path.responders.push_back(asked);
      path.responders.push_back(asked);
      path.reached = true;
      return path;
    }
    if (next.hidden) continue;
    const IpAddress& ingress = topology.links[out].ingress.of(packet.family);
    path.responders.push_back(ingress.is_unspecified() ? next.addresses.of(packet.family) : ingress);
  }
  return path;
}

}  // namespace

Topology SimulatedNetwork::topology_at(Instant at) const {
  Topology topology = initial_;
  for (const Change& change : changes_) {
    if (kStart + change.at > at) break;
    change.apply(topology);
  }
  return topology;
}

TruePath SimulatedNetwork::path_of(const FiveTuple& tuple, std::uint32_t flow_label, Instant at,
                                   std::uint16_t icmp_checksum) const {
  Packet packet;
  fill_hashed_headers(packet, tuple, flow_label, icmp_checksum);
  return path_of(packet, at);
}

TruePath SimulatedNetwork::path_of(ByteView probe, Instant at) const {
  Packet packet;
  packet.assign(probe);
  return read_headers(packet) ? path_of(packet, at) : TruePath{};
}

TruePath SimulatedNetwork::path_of(Packet& packet, Instant at) const {
  if (at >= now_ && at < next_change_) return walk(topology_, packet);
  return walk(topology_at(at), packet);
}

}  // namespace ecmp::sim
