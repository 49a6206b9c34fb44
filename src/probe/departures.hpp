#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/bytes.hpp"

namespace ecmp {

/// A probe that was handed over to be sent.
struct Departed {
  std::uint32_t flow = 0;
  std::uint32_t round = 0;  ///< of a stream's packet: its sequence number
  std::uint8_t ttl = 0;
  std::uint8_t attempt = 0;
  bool of_stream = false;

  friend bool operator==(const Departed&, const Departed&) = default;
};

/// The probes that left last and were not seen at the interface yet, oldest first. The capture shows them in the order
/// in which they left, but for those that were held up or never went: so the next datagram that it shows is known by
/// its first bytes, and need not be parsed, decoded and looked up.
class Departures {
 public:
  void add(ByteView datagram, const Departed& probe) {
    if (entries_.empty()) entries_.resize(kMost);
    if (end_ - first_ == kMost) ++first_;
    Entry& entry = entries_[end_++ % kMost];
    entry.size = head_of(datagram);
    std::copy_n(datagram.begin(), entry.size, entry.head.begin());
    entry.probe = probe;
  }

  /// The probe that this datagram is, and those before it are waited for no more; nullptr: it is none of the next ones.
  [[nodiscard]] const Departed* take(ByteView datagram) {
    const std::size_t size = head_of(datagram);
    for (std::uint64_t at = first_; at != end_ && at - first_ < kLook; ++at) {
      const Entry& entry = entries_[at % kMost];
      if (entry.size != size || std::memcmp(entry.head.data(), datagram.data(), size) != 0) continue;
      first_ = at + 1;
      return &entry.probe;
    }
    return nullptr;
  }

  /// It was seen, and recognised by other means.
  void pass(const Departed& probe) {
    for (std::uint64_t at = first_; at != end_; ++at) {
      if (entries_[at % kMost].probe != probe) continue;
      first_ = at + 1;
      return;
    }
  }

  void clear() { first_ = end_; }

 private:
  static constexpr std::size_t kMost = 1024;  ///< some 25 ms of 40,000 probes a second
  static constexpr std::size_t kLook = 16;
  static constexpr std::size_t kHeadV4 = 28, kHeadV6 = 48;  ///< IP header and the 8 bytes behind it

  /// How many bytes tell a probe from all others: addresses, ports, TTL, IP-ID, and what the transport header says.
  static std::uint8_t head_of(ByteView datagram) {
    const std::size_t head = !datagram.empty() && datagram[0] >> 4 == 4 ? kHeadV4 : kHeadV6;
    return static_cast<std::uint8_t>(std::min(head, datagram.size()));
  }

  struct Entry {
    std::array<std::uint8_t, kHeadV6> head{};
    Departed probe;
    std::uint8_t size = 0;
  };
  std::vector<Entry> entries_;  ///< a ring, once there was a probe
  std::uint64_t first_ = 0, end_ = 0;
};

}  // namespace ecmp
