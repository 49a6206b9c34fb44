#pragma once

#include <cstdint>

#include "path/oneway/one_way.hpp"
#include "path/oneway/oneway_snapshot.hpp"
#include "path/statistics/intervals.hpp"

namespace ecmp {

/// A path that loses packets of streams in one direction.
struct OnewayVerdict {
  std::uint32_t path = 0;  ///< id: of the way back for losses there, where it is known
  OneWay direction{};
  double loss = 0;    ///< ratio within the rolling window
  Interval interval;  ///< of it, 95 %
  std::uint64_t packets = 0;
  std::uint64_t losses = 0;
};

/// A reflector that began to count anew, or counts other things than before.
struct ReflectorChange {
  ReflectorSnapshot before, after;
};

}  // namespace ecmp
