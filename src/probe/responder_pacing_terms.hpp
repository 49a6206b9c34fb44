#pragma once

// Private to the .cpp files of ResponderPacing.

#include <cstdint>

#include "base/time.hpp"

namespace ecmp::pacing {

/// Silences, and their share, that make a limit be suspected.
inline constexpr std::uint32_t kSuspicious = 3;
inline constexpr double kSuspiciousShare = 0.1;
/// Evidence older than about so many probes is forgotten.
inline constexpr std::uint32_t kMemory = 64;
inline constexpr std::uint32_t kTestProbes = 20;
/// A trial has to go on until a bucket of Linux's kind is drained: 40 probes at 1.6/s take 25 s, in which 31 are
/// answered, the burst of six included.
inline constexpr std::uint32_t kTrialProbes = 40;
/// And one of 50 at 20 % more than the limit.
inline constexpr Duration kTrialTime = std::chrono::seconds(10);
inline constexpr std::uint32_t kRestProbes = 12;
/// A destination is asked evenly, one probe after the other: some give no two answers at once (IOS: one in 500 ms).
inline constexpr double kEvenly = 1;
/// But not like clockwork: tokens as regular as rounds are would go to the same flows for ever. From one to the next it
/// takes 0.8 to 1.2 times as long as at an even pace.
inline constexpr double kShortest = 0.8;
inline constexpr Duration kFirstHold = std::chrono::minutes(1);
inline constexpr Duration kLongestHold = std::chrono::hours(4);
/// So long silence that does not come from our rate is taken as it is.
inline constexpr Duration kIgnoring = std::chrono::hours(1);
inline double seconds(Duration duration) {
  return static_cast<double>(duration.count()) * 1e-9;
}
inline double share_of(std::uint32_t silences, std::uint32_t answers) {
  const std::uint32_t all = silences + answers;
  return all == 0 ? 0 : static_cast<double>(silences) / all;
}

}  // namespace ecmp::pacing
