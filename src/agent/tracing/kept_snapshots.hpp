#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "path/model/snapshot.hpp"

namespace ecmp {

/// Bytes that a snapshot takes, as an upper bound: statistics that it shares with others of its destination count.
inline std::uint64_t bytes_of(const DestinationSnapshot& snapshot) {
  constexpr std::uint64_t kStatistics = sizeof(Statistics) + 256;  // with its histograms, which are some 100 bytes
  std::uint64_t bytes = sizeof snapshot + snapshot.flows.size() * sizeof(FlowSnapshot) +
                        snapshot.links.size() * sizeof(LinkSnapshot) +
                        snapshot.unreachables.size() * sizeof(UnreachableSnapshot);
  for (const PathSnapshot& path : snapshot.paths)
    bytes += sizeof path + kStatistics + path.hops.size() * (sizeof(HopSnapshot) + kStatistics);
  return bytes;
}

/// Snapshots that are replaced, and that a reader keeps alive: an answer that is not read. Of one thread.
class KeptSnapshots {
 public:
  using Pointer = std::shared_ptr<const DestinationSnapshot>;

  /// Takes it if somebody else has it too; otherwise it stays where it is, to be let go.
  void take(Pointer& snapshot) {
    if (snapshot.use_count() < 2) return;
    const std::uint64_t bytes = bytes_of(*snapshot);
    bytes_ += bytes;
    kept_.emplace_back(std::move(snapshot), bytes);
  }

  /// Looks at some of them. Those that nobody else has any more go to `retired`.
  void look(std::vector<Pointer>& retired) {
    for (std::size_t count = 0; count < kLooks && !kept_.empty(); ++count) {
      if (next_ >= kept_.size()) next_ = 0;
      auto& [snapshot, bytes] = kept_[next_];
      if (snapshot.use_count() > 1) {
        ++next_;
        continue;
      }
      bytes_ -= bytes;
      retired.push_back(std::move(snapshot));
      std::swap(kept_[next_], kept_.back());
      kept_.pop_back();
    }
  }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kLooks = 256;  ///< in one turn of the probing loop

  std::vector<std::pair<Pointer, std::uint64_t>> kept_;
  std::size_t next_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace ecmp
