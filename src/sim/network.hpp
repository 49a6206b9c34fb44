#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "packet/five_tuple.hpp"
#include "probe/transport.hpp"
#include "sim/packet_pool.hpp"
#include "sim/random.hpp"
#include "sim/topology.hpp"

namespace ecmp::sim {

/// A network, and what will happen to it.
struct Scenario {
  std::string name;
  std::string about;
  Topology topology;
  std::vector<Change> changes;
};

/// Of one direction of a link. Probes and replies alike.
struct LinkCounts {
  std::uint64_t forwarded = 0;  ///< all that came out at the other end
  std::uint64_t dropped = 0;    ///< lost, or the link was down
  std::uint64_t duplicated = 0;
};

struct NodeCounts {
  std::uint64_t arrived = 0;     ///< probes, not replies passing through
  std::uint64_t replies = 0;     ///< sent
  std::uint64_t suppressed = 0;  ///< not sent for the ICMP limit
  std::uint64_t silent = 0;      ///< not sent, since the node never answers
  std::uint64_t lost = 0;        ///< replies of its own that it lost
  std::uint64_t filtered = 0;    ///< probes dropped by a filter
  std::uint64_t while_down = 0;  ///< probes and replies that came while it was down
  std::uint64_t bad_checksum = 0;
};

struct NetworkCounts {
  std::uint64_t sent = 0;  ///< probes that left the agent
  std::uint64_t send_errors = 0;
  std::uint64_t malformed = 0;  ///< sent, but no router would forward it
  std::uint64_t lost_in_loops = 0;
  std::uint64_t delivered = 0;  ///< datagrams handed to the agent
  std::uint64_t injected = 0;
};

/// What a flow really does.
struct TruePath {
  std::vector<IpAddress> responders;  ///< by TTL from 1; the destination last, if it is reached
  bool reached = false;
  bool exact = true;  ///< false when a router on the way balances per packet: only one of the possible paths then
};

/// A network in one process, with its own time: hours of it run in seconds, and the same seed gives the same bytes at
/// the same times. Replies take the way of their probe back.
///
/// A probe is carried through its whole life at once when nothing on the way depends on what else happens; it waits
/// in the queue of events only before a change of the network and before a router that counts its ICMP messages. So
/// changes of the network have to be known before the packets that they concern are sent.
class SimulatedNetwork final : public Transport {
 public:
  SimulatedNetwork(const Scenario& scenario, std::uint64_t seed);

  /// Network time begins here, so that 0 is no time at which anything happens.
  static constexpr Instant kStart = Instant(std::chrono::hours(1));

  Instant now() override { return now_; }
  void send(std::span<Outgoing> batch) override;
  /// Returns after handing over all that arrived at one moment, or at the deadline.
  void receive(Instant deadline, CaptureSink& sink) override;

  /// What is captured is handed over only at multiples of this, as a ring of packet blocks does. Stamps stay exact.
  void set_delivery_block(Duration block) { delivery_block_ = block; }

  /// Adds a change; `at` counts from kStart and is not in the past. Of two at one time the one added first is first.
  void schedule(Change change);

  /// Arbitrary bytes that the agent captures at a time (not in the past).
  void inject(ByteView datagram, Instant at);

  /// The responders of a flow at a time, whatever they would answer.
  [[nodiscard]] TruePath path_of(const FiveTuple& tuple, std::uint32_t flow_label, Instant at,
                                 std::uint16_t icmp_checksum = 0) const;
  /// The same for the flow that this datagram belongs to.
  [[nodiscard]] TruePath path_of(ByteView probe, Instant at) const;

  [[nodiscard]] const Topology& topology() const { return topology_; }
  /// As it was, or will be.
  [[nodiscard]] Topology topology_at(Instant at) const;
  /// Throws std::out_of_range for a name that is not there.
  [[nodiscard]] const IpAddress& address(std::string_view node, Family family = Family::ipv4) const;
  [[nodiscard]] const NetworkCounts& counts() const { return counts_; }
  [[nodiscard]] const NodeCounts& counts_of(std::string_view node) const;
  [[nodiscard]] const LinkCounts& counts_of(std::string_view from, std::string_view to) const;
  [[nodiscard]] std::size_t packets_on_the_way() const { return pool_.in_use(); }

 private:
  /// What is left of a limit; of a window: since `filled`, the begin of its second.
  struct Bucket {
    double tokens = 0;
    Instant filled{};
    Instant prober_asks{};  ///< next; see IcmpLimit::prober
    bool used = false;
  };

  struct Flowlet {
    Instant newest = Instant::min();
    std::uint64_t place = 0;
  };

  // oracle.cpp
  TruePath path_of(Packet& packet, Instant at) const;

  // network.cpp
  SendError try_send(ByteView datagram);
  void apply_changes(Instant until);
  void hand_over(Instant moment, CaptureSink& sink);
  void release(PacketId id) { pool_.give_back(id); }
  void arrive(PacketId id);

  // router.cpp
  LinkId choose_for_flowlet(const NextHops& hops, const Node& node, Packet& packet);
  void travel(PacketId id);
  bool forward(PacketId id, Packet& packet);
  bool go_back(PacketId id, Packet& packet);
  bool cross(PacketId id, Packet& packet, LinkId link);
  bool pass_filters(PacketId id, Packet& packet, const Node& node);

  // destination.cpp: answers of all kinds of nodes. They say whether the packet is a reply now and goes on.
  bool answer(PacketId id, Packet& packet);
  bool answer_with_error(PacketId id, Packet& packet, packet::ReplyKind kind);
  bool may_reply(PacketId id, Packet& packet, std::optional<AnswerClass> of);
  void ask_as_prober(const IcmpLimit& limit, Bucket& bucket, bool first, Instant now);
  bool within_limit(const IcmpLimit& limit, Bucket& bucket, Instant now);
  void begin_reply(Packet& packet, const Node& node);
  std::uint16_t next_ip_id(NodeId node) { return ++ip_ids_[node]; }

  bool answer_tcp(PacketId id, Packet& packet, PortState port);
  void kernel_answers(const Packet& packet, Instant moment, CaptureSink& sink);

  Topology initial_;
  Topology topology_;
  std::vector<Change> changes_;  ///< by time
  std::size_t changes_done_ = 0;
  Instant next_change_{};
  Instant now_ = kStart;
  Random random_;
  PacketPool pool_;
  EventQueue queue_;
  std::vector<PacketId> moment_;  ///< what arrives at one moment
  Duration delivery_block_{};
  HalfOpenTable half_open_;
  std::vector<std::array<Bucket, kAnswerClasses>> buckets_;
  std::vector<NodeId> boxes_;  ///< by node: the first one of its machine, whose buckets are those of all
  std::unordered_map<std::uint64_t, Flowlet> flowlets_;  ///< by router and flow
  std::vector<std::uint16_t> ip_ids_;
  std::vector<NodeCounts> node_counts_;
  std::vector<LinkCounts> link_counts_;
  NetworkCounts counts_;
};

/// Which of the next hops a packet takes; kNone if there are none. Fills in the packet's hashes when they are needed.
LinkId choose_next_hop(const NextHops& hops, const Node& node, Packet& packet, std::uint64_t random_number);

}  // namespace ecmp::sim
