#pragma once

#include <cstdint>
#include <memory>

#include "path/model/destination_model.hpp"
#include "path/model/snapshot.hpp"
#include "probe/round.hpp"

namespace ecmp {

/// One finished round with all that is told about it at /paths. Never changes once it is made.
struct RoundRecord {
  std::shared_ptr<const DestinationFacts> destination;
  std::uint32_t flow_index = 0;
  std::uint16_t source_port = 0;
  IpAddress source;
  Round round;
  Duration wall_offset{};  ///< civil time minus monotonic time when the round ended: Instants + this = WallTime
  PathVerdict verdict;
  std::shared_ptr<const SearchProgress> search;  ///< of `flows = "auto"`; null: their number is fixed
  std::shared_ptr<const OnewayRound> oneway;     ///< of destinations with STAMP streams; null: it has none

  [[nodiscard]] WallTime wall(Instant at) const { return WallTime(at.time_since_epoch() + wall_offset); }
};

}  // namespace ecmp
