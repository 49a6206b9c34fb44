#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "path/history/history.hpp"
#include "path/localisation/balance.hpp"
#include "path/localisation/link_verdict.hpp"
#include "path/model/snapshot.hpp"
#include "path/oneway/oneway_verdict.hpp"

namespace ecmp {

/// What happened. The first four are those of ChangeKind, judged over all flows that changed together. Those
/// from loss_verdict to oneway_loss are findings, which begin and end.
enum class EventKind : std::uint8_t {
  reroute,
  remap,
  width,
  per_packet,
  down,
  up,
  loss_verdict,   ///< a link is held to lose probes
  delay_verdict,  ///< the delay of a link has stepped up
  imbalance,      ///< a responder spreads the flows of a destination unevenly
  polarised,      ///< a responder's choice follows from an earlier one's
  oneway_loss,    ///< a path loses packets of streams in one direction
  reflector_restart,
  reflector_mode,  ///< what its sequence numbers count is known, or is another thing now
  count_
};

/// As above.
std::string_view to_string(EventKind kind);

[[nodiscard]] constexpr bool is_finding(EventKind kind) {
  return kind >= EventKind::loss_verdict && kind <= EventKind::oneway_loss;
}

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
  std::shared_ptr<const DestinationFacts> destination;  ///< null for verdicts on links: those are of all destinations
  EventKind kind{};
  WallTime time;                 ///< when it was known first: end of the round that confirmed it
  WallTime settled;              ///< end of the newest round that belongs to it
  std::uint8_t ttl = 0;          ///< of the first hop that differs; 0 where there is none
  std::vector<EventMove> moves;  ///< empty for all but changes

  // Of findings; `settled` is when it began, and of the five below one is there.
  bool ended = false;  ///< it ends with this event
  std::shared_ptr<const LinkVerdict> loss;
  std::shared_ptr<const DelayVerdict> delay;
  std::shared_ptr<const Branching> branching;
  std::shared_ptr<const Polarisation> polarisation;
  std::shared_ptr<const OnewayVerdict> oneway;

  std::shared_ptr<const ReflectorChange> reflector;  ///< of reflector_restart and reflector_mode
};

/// `since` is compared with the event's time, `path` with both of a move's. A verdict of loss is matched by the
/// destinations and flows that reproduce it.
bool matches(const RoundFilter& filter, const PathEvent& event);

}  // namespace ecmp
