#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "sim/network.hpp"
#include "sim/wire.hpp"

namespace ecmp::sim {

bool SimulatedNetwork::answer(PacketId id, Packet& packet) {
  const NodeId here = packet.node;
  const Node& node = topology_.nodes[here];
  if ((node.icmp_limit || node.tcp_stack != TcpStack::stateless) && packet.time > now_) {
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
  const bool is_rst = packet.protocol == kTcp && (tcp_flags_of(packet) & kRst) != 0;  // never answered with an error
  if (node.reject && !is_rst) return answer_with_error(id, packet, *node.reject);
  if (packet.protocol == kIcmp || packet.protocol == kIcmpV6) {
    if (!is_echo_request(packet) || !node.echo) {
      ++counts.filtered;
      release(id);
      return false;
    }
    if (!may_reply(id, packet, AnswerClass::echo)) return false;
    make_echo_reply(packet, next_ip_id(here));
  } else {
    const bool udp = packet.protocol == kUdp;
    const PortState port = (udp ? node.udp : node.tcp).of(destination_port_of(packet));
    if (!udp && (node.tcp_stack != TcpStack::stateless || (tcp_flags_of(packet) & kRst) != 0))
      return answer_tcp(id, packet, port);
    if (port == PortState::filtered) {
      ++counts.filtered;
      release(id);
      return false;
    }
    if (udp && port == PortState::closed) return answer_with_error(id, packet, packet::ReplyKind::port_unreachable);
    if (!may_reply(id, packet, udp ? std::nullopt : std::optional(AnswerClass::tcp))) return false;
    if (udp) {
      make_udp_reply(packet, node.udp_answer, next_ip_id(here));
    } else {
      make_tcp_reply(packet, port == PortState::open, next_ip_id(here));
    }
  }
  begin_reply(packet, node);
  return true;
}

/// A listener that remembers. What it will send again is on its way already, and looks when its time comes whether
/// anybody still waits for it.
bool SimulatedNetwork::answer_tcp(PacketId id, Packet& packet, PortState port) {
  const Node& node = topology_.nodes[packet.node];
  const std::uint64_t connection = connection_of(packet);
  if ((tcp_flags_of(packet) & kRst) != 0) {  // never answered
    half_open_.on_rst(connection, tcp_sequence_of(packet));
    release(id);
    return false;
  }
  if (port == PortState::filtered) {
    ++node_counts_[packet.node].filtered;
    release(id);
    return false;
  }
  HalfOpenTable::Decision decision{.answer = HalfOpenTable::Answer::rst,
                                   .acknowledgement = tcp_sequence_of(packet) + 1};
  if (port == PortState::open)
    decision = half_open_.on_syn(node.tcp_stack, connection, tcp_sequence_of(packet), packet.time);
  if (decision.answer == HalfOpenTable::Answer::none) {
    ++node_counts_[packet.node].silent;
    release(id);
    return false;
  }
  constexpr std::array<std::uint8_t, 4> kFlags{0, kSyn | kAck, kAck, kRst | kAck};
  make_tcp_answer(packet, kFlags[static_cast<std::size_t>(decision.answer)], decision.acknowledgement,
                  next_ip_id(packet.node));
  packet.ttl = node.reply_ttl;
  packet.passing = false;
  if (decision.fresh) {
    for (const Duration after : rules_of(node.tcp_stack).resends) {
      const PacketId again = pool_.take();
      pool_[again] = packet;
      pool_[again].time += after;
      pool_[again].connection = connection;
      pool_[again].generation = decision.generation;
      queue_.push(pool_[again].time, again);
    }
  }
  if (random_.happens(node.reply_loss)) {
    ++node_counts_[packet.node].lost;
    release(id);
    return false;
  }
  ++node_counts_[packet.node].replies;
  packet.time += random_.draw(node.processing);
  return true;
}

bool SimulatedNetwork::answer_with_error(PacketId id, Packet& packet, packet::ReplyKind kind) {
  const Node& node = topology_.nodes[packet.node];
  const bool expired = kind == packet::ReplyKind::time_exceeded;
  if (!may_reply(id, packet, expired ? AnswerClass::time_exceeded : AnswerClass::unreachable)) return false;

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

/// Whoever else asks has done so for long, and is answered first come, first served.
void SimulatedNetwork::ask_as_prober(const IcmpLimit& limit, Bucket& bucket, bool first, Instant now) {
  constexpr Duration kBefore = std::chrono::seconds(30);
  if (first) {
    bucket.tokens = limit.burst;
    bucket.filled = now - kBefore;
    bucket.prober_asks =
        now - kBefore +
        Duration(static_cast<Duration::rep>(random_.unit() * static_cast<double>(limit.prober.count())));
  }
  for (; bucket.prober_asks <= now; bucket.prober_asks += limit.prober) {
    if (bucket.prober_asks < bucket.filled) continue;
    const double filled = std::chrono::duration<double>(bucket.prober_asks - bucket.filled).count() * limit.rate;
    bucket.tokens = std::min(limit.burst, bucket.tokens + filled);
    bucket.filled = bucket.prober_asks;
    if (bucket.tokens >= 1) bucket.tokens -= 1;
  }
}

bool SimulatedNetwork::within_limit(const IcmpLimit& limit, Bucket& bucket, Instant now) {
  const bool first = !std::exchange(bucket.used, true);
  const double seconds = std::chrono::duration<double>(now - bucket.filled).count();
  if (limit.model == IcmpLimit::Model::collapse) {
    if (!first && now - bucket.filled < limit.queue) return false;
    bucket.filled = now;
    return true;
  }
  if (limit.model == IcmpLimit::Model::window) {
    if (first || seconds >= 1) {
      const double second = std::chrono::duration<double>(now.time_since_epoch()).count();
      bucket.filled = Instant(std::chrono::seconds(static_cast<std::int64_t>(second)));
      bucket.tokens = std::floor(limit.rate + limit.jitter * (2 * random_.unit() - 1));
    }
    bucket.tokens -= 1;
    return bucket.tokens >= 0;
  }
  if (limit.prober > Duration{}) ask_as_prober(limit, bucket, first, now);
  double filled = first && limit.prober == Duration{}
                      ? limit.burst
                      : bucket.tokens + std::chrono::duration<double>(now - bucket.filled).count() * limit.rate;
  if (!first && limit.others > 0) filled -= std::floor(seconds * limit.others + random_.unit());
  bucket.filled = now;
  bucket.tokens = std::clamp(filled, 0.0, limit.burst);
  // Sums of fractions of tokens come out a little below the whole one that they are.
  constexpr double kRounding = 1e-6;
  if (bucket.tokens + kRounding < 1) return false;
  bucket.tokens -= limit.random_cost ? static_cast<double>(random_.below(3)) : 1;
  return true;
}

/// Whether the node gets an answer out. `of`: what it is, as far as limits are concerned; nothing: no limit is.
bool SimulatedNetwork::may_reply(PacketId id, Packet& packet, std::optional<AnswerClass> of) {
  const Node& node = topology_.nodes[packet.node];
  NodeCounts& counts = node_counts_[packet.node];
  std::uint64_t* reason = nullptr;
  if (node.silent) {
    reason = &counts.silent;
  } else if (of && node.icmp_limit && node.icmp_limit->concerns[static_cast<std::size_t>(*of)]) {
    const std::size_t which = node.icmp_limit->each ? static_cast<std::size_t>(*of) : 0;
    if (!within_limit(*node.icmp_limit, buckets_[boxes_[packet.node]][which], packet.time)) reason = &counts.suppressed;
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
