#pragma once

// Private to the destination model.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "path/model/change.hpp"
#include "path/model/flow_view.hpp"
#include "path/model/path_registry.hpp"
#include "path/model/unjudged.hpp"
#include "path/statistics/flow_jitter.hpp"
#include "probe/round.hpp"

namespace ecmp::model {

/// What is told of a flow as counters.
struct FlowCounters {
  std::uint64_t probes = 0;
  std::uint64_t replies = 0;
  UnjudgedCounters unjudged;
  std::array<std::uint64_t, static_cast<std::size_t>(ChangeKind::count_)> changes{};
  WallTime began{};  ///< when it was steady for the first time
};

/// What the model keeps of a flow.
struct Flow : FlowCounters {
  FlowView view;
  FlowJitter jitter;
  KnownPath* path = nullptr;  ///< null: nobody answered yet, or there was no room for its path
  IpAddress source;
  bool rests = false;     ///< it is not among the steady flows
  bool measured = false;  ///< a round since it began, or forgot its path
  Standing::OfFlow standing;
  bool gaps = false;            ///< there are hops of its path that it has not heard, the destination maybe
  bool arrived = false;         ///< it has reached the destination since it began, or forgot its path
  std::uint8_t unanswered = 0;  ///< rounds lost until then
  bool undecided = false;       ///< so that it may be on any of several paths, and is on none
  bool refused = false;         ///< its path is not told
  std::uint32_t version = 0;    ///< State::news() when it was placed
  std::uint32_t vacancies = 0;  ///< of the registry when it was refused
  std::shared_ptr<const std::vector<IpAddress>> untold;  ///< the responders of a path that is not told
  std::vector<Round> held;                               ///< of which it is not known whether the path is still its own
};

/// A change that neither comes nor goes: the oldest of its rounds count for the path that is known.
constexpr std::size_t kMostHeld = 64;
/// A flow that loses so many rounds before the destination has ever answered it does not get there.
constexpr std::uint8_t kNeverArrives = 8;
/// A flow that does not hear which path it is on: the newest rounds count once it does.
constexpr std::size_t kMostUndecided = 16;

inline bool same_flows(const DestinationFacts& a, const DestinationFacts& b) {
  return a.address == b.address && a.protocol == b.protocol && a.port == b.port &&
         a.source_ports.agrees(b.source_ports);
}

}  // namespace ecmp::model
