#include <algorithm>

#include "sim/network.hpp"
#include "sim/wire.hpp"

namespace ecmp::sim {

bool SimulatedNetwork::answer(PacketId id, Packet& packet) {
  const NodeId here = packet.node;
  const Node& node = topology_.nodes[here];
  if (node.icmp_limit && packet.time > now_) {
    queue_.push(packet.time, id);
    return false;
  }
  NodeCounts& counts = node_counts_[here];
  ++counts.arrived;
  if (here != packet.target) {  // a static route has led it to somebody else's door
    ++counts.filtered;
    release(id);
    return false;
  }
  if (node.gateway && packet.ttl <= 1) return answer_with_error(id, packet, packet::ReplyKind::time_exceeded);
  if (!transport_checksum_right(packet)) {
    ++counts.bad_checksum;
    release(id);
    return false;
  }
  if (packet.protocol == kIcmp || packet.protocol == kIcmpV6) {
    if (!is_echo_request(packet) || !node.echo) {
      ++counts.filtered;
      release(id);
      return false;
    }
    if (!may_reply(id, packet, true)) return false;
    make_echo_reply(packet, next_ip_id(here));
  } else {
    const bool udp = packet.protocol == kUdp;
    const PortState port = (udp ? node.udp : node.tcp).of(destination_port_of(packet));
    if (port == PortState::filtered) {
      ++counts.filtered;
      release(id);
      return false;
    }
    if (udp && port == PortState::closed) return answer_with_error(id, packet, packet::ReplyKind::port_unreachable);
    if (!may_reply(id, packet, false)) return false;
    if (udp) {
      make_udp_reply(packet, node.udp_answer, next_ip_id(here));
    } else {
      make_tcp_reply(packet, port == PortState::open, next_ip_id(here));
    }
  }
  begin_reply(packet, node);
  return true;
}

bool SimulatedNetwork::answer_with_error(PacketId id, Packet& packet, packet::ReplyKind kind) {
  const Node& node = topology_.nodes[packet.node];
  if (!may_reply(id, packet, true)) return false;

  // A router answers with the address of the interface that the probe came in by (RFC 1812 section 4.3.2.4). A
  // destination answers with the address that was asked for: it may have a whole prefix of them.
  IpAddress from = node.addresses.of(packet.family);
  if (node.kind == NodeKind::destination) {
    const IpAddress& alias = node.alias.of(packet.family);
    from = alias.is_unspecified() ? destination_of(packet) : alias;
  } else if (packet.crossings > 0) {
    const IpAddress& ingress = topology_.links[packet.trail[packet.crossings - 1u]].ingress.of(packet.family);
    if (!ingress.is_unspecified()) from = ingress;
  }
  if (from.is_unspecified()) {  // it does not speak this family
    ++node_counts_[packet.node].silent;
    release(id);
    return false;
  }
  make_icmp_error(packet, node, from, icmp_code(packet.family, kind), next_ip_id(packet.node));
  begin_reply(packet, node);
  return true;
}

/// Whether the node gets an answer out. `limited`: by its ICMP limit.
bool SimulatedNetwork::may_reply(PacketId id, Packet& packet, bool limited) {
  const Node& node = topology_.nodes[packet.node];
  NodeCounts& counts = node_counts_[packet.node];
  std::uint64_t* reason = nullptr;
  if (node.silent) {
    reason = &counts.silent;
  } else if (limited && node.icmp_limit) {
    Bucket& bucket = buckets_[packet.node];
    const double seconds = std::chrono::duration<double>(packet.time - bucket.filled).count();
    const double filled = bucket.used ? bucket.tokens + seconds * node.icmp_limit->rate : node.icmp_limit->burst;
    bucket.used = true;
    bucket.filled = packet.time;
    bucket.tokens = std::min(filled, node.icmp_limit->burst);
    // Sums of fractions of tokens come out a little below the whole one that they are.
    constexpr double kRounding = 1e-6;
    if (bucket.tokens + kRounding >= 1) {
      bucket.tokens -= 1;
    } else {
      reason = &counts.suppressed;
    }
  }
  if (reason == nullptr && random_.happens(node.reply_loss)) reason = &counts.lost;
  if (reason != nullptr) {
    ++*reason;
    release(id);
    return false;
  }
  ++counts.replies;
  return true;
}

void SimulatedNetwork::begin_reply(Packet& packet, const Node& node) {
  packet.ttl = node.reply_ttl;
  packet.passing = false;
  packet.time += random_.draw(node.processing);
}

}  // namespace ecmp::sim
