#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "path/statistics.hpp"
#include "stamp/oneway_loss.hpp"

namespace ecmp {

/// Delay variation of all packets so far: of a path in one direction.
struct VariationSum {
  std::uint64_t count = 0;
  double seconds = 0;
};

/// What streams say of one path.
struct OnewayPathSnapshot {
  std::uint32_t path = 0;  ///< id
  stamp::OnewayCounts counts;
  stamp::OnewayCounts window;  ///< within the rolling window
  VariationSum forward, reverse;
  std::uint64_t exchanges = 0;               ///< within the rolling window, that have a delay
  Quantiles forward_window, reverse_window;  ///< of delay variation within the rolling window
  /// How much slower than the fastest path to the same reflector, at one moment; nothing if there is no other path.
  std::optional<Duration> relative_forward, relative_reverse;
};

/// What the stream of one flow says.
struct OnewayFlowSnapshot {
  stamp::OnewayCounts counts;
  std::uint64_t duplicates_forward = 0;
  std::uint64_t duplicates_reverse = 0;
  std::uint32_t reverse_path = 0;  ///< id, as a reflector of ours has traced it; 0: not known
};

/// Of a destination with streams.
struct OnewaySnapshot {
  std::optional<bool> up;  ///< whether the reflector answers; nothing: too early to say
  stamp::ReflectorMode mode = stamp::ReflectorMode::unknown;
  bool synchronised = false;  ///< the reflector says that its clock is
  std::uint64_t restarts = 0;
  std::vector<OnewayFlowSnapshot> flows;  ///< by flow index
  std::vector<OnewayPathSnapshot> paths;  ///< by id
};

}  // namespace ecmp
