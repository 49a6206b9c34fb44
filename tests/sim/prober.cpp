#include "sim/prober.hpp"

#include <algorithm>
#include <array>

namespace ecmp::sim {

packet::ReplyKind Reply::kind() const {
  if (const auto* icmp = error()) return packet::reply_kind(icmp->from.family(), icmp->type, icmp->code);
  if (const auto* segment = tcp()) return segment->syn ? packet::ReplyKind::syn_ack : packet::ReplyKind::rst;
  if (udp() != nullptr) return packet::ReplyKind::udp;
  return echo() != nullptr ? packet::ReplyKind::echo_reply : packet::ReplyKind::none;
}

IpAddress Reply::from() const {
  if (const auto* icmp = error()) return icmp->from;
  if (const auto* segment = tcp()) return segment->from;
  if (const auto* datagram = udp()) return datagram->from;
  return echo() != nullptr ? echo()->from : IpAddress();
}

packet::ProbeDatagram Prober::probe(Protocol protocol, const IpAddress& destination, std::uint16_t source_port,
                                    std::uint8_t ttl) const {
  packet::ProbeDatagram probe;
  const Family family = destination.family();
  probe.tuple = {network_.address("agent", family), destination, protocol, source_port,
                 static_cast<std::uint16_t>(protocol == Protocol::icmp ? 0 : 33434)};
  probe.ttl = ttl;
  probe.flow_label = 0x12345;
  probe.ip_id = 0x4321;
  probe.total_size = static_cast<std::uint16_t>(std::max<std::size_t>(packet::minimum_size(family, protocol), 80));
  // As the engine does: one checksum for all probes of an ICMP flow, and another one for every flow.
  probe.checksum = static_cast<std::uint16_t>(0x1000 + source_port);
  probe.sequence = 0x0a0b0c0d;
  probe.tag = {1, 2, 3, 4, 5, 6, 7, 8};
  return probe;
}

packet::ProbeDatagram Prober::udp(std::string_view node, std::uint16_t source_port, std::uint8_t ttl,
                                  Family family) const {
  return probe(Protocol::udp, network_.address(node, family), source_port, ttl);
}

SendError Prober::send(const packet::ProbeDatagram& probe) {
  std::array<std::uint8_t, packet::kMaximumProbeSize> bytes{};
  return send(packet::write_probe(probe, bytes));
}

SendError Prober::send(ByteView datagram) {
  std::array<Outgoing, 1> batch{};
  batch[0].bytes = datagram;
  network_.send(batch);
  return batch[0].error;
}

std::vector<Reply> Prober::wait(Duration time) {
  const Instant end = network_.now() + time;
  while (network_.now() < end)
    network_.receive(end, *this);
  return std::exchange(replies_, {});
}

std::vector<Reply> Prober::ask(const packet::ProbeDatagram& probe, Duration time) {
  send(probe);
  return wait(time);
}

IpAddress Prober::responder(const packet::ProbeDatagram& probe) {
  const std::vector<Reply> replies = ask(probe);
  return replies.size() == 1 ? replies[0].from() : IpAddress();
}

void Prober::on_captured(const Captured& datagram) {
  if (datagram.direction == Direction::outgoing) return;  // a RST of the agent's kernel
  Reply& reply = replies_.emplace_back();
  reply.at = datagram.at;
  reply.bytes.assign(datagram.bytes.begin(), datagram.bytes.end());
  reply.message = packet::parse(reply.bytes);
}

}  // namespace ecmp::sim
