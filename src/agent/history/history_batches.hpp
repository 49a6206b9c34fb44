#pragma once

// Private to what reads and writes the history on disk: how items become the batches of a group, and how they are got
// out of them.

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "agent/history/history_files.hpp"
#include "path/history/rollup_codec.hpp"
#include "path/model/event.hpp"

namespace ecmp::history_batches {

/// What a reader holds at once is a group.
constexpr std::size_t kGroupItems = 2048;
/// A block of fewer items compresses badly.
constexpr std::size_t kShardItems = 128;
constexpr std::size_t kMostShards = 16;

inline WallTime time_of(const StoredRound& round) {
  return round.record->wall(round.record->round.started);
}
inline WallTime time_of(const StoredEvent& event) {
  return event.event->time;
}
inline WallTime time_of(const StoredRollup& item) {
  return item.rollup.minute;
}
inline void add_destinations(HistoryBlockHead& head, const StoredRollup& item) {
  head.destinations.add(*item.rollup.destination);
}
inline void add_destinations(HistoryBlockHead& head, const StoredRound& round) {
  head.destinations.add(round.record->destination->name);
}
/// Verdicts on links are found by the destinations that reproduce them.
inline void add_destinations(HistoryBlockHead& head, const StoredEvent& event) {
  if (event.event->destination != nullptr) head.destinations.add(event.event->destination->name);
  const auto* const verdict = event.event->get<LinkVerdict>();
  if (verdict == nullptr) return;
  for (const WitnessFlow& witness : verdict->reproduced_by)
    head.destinations.add(witness.destination->name);
}
inline std::uint16_t shard_of(const StoredRound& round, std::uint16_t shards) {
  return HistoryBlockHead::shard_of(round.record->destination->name, shards);
}
inline std::uint16_t shard_of(const StoredRollup& item, std::uint16_t shards) {
  return HistoryBlockHead::shard_of(*item.rollup.destination, shards);
}
inline std::uint16_t shard_of(const StoredEvent&, std::uint16_t) {
  return 0;
}
/// Events may be of several destinations: all are in one.
inline std::size_t most_shards(const StoredRollup&) {
  return kMostShards;
}
inline std::size_t most_shards(const StoredRound&) {
  return kMostShards;
}
inline std::size_t most_shards(const StoredEvent&) {
  return 1;
}
inline const RoundRecord& object_of(const StoredRound& round) {
  return *round.record;
}
inline const PathEvent& object_of(const StoredEvent& event) {
  return *event.event;
}
inline const Rollup& object_of(const StoredRollup& item) {
  return item.rollup;
}

/// A reader of a day passes over the heads of each group: of roll-ups there is one a minute, and its blocks are as
/// large as they may be.
template <typename Item>
constexpr std::size_t kGroupOf = std::is_same_v<Item, StoredRollup> ? kMostShards * kGroupItems : kGroupItems;

/// Makes the batches of a group, one or more for each shard.
template <typename Item>
std::vector<HistoryBatch> batches_of(std::span<const Item> items) {
  struct Shard {
    std::conditional_t<std::is_same_v<Item, StoredRollup>, RollupEncoder, HistoryEncoder> encoder;
    HistoryBlockHead head;
  };
  if (items.empty()) return {};
  const auto count =
      static_cast<std::uint16_t>(std::clamp<std::size_t>(items.size() / kShardItems, 1, most_shards(items.front())));
  std::vector<Shard> shards(count);
  std::vector<HistoryBatch> batches;
  const auto finish = [&](Shard& shard) {
    shard.head.items = static_cast<std::uint32_t>(shard.encoder.items());
    std::string bytes = shard.encoder.take();
    // Nobody would believe a larger one; a single round of a sane configuration is far from it.
    if (bytes.size() <= kMostBatchBytes) batches.push_back({shard.head, std::move(bytes)});
    shard.head = {};
  };
  for (const Item& item : items) {
    const std::uint16_t index = shard_of(item, count);
    Shard& shard = shards[index];
    HistoryBlockHead& head = shard.head;
    const WallTime time = time_of(item);
    const bool first = shard.encoder.items() == 0;
    head.first = items.front().number;
    head.end = items.back().number + 1;
    head.oldest = first ? time : std::min(head.oldest, time);
    head.newest = first ? time : std::max(head.newest, time);
    head.shard = index;
    head.shards = count;
    add_destinations(head, item);
    shard.encoder.add(item.number, object_of(item));
    if (shard.encoder.size() > kMostBatchBytes / 4 || shard.encoder.items() == kMostBatchItems) finish(shard);
  }
  for (Shard& shard : shards)
    if (shard.encoder.items() > 0) finish(shard);
  return batches;
}

/// Those of several batches of one group, in order.
template <typename Item, typename Decode>
std::uint64_t take_items(std::vector<Item>& out, const HistoryFiles::Step& step, Decode decode) {
  std::uint64_t damaged = 0;
  for (const std::string& batch : step.batches) {
    auto items = decode(ByteView(reinterpret_cast<const std::uint8_t*>(batch.data()), batch.size()), step.range);
    if (items) {
      std::ranges::move(*items, std::back_inserter(out));
    } else {
      ++damaged;
    }
  }
  std::ranges::sort(out, {}, &Item::number);
  return damaged;
}

}  // namespace ecmp::history_batches
