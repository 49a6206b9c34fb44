#include "sim/topology.hpp"

#include <algorithm>
#include <stdexcept>

namespace ecmp::sim {

namespace {

bool in_prefix(const IpAddress& address, const IpAddress& prefix, unsigned bits) {
  if (prefix.is_unspecified() || address.family() != prefix.family()) return false;
  const ByteView a = address.bytes();
  const ByteView b = prefix.bytes();
  for (std::size_t i = 0; i < a.size() && bits > 0; ++i) {
    const unsigned taken = std::min(bits, 8u);
    const auto mask = static_cast<std::uint8_t>(0xff00u >> taken);
    if (((a[i] ^ b[i]) & mask) != 0) return false;
    bits -= taken;
  }
  return true;
}

}  // namespace

PortState PortPolicy::of(std::uint16_t port) const {
  for (const auto& [number, state] : listed) {
    if (number == port) return state;
  }
  return others;
}

NodeId Topology::add_node(Node node) {
  const auto id = static_cast<NodeId>(nodes.size());
  if (node.kind == NodeKind::agent) agent_ = id;
  if (node.kind == NodeKind::destination) {
    node.destination = static_cast<std::uint16_t>(destinations.size());
    destinations.push_back(id);
  }
  nodes.push_back(std::move(node));
  leaving_.emplace_back();
  return id;
}

LinkId Topology::add_link(NodeId a, NodeId b) {
  const auto id = static_cast<LinkId>(links.size());
  Link there;
  there.from = a;
  there.to = b;
  Link back;
  back.from = b;
  back.to = a;
  links.push_back(there);
  links.push_back(back);
  leaving_[a].push_back(id);
  leaving_[b].push_back(static_cast<LinkId>(id ^ 1u));
  return id;
}

std::optional<NodeId> Topology::find(std::string_view name) const {
  const auto found = std::ranges::find(nodes, name, &Node::name);
  if (found == nodes.end()) return std::nullopt;
  return static_cast<NodeId>(found - nodes.begin());
}

std::optional<LinkId> Topology::find_link(NodeId from, NodeId to) const {
  for (const LinkId link : leaving_[from]) {
    if (links[link].to == to) return link;
  }
  return std::nullopt;
}

NodeId Topology::node_id(std::string_view name) const {
  const auto found = find(name);
  if (!found) throw std::out_of_range("no node \"" + std::string(name) + "\"");
  return *found;
}

LinkId Topology::link_id(std::string_view from, std::string_view to) const {
  const auto found = find_link(node_id(from), node_id(to));
  if (!found) throw std::out_of_range("no link " + std::string(from) + "-" + std::string(to));
  return *found;
}

void Topology::set_route(StaticRoute route) {
  std::erase_if(
      static_, [&](const StaticRoute& old) { return old.at == route.at && (route.to == kNone || old.to == route.to); });
  if (!routes_.empty()) lay(route);
  static_.push_back(std::move(route));
}

void Topology::lay(const StaticRoute& route) {
  for (const NodeId destination : destinations) {
    if (route.to != kNone && route.to != destination) continue;
    routes_[std::size_t{route.at} * destinations.size() + nodes[destination].destination] = route.next_hops;
  }
}

void Topology::set_route(std::string_view at, std::string_view to, const std::vector<std::string>& via) {
  StaticRoute route;
  route.at = node_id(at);
  route.to = node_id(to);
  for (const std::string& name : via)
    route.next_hops.links.push_back(link_id(at, name));
  set_route(std::move(route));
}

void Topology::compute_routes() {
  routes_.assign(nodes.size() * destinations.size(), {});
  owners_.clear();
  for (const NodeId destination : destinations) {
    shortest_paths(destination);
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      const IpAddress& address = nodes[destination].addresses.of(family);
      if (!address.is_unspecified()) owners_.emplace(address, destination);
    }
  }
  for (const StaticRoute& route : static_)
    lay(route);
}

void Topology::shortest_paths(NodeId destination) {
  constexpr std::uint32_t kFar = ~std::uint32_t{0};
  std::vector<std::uint32_t> distance(nodes.size(), kFar);
  std::vector<NodeId> frontier{destination};
  distance[destination] = 0;
  const auto usable = [this](LinkId towards) { return !links[towards].down && !nodes[links[towards].to].down; };
  for (std::size_t i = 0; i < frontier.size(); ++i) {
    const NodeId near = frontier[i];
    // Neither the agent nor another destination forwards.
    if (near != destination && nodes[near].kind != NodeKind::router) continue;
    for (const LinkId out : leaving_[near]) {
      const NodeId far = links[out].to;
      if (distance[far] != kFar || !usable(static_cast<LinkId>(out ^ 1u))) continue;
      distance[far] = distance[near] + 1;
      frontier.push_back(far);
    }
  }
  const auto count = static_cast<NodeId>(nodes.size());
  for (NodeId at = 0; at < count; ++at) {
    if (distance[at] == kFar || at == destination) continue;
    NextHops& hops = routes_[std::size_t{at} * destinations.size() + nodes[destination].destination];
    for (const LinkId out : leaving_[at]) {
      const NodeId next = links[out].to;
      const bool forwards = next == destination || nodes[next].kind == NodeKind::router;
      if (forwards && distance[next] + 1 == distance[at] && usable(out)) hops.links.push_back(out);
    }
  }
}

NodeId Topology::owner(const IpAddress& address) const {
  const auto found = owners_.find(address);
  if (found != owners_.end()) return found->second;
  for (const NodeId id : destinations) {
    const Node& node = nodes[id];
    if (in_prefix(address, node.addresses.v4, node.v4_prefix) ||
        in_prefix(address, node.addresses.v6, node.v6_prefix)) {
      return id;
    }
  }
  return kNone;
}

}  // namespace ecmp::sim
