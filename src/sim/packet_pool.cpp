#include "sim/packet_pool.hpp"

#include <algorithm>
#include <cstring>

namespace ecmp::sim {

void Packet::assign(ByteView datagram) {
  const std::size_t needed = kHeadroom + datagram.size() + kTailroom;
  if (storage.size() < needed) storage.resize(needed);
  begin = kHeadroom;
  size = datagram.size();
  if (size > 0) std::memcpy(storage.data() + begin, datagram.data(), size);
  node = kNone;
  target = kNone;
  reply = false;
  passing = false;
  arrived = false;
  connection = 0;
  crossings = 0;
  translations_made = 0;
  hashed = false;
}

PacketId PacketPool::take() {
  if (free_.empty()) {
    packets_.emplace_back();
    // Every packet may come back at once.
    if (free_.capacity() < packets_.size()) free_.reserve(2 * packets_.size());
    return static_cast<PacketId>(packets_.size() - 1);
  }
  const PacketId id = free_.back();
  free_.pop_back();
  return id;
}

void EventQueue::push(Instant time, PacketId packet) {
  const Event event{time, std::uint64_t{pushed_++} << 32 | packet};
  heap_.push_back(event);
  std::size_t at = heap_.size() - 1;
  while (at > 0) {
    const std::size_t parent = (at - 1) / 4;
    if (!event.before(heap_[parent])) break;
    heap_[at] = heap_[parent];
    at = parent;
  }
  heap_[at] = event;
}

PacketId EventQueue::pop() {
  const auto packet = static_cast<PacketId>(heap_.front().order_and_packet);
  const Event last = heap_.back();
  heap_.pop_back();
  const std::size_t count = heap_.size();
  if (count == 0) return packet;
  std::size_t at = 0;
  for (;;) {
    const std::size_t first = 4 * at + 1;
    if (first >= count) break;
    std::size_t least = first;
    for (std::size_t child = first + 1; child < std::min(first + 4, count); ++child) {
      if (heap_[child].before(heap_[least])) least = child;
    }
    if (!heap_[least].before(last)) break;
    heap_[at] = heap_[least];
    at = least;
  }
  heap_[at] = last;
  return packet;
}

}  // namespace ecmp::sim
