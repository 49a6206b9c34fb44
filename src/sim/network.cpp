#include "sim/network.hpp"

#include <algorithm>

#include "sim/wire.hpp"

namespace ecmp::sim {

namespace {

std::uint64_t hash_of_name(const std::string& name) {
  std::uint64_t sum = 0xcbf29ce484222325u;
  for (const char letter : name)
    sum = (sum ^ static_cast<std::uint8_t>(letter)) * 0x100000001b3u;
  return mix(sum);
}

}  // namespace

SimulatedNetwork::SimulatedNetwork(const Scenario& scenario, std::uint64_t seed)
    : initial_(scenario.topology), changes_(scenario.changes), random_(seed) {
  // A router's hash depends on the seed and its name, not on where in the file it stands.
  for (Node& node : initial_.nodes) {
    if (node.hash_seed == 0) node.hash_seed = mix(seed + 0x9e3779b97f4a7c15u) ^ hash_of_name(node.name);
    ip_ids_.push_back(static_cast<std::uint16_t>(hash_of_name(node.name) ^ seed));
  }
  initial_.compute_routes();
  topology_ = initial_;  // NOLINT(cppcoreguidelines-prefer-member-initializer): with the routes, which came just now
  std::ranges::stable_sort(changes_, {}, &Change::at);
  buckets_.resize(initial_.nodes.size());
  for (NodeId id = 0; id < initial_.nodes.size(); ++id) {
    const std::string& box = initial_.nodes[id].box;
    const auto first = box.empty() ? initial_.nodes.begin() + id : std::ranges::find(initial_.nodes, box, &Node::box);
    boxes_.push_back(static_cast<NodeId>(first - initial_.nodes.begin()));
  }
  node_counts_.resize(initial_.nodes.size());
  link_counts_.resize(initial_.links.size());
  apply_changes(now_);
}

void SimulatedNetwork::schedule(Change change) {
  const auto place = std::ranges::upper_bound(changes_, change.at, {}, &Change::at);
  const auto first_open = changes_.begin() + static_cast<std::ptrdiff_t>(changes_done_);
  changes_.insert(std::max(place, first_open), std::move(change));
  apply_changes(now_);
}

void SimulatedNetwork::apply_changes(Instant until) {
  while (changes_done_ < changes_.size() && kStart + changes_[changes_done_].at <= until)
    changes_[changes_done_++].apply(topology_);
  next_change_ = changes_done_ < changes_.size() ? kStart + changes_[changes_done_].at : Instant::max();
}

void SimulatedNetwork::send(std::span<Outgoing> batch) {
  for (Outgoing& outgoing : batch) {
    outgoing.at = now_;
    outgoing.error = try_send(outgoing.bytes);
    if (outgoing.error == SendError::none) {
      ++counts_.sent;
    } else {
      ++counts_.send_errors;
    }
  }
}

SendError SimulatedNetwork::try_send(ByteView datagram) {
  if (topology_.send_error != SendError::none) return topology_.send_error;
  const PacketId id = pool_.take();
  Packet& packet = pool_[id];
  packet.assign(datagram);
  if (!read_headers(packet)) {
    ++counts_.malformed;
    release(id);
    return SendError::none;
  }
  packet.time = now_;
  packet.node = topology_.agent();
  packet.target = topology_.owner(destination_of(packet));

  // The agent is a host with routes: the first step can fail, and then the caller is told.
  const Node& agent = topology_.nodes[packet.node];
  LinkId first = kNone;
  if (packet.target != kNone) {
    const NextHops& hops = topology_.next_hops(packet.node, topology_.nodes[packet.target].destination);
    first = choose_next_hop(hops, agent, packet, agent.hash == HashPolicy::per_packet ? random_.next() : 0);
  } else if (topology_.links_from(packet.node).size() == 1) {
    first = topology_.links_from(packet.node).front();  // a default route: the network says that there is nobody
  }
  if (first == kNone || topology_.links[first].down) {
    release(id);
    return first == kNone ? SendError::no_route : SendError::link_down;
  }
  if (cross(id, packet, first)) travel(id);
  return SendError::none;
}

void SimulatedNetwork::receive(Instant deadline, CaptureSink& sink) {
  for (;;) {
    const Instant event = queue_.empty() ? Instant::max() : queue_.next_time();
    const Instant next = std::min(event, next_change_);
    if (next > deadline || next == Instant::max()) {
      now_ = std::max(now_, deadline);
      return;
    }
    now_ = std::max(now_, next);
    if (next_change_ <= event) {
      apply_changes(now_);
      continue;
    }
    moment_.clear();
    while (!queue_.empty() && queue_.next_time() == next) {
      const PacketId id = queue_.pop();
      if (pool_[id].arrived) {
        moment_.push_back(id);
      } else {
        travel(id);
      }
    }
    if (moment_.empty()) continue;
    hand_over(next, sink);
    return;
  }
}

void SimulatedNetwork::hand_over(Instant moment, CaptureSink& sink) {
  if (delivery_block_ > Duration::zero()) {
    std::ranges::stable_sort(moment_, {}, [this](PacketId id) { return pool_[id].time; });
  }
  // By index: a sink may send or inject, which touches the queue but not what has arrived already.
  for (std::size_t i = 0; i < moment_.size(); ++i) {
    const Packet& packet = pool_[moment_[i]];
    ++counts_.delivered;
    sink.on_captured({packet.view(), std::min(packet.time, moment), Direction::incoming});
    if (packet.protocol == kTcp && packet.reply) kernel_answers(packet, std::min(packet.time, moment), sink);
    release(moment_[i]);
  }
}

/// The agent's kernel knows of no connection, and says so with a RST: the capture sees it leave. It travels on only
/// where somebody may need it.
void SimulatedNetwork::kernel_answers(const Packet& packet, Instant moment, CaptureSink& sink) {
  const bool v4 = packet.family == Family::ipv4;
  if (packet.view()[v4 ? 9 : 6] != kTcp) return;  // an ICMP error about a SYN
  const std::uint8_t flags = packet.view()[(v4 ? 20u : 40u) + 13u];
  if ((flags & kAck) == 0 || (flags & kRst) != 0 || !topology_.nodes[topology_.agent()].kernel_resets) return;
  const std::vector<std::uint8_t> reset = reset_of(packet);
  sink.on_captured({reset, moment, Direction::outgoing});
  const NodeId target = topology_.owner(source_of(packet));
  if (target != kNone && topology_.nodes[target].tcp_stack != TcpStack::stateless) static_cast<void>(try_send(reset));
}

void SimulatedNetwork::arrive(PacketId id) {
  Packet& packet = pool_[id];
  packet.arrived = true;
  Duration since = packet.time.time_since_epoch();
  if (const Duration::rep block = delivery_block_.count(); block > 0)
    since = Duration((since.count() + block - 1) / block * block);
  queue_.push(Instant(since), id);
}

void SimulatedNetwork::inject(ByteView datagram, Instant at) {
  const PacketId id = pool_.take();
  Packet& packet = pool_[id];
  packet.assign(datagram);
  packet.time = std::max(at, now_);
  ++counts_.injected;
  arrive(id);
}

const IpAddress& SimulatedNetwork::address(std::string_view node, Family family) const {
  return topology_.nodes[topology_.node_id(node)].addresses.of(family);
}

const NodeCounts& SimulatedNetwork::counts_of(std::string_view node) const {
  return node_counts_[topology_.node_id(node)];
}

const LinkCounts& SimulatedNetwork::counts_of(std::string_view from, std::string_view to) const {
  return link_counts_[topology_.link_id(from, to)];
}

}  // namespace ecmp::sim
