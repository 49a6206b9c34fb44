#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "path/oneway/loss_seconds.hpp"
#include "path/statistics/statistics.hpp"
#include "stamp/oneway_loss.hpp"

namespace ecmp {

/// Delay variation, or delay, of all packets so far: of a path in one direction.
struct VariationSum {
  std::uint64_t count = 0;
  double seconds = 0;

  friend bool operator==(const VariationSum&, const VariationSum&) = default;
};

/// Delays of a path in one direction, by two clocks that both claimed to be synchronised.
struct DelaySum {
  VariationSum sum;          ///< of all packets so far
  std::uint64_t window = 0;  ///< packets within the rolling window
  Quantiles quantiles;       ///< of these

  friend bool operator==(const DelaySum&, const DelaySum&) = default;
};

/// What streams say of one path: as a way there, and as a way back. Where the way back of a flow is not known, what is
/// known of it counts for the path of its way there.
struct OnewayPathSnapshot {
  std::uint32_t path = 0;           ///< id
  stamp::OnewayCounts counts;       ///< of the way there; its reverse losses are none of this path's
  stamp::OnewayCounts window;       ///< within the rolling window
  stamp::OnewayCounts back;         ///< of the way back: reached() are its packets, `reverse` its losses
  stamp::OnewayCounts back_window;  ///< within the rolling window
  VariationSum forward, reverse;    ///< of delay variation
  /// Some time late: a second is counted once each of its packets has been judged.
  LossSecondsSum forward_seconds, reverse_seconds, unresolved_seconds;
  std::uint64_t exchanges = 0;               ///< within the rolling window, that have a delay on the way there
  std::uint64_t back_exchanges = 0;          ///< and on the way back
  Quantiles forward_window, reverse_window;  ///< of delay variation within the rolling window
  DelaySum forward_delay, reverse_delay;
  /// How much slower than the fastest path to the same reflector, at one moment; nothing if there is no other path.
  std::optional<Duration> relative_forward, relative_reverse;
};

/// What the stream of one flow says.
struct OnewayFlowSnapshot {
  stamp::OnewayCounts counts;
  std::uint64_t duplicates_forward = 0;
  std::uint64_t duplicates_reverse = 0;
  std::uint32_t reverse_path = 0;  ///< id, as a reflector of ours has traced it; 0: not known
  /// Its routers, the one next to the reflector first; unspecified where one is not known. Null until each was
  /// reported.
  std::shared_ptr<const std::vector<IpAddress>> reverse_routers = nullptr;

  friend bool operator==(const OnewayFlowSnapshot&, const OnewayFlowSnapshot&) = default;
};

/// What is known of the reflector that a destination's streams go to.
struct ReflectorSnapshot {
  std::optional<bool> up;  ///< whether the reflector answers; nothing: too early to say
  stamp::ReflectorMode mode = stamp::ReflectorMode::unknown;
  bool synchronised = false;  ///< the reflector says that its clock is
  std::uint64_t restarts = 0;
  /// How far delays may be off, as both clocks claim; nothing while one of them claims nothing.
  std::optional<Duration> clock_error = std::nullopt;

  friend bool operator==(const ReflectorSnapshot&, const ReflectorSnapshot&) = default;
};

/// Of a destination with streams.
struct OnewaySnapshot : ReflectorSnapshot {
  std::vector<OnewayFlowSnapshot> flows;  ///< by flow index
  std::vector<OnewayPathSnapshot> paths;  ///< by id
};

/// What goes with a finished round of a flow: what its stream has seen since the round before, so that the sum over all
/// rounds is what is counted of the flow; and what is known of its paths by then.
struct OnewayRound {
  OnewayFlowSnapshot flow;
  ReflectorSnapshot reflector;
  /// Of the flow's way there and of its way back, often one object. At most 1/200 of the rolling window old, and shared
  /// by rounds. Null: nothing is known.
  std::shared_ptr<const OnewayPathSnapshot> there, back;
};

}  // namespace ecmp
