#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "path/history.hpp"
#include "path/snapshot.hpp"

namespace ecmp {

/// What happened. The first four are those of ChangeKind, judged over all flows that changed together.
enum class EventKind : std::uint8_t { reroute, remap, width, per_packet, down, up };

/// "reroute", "remap", "width", "per_packet", "down", "up".
std::string_view to_string(EventKind kind);

/// Flows that left one responder for the same other one.
struct EventMove {
  IpAddress before;  ///< unspecified: nobody was known
  IpAddress after;
  std::uint32_t path_before = 0;  ///< ids; 0 where the path is not told
  std::uint32_t path_after = 0;
  std::vector<std::uint16_t> flows;  ///< source ports, rising
};

/// Something that happened to a destination, told once for all its flows. Never changes once it is made.
struct PathEvent {
  std::shared_ptr<const DestinationFacts> destination;
  EventKind kind{};
  WallTime time;                 ///< when it was known first: end of the round that confirmed it
  WallTime settled;              ///< end of the newest round that belongs to it
  std::uint8_t ttl = 0;          ///< of the first hop that differs; 0 where there is none
  std::vector<EventMove> moves;  ///< empty for up and down
};

/// `since` is compared with the event's time, `path` with both of a move's.
bool matches(const RoundFilter& filter, const PathEvent& event);

}  // namespace ecmp
