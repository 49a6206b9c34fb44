#include <algorithm>
#include <array>

#include "sim/network.hpp"
#include "sim/wire.hpp"

namespace ecmp::sim {

namespace {

LinkId at_place(const NextHops& hops, std::uint64_t place) {
  if (hops.cumulative.empty()) return hops.links[place];
  std::size_t index = 0;
  while (hops.cumulative[index] <= place)
    ++index;
  return hops.links[index];
}

/// Writes the bytes that a router of this policy hashes, and returns how many: addresses, protocol, ports. 40 are
/// enough.
std::size_t hashed_bytes(const Packet& packet, HashPolicy policy, bool ttl, MutableBytes out) {
  const ByteView bytes = packet.view();
  const bool v4 = packet.family == Family::ipv4;
  std::size_t size = v4 ? 8 : 32;
  std::copy_n(bytes.begin() + (v4 ? 12 : 8), size, out.begin());
  out[size++] = packet.protocol;
  if (policy == HashPolicy::l4) {
    store32(out, size, load32(bytes, packet.header_size));
    size += 4;
  } else if (policy == HashPolicy::flow_label && !v4) {
    store32(out, size, load32(bytes, 0) & 0xfffffu);
    size += 4;
  }
  if (ttl) out[size++] = packet.ttl;
  return size;
}

/// By one of the functions that real routers have, of the bytes that the policy says.
LinkId choose_by_function(const NextHops& hops, const Node& node, const Packet& packet) {
  std::array<std::uint8_t, 40> headers;
  const std::size_t size = hashed_bytes(packet, node.hash, node.hash_ttl, headers);
  const auto total = hops.cumulative.empty() ? static_cast<std::uint32_t>(hops.links.size()) : hops.cumulative.back();
  return at_place(hops, choose_by_hash(node.hash_function, node.hash_seed, std::span(headers).first(size), total));
}

}  // namespace

LinkId choose_next_hop(const NextHops& hops, const Node& node, Packet& packet, std::uint64_t random_number) {
  const std::size_t count = hops.links.size();
  if (count <= 1) return count == 0 ? kNone : hops.links.front();
  if (node.hash != HashPolicy::per_packet && (node.hash_function != HashFunction::ideal || node.hash_ttl))
    return choose_by_function(hops, node, packet);
  std::uint64_t number = random_number;
  if (node.hash != HashPolicy::per_packet) {
    if (!packet.hashed) hash_headers(packet);
    number = mix(packet.hashes[static_cast<std::size_t>(node.hash)] ^ node.hash_seed);
  }
  // RFC 2992's hash-threshold: each next hop owns a region of the hash space, so that replacing one moves only its own.
  const std::uint64_t upper = number >> 32;
  if (hops.cumulative.empty()) return hops.links[upper * count >> 32];
  return at_place(hops, upper * hops.cumulative.back() >> 32);
}

/// A flowlet is what a flow sends without a pause: the next one takes its chance again.
LinkId SimulatedNetwork::choose_for_flowlet(const NextHops& hops, const Node& node, Packet& packet) {
  if (!packet.hashed) hash_headers(packet);
  const std::uint64_t flow = mix(packet.hashes[static_cast<std::size_t>(HashPolicy::l4)] + packet.node);
  const auto [place, is_new] = flowlets_.try_emplace(flow);
  Flowlet& flowlet = place->second;
  if (is_new || flowlet.newest + node.flowlet < packet.time) flowlet.place = random_.next();
  flowlet.newest = packet.time;
  return hops.links[flowlet.place % hops.links.size()];
}

void SimulatedNetwork::travel(PacketId id) {
  Packet& packet = pool_[id];
  for (;;) {
    if (packet.time >= next_change_) {
      queue_.push(packet.time, id);
      return;
    }
    if (topology_.nodes[packet.node].down) {
      ++node_counts_[packet.node].while_down;
      release(id);
      return;
    }
    const bool goes_on = packet.reply ? go_back(id, packet) : forward(id, packet);
    if (!goes_on) return;
  }
}

/// One step of a probe: what the node that it is at does with it. False when the packet is gone or waits in the queue.
bool SimulatedNetwork::forward(PacketId id, Packet& packet) {
  const Node& node = topology_.nodes[packet.node];
  if (node.kind == NodeKind::destination) return answer(id, packet);

  const bool limited_here = node.icmp_limit.has_value() && packet.time > now_;
  if (!node.hidden && packet.ttl <= 1) {
    if (limited_here) {  // the bucket has to see its customers in their order
      queue_.push(packet.time, id);
      return false;
    }
    ++node_counts_[packet.node].arrived;
    return answer_with_error(id, packet, packet::ReplyKind::time_exceeded);
  }
  const NextHops* hops =
      packet.target == kNone ? nullptr : &topology_.next_hops(packet.node, topology_.nodes[packet.target].destination);
  const bool too_big = node.mtu.has_value() && packet.size > *node.mtu;
  const bool refused = node.reject.has_value() || too_big || hops == nullptr || hops->links.empty();
  if (refused && limited_here) {
    queue_.push(packet.time, id);
    return false;
  }
  ++node_counts_[packet.node].arrived;
  if (node.reject) return answer_with_error(id, packet, *node.reject);
  if (hops == nullptr || hops->links.empty()) return answer_with_error(id, packet, packet::ReplyKind::net_unreachable);
  if (too_big) return answer_with_error(id, packet, packet::ReplyKind::fragmentation_needed);
  if (!pass_filters(id, packet, node)) return false;

  if (!node.hidden) --packet.ttl;
  const std::uint64_t number = node.hash == HashPolicy::per_packet && hops->links.size() > 1 ? random_.next() : 0;
  const bool by_flowlet = node.flowlet > Duration{} && hops->links.size() > 1;
  return cross(id, packet,
               by_flowlet ? choose_for_flowlet(*hops, node, packet) : choose_next_hop(*hops, node, packet, number));
}

bool SimulatedNetwork::pass_filters(PacketId id, Packet& packet, const Node& node) {
  if (node.black_hole || random_.happens(node.drop)) {
    ++node_counts_[packet.node].filtered;
    release(id);
    return false;
  }
  if (node.dscp) rewrite_class(packet, static_cast<std::uint8_t>(*node.dscp << 2), 0xfc);
  if (node.ecn) rewrite_class(packet, *node.ecn, 0x03);
  if (node.nat && !translate(packet, packet.node, *node.nat)) {
    ++node_counts_[packet.node].filtered;
    release(id);
    return false;
  }
  return true;
}

/// Carries the packet over a link. False when it got lost there.
bool SimulatedNetwork::cross(PacketId id, Packet& packet, LinkId link) {
  const Link& cable = topology_.links[link];
  LinkCounts& counts = link_counts_[link];
  if (!packet.reply) {
    if (packet.crossings == Packet::kMaximumCrossings) {
      ++counts_.lost_in_loops;
      release(id);
      return false;
    }
    packet.trail[packet.crossings++] = link;
  }
  if (cable.down || random_.happens(cable.loss)) {
    ++counts.dropped;
    release(id);
    return false;
  }
  ++counts.forwarded;
  const Instant started = packet.time;
  packet.time = started + random_.draw(cable.delay);
  packet.node = cable.to;
  if (random_.happens(cable.duplicate)) {
    ++counts.duplicated;
    ++counts.forwarded;
    const PacketId twin = pool_.take();
    pool_[twin] = packet;
    pool_[twin].time = started + random_.draw(cable.delay);
    queue_.push(pool_[twin].time, twin);
  }
  return true;
}

/// One step of a reply, over the links that its probe took. False when it is gone, or has arrived.
bool SimulatedNetwork::go_back(PacketId id, Packet& packet) {
  if (packet.crossings == 0) {
    finish(packet);
    arrive(id);
    return false;
  }
  const Node& node = topology_.nodes[packet.node];
  const bool passing = packet.passing;
  if (packet.connection != 0 && !passing &&
      (!half_open_.waits(packet.connection, packet.generation) || random_.happens(node.reply_loss))) {
    release(id);
    return false;
  }
  packet.passing = true;
  if (passing) {
    if (!node.hidden && --packet.ttl == 0) {
      release(id);
      return false;
    }
    while (packet.translations_made > 0 && packet.translations[packet.translations_made - 1u].at == packet.node)
      undo_translation(packet, node.nat ? node.nat->quote : NatQuote::restored);
  }
  return cross(id, packet, static_cast<LinkId>(packet.trail[--packet.crossings] ^ 1u));
}

}  // namespace ecmp::sim
