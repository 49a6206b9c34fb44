#pragma once

#include <cstdint>
#include <vector>

#include "base/ip_address.hpp"
#include "packet/five_tuple.hpp"

namespace ecmp {

/// What a reply is found by: everything of the tuple but our own address, which a NAT may have rewritten in a quote.
struct FlowName {
  IpAddress destination;
  Protocol protocol;
  std::uint16_t source_port;
  std::uint16_t destination_port;

  friend bool operator==(const FlowName&, const FlowName&) = default;
};

/// Flows by name. Every probe is looked up twice, as it leaves and by its answer, among tens of thousands that do not
/// fit into the processor's caches: so one table with open addressing, whose entries are a part of the hash and the
/// flow's number. Names stand with the flows, which whoever found one reads next.
class FlowIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  static std::uint64_t hash(const FlowName& name) {
    const std::uint64_t rest = (std::uint64_t{name.source_port} << 16 | name.destination_port) << 2 |
                               static_cast<std::uint64_t>(name.protocol);
    std::uint64_t sum = (std::hash<IpAddress>{}(name.destination) ^ rest) * 0x9e3779b97f4a7c15u;
    sum = (sum ^ (sum >> 32)) * 0xd6e8feb86659fd93u;
    return sum ^ (sum >> 32);
  }

  /// The number of the flow with this hash for which `is_it(number)`; kNone if there is none.
  template <typename IsIt>
  [[nodiscard]] std::uint32_t find(std::uint64_t hash, const IsIt& is_it) const {
    if (size_ == 0) return kNone;
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
      const Entry& entry = entries_[at];
      if (entry.flow == kNone) return kNone;
      if (entry.tag == tag && is_it(entry.flow)) return entry.flow;
    }
  }

  /// Adds a flow that is not there yet.
  void insert(std::uint64_t hash, std::uint32_t flow) {
    if (2 * (size_ + 1) > entries_.size()) grow();
    place(hash, flow);
    ++size_;
  }

  /// Removes a flow, if it is there.
  void erase(std::uint64_t hash, std::uint32_t flow) {
    if (size_ == 0) return;
    std::size_t at = hash & mask();
    while (entries_[at].flow != flow) {
      if (entries_[at].flow == kNone) return;
      at = (at + 1) & mask();
    }
    // Those behind move up, so that no search ends at the gap too early (Knuth, TAOCP vol. 3, 6.4 algorithm R).
    std::size_t gap = at;
    for (std::size_t next = (gap + 1) & mask(); entries_[next].flow != kNone; next = (next + 1) & mask()) {
      const std::size_t home = entries_[next].low & mask();
      if (((next - home) & mask()) < ((next - gap) & mask())) continue;
      entries_[gap] = entries_[next];
      gap = next;
    }
    entries_[gap] = Entry{};
    --size_;
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Entry {
    std::uint32_t low = 0;  ///< of the hash: where it belongs, whatever size the table has
    std::uint32_t tag = 0;  ///< the rest of the hash
    std::uint32_t flow = kNone;
  };

  [[nodiscard]] std::size_t mask() const { return entries_.size() - 1; }

  void place(std::uint64_t hash, std::uint32_t flow) {
    std::size_t at = hash & mask();
    while (entries_[at].flow != kNone)
      at = (at + 1) & mask();
    entries_[at] = {static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(hash >> 32), flow};
  }

  void grow() {
    std::vector<Entry> old(entries_.empty() ? 64 : 2 * entries_.size());
    old.swap(entries_);
    for (const Entry& entry : old)
      if (entry.flow != kNone) place(std::uint64_t{entry.tag} << 32 | entry.low, entry.flow);
  }

  std::vector<Entry> entries_;  ///< a power of two of them, at most half of them used
  std::size_t size_ = 0;
};

}  // namespace ecmp
