#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "sim/topology.hpp"

namespace ecmp::sim {

using PacketId = std::uint32_t;

/// A packet on its way. Its bytes lie in the middle of `storage`, so that an ICMP error can be built around the probe
/// it quotes without copying it.
struct Packet {
  /// Room before a probe for the headers of an ICMP error, and behind it for RFC 4884 padding and extensions.
  static constexpr std::size_t kHeadroom = 64;
  static constexpr std::size_t kTailroom = 640;
  static constexpr std::size_t kMaximumCrossings = 128;
  static constexpr std::size_t kMaximumNats = 4;

  /// A translation on the way, to be undone when the reply comes back through it.
  struct Translation {
    NodeId at = kNone;
    IpAddress source;
    std::uint16_t port = 0;
    std::uint16_t checksum = 0;
  };

  std::vector<std::uint8_t> storage;
  std::size_t begin = 0;
  std::size_t size = 0;

  Instant time{};         ///< when it is at `node`
  NodeId node = kNone;    ///< where it is
  NodeId target = kNone;  ///< the destination it goes to; kNone: an address that nobody has
  bool reply = false;
  bool passing = false;  ///< a reply that has left its sender
  bool arrived = false;  ///< complete, at the agent: to be handed over
  Family family = Family::ipv4;
  std::uint8_t protocol = 0;
  std::uint8_t header_size = 0;  ///< of the probe's IP header
  std::uint8_t ttl = 0;          ///< the truth; the bytes get it when somebody reads them
  std::uint8_t crossings = 0;    ///< links in `trail`
  std::uint8_t translations_made = 0;
  bool hashed = false;                    ///< `hashes` are right
  std::array<std::uint64_t, 3> hashes{};  ///< by HashPolicy
  std::uint64_t connection = 0;  ///< a SYN-ACK that is sent again as long as this one is half open; 0: not such
  std::uint32_t generation = 0;
  std::array<LinkId, kMaximumCrossings> trail;
  std::array<Translation, kMaximumNats> translations;

  [[nodiscard]] MutableBytes bytes() { return {storage.data() + begin, size}; }
  [[nodiscard]] ByteView view() const { return {storage.data() + begin, size}; }

  /// Takes a copy of `datagram` and forgets all of its life before.
  void assign(ByteView datagram);
};

/// Packets that are used again and again: nothing is allocated once as many exist as are ever on their way at once.
class PacketPool {
 public:
  PacketId take();
  void give_back(PacketId id) { free_.push_back(id); }
  Packet& operator[](PacketId id) { return packets_[id]; }
  [[nodiscard]] std::size_t in_use() const { return packets_.size() - free_.size(); }

 private:
  std::deque<Packet> packets_;  ///< a deque: references stay valid while it grows
  std::vector<PacketId> free_;
};

/// Packets by time, then by the order in which they were put in: the same run every time.
class EventQueue {
 public:
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  /// Only when not empty.
  [[nodiscard]] Instant next_time() const { return heap_.front().time; }
  void push(Instant time, PacketId packet);
  PacketId pop();

 private:
  struct Event {
    Instant time;
    std::uint64_t order_and_packet;  ///< order << 32 | packet
    [[nodiscard]] bool before(const Event& other) const {
      return time != other.time ? time < other.time : order_and_packet < other.order_and_packet;
    }
  };

  std::vector<Event> heap_;  ///< 4-ary: half the levels, and the four children share a cache line
  std::uint32_t pushed_ = 0;
};

}  // namespace ecmp::sim
