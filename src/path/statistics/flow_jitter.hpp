#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"

namespace ecmp {

/// Differences of RTTs smoothed as RFC 3550 section 6.4.1 says: J += (|D| - J) / 16.
class SmoothedJitter {
 public:
  void add(Duration difference) { scaled_ += difference.count() - (scaled_ + kGain / 2) / kGain; }
  [[nodiscard]] Duration value() const { return Duration(scaled_ / kGain); }

 private:
  static constexpr std::int64_t kGain = 16;

  std::int64_t scaled_ = 0;  ///< times kGain: in whole nanoseconds the last few would never be reached
};

/// Jitter within one flow: how much the RTT of a round differs from that of the round before it, at each hop and end to
/// end. A loss, a silence or a skipped round between two answers leaves nothing to compare (as in RFC 3393, section
/// 4.5, an undefined delay makes an undefined variation).
class FlowJitter {
 public:
  /// The flow takes another path.
  void reset();

  /// |RTT(i) - RTT(i-1)| if round i-1 was answered too, by the same responder: `which` numbers those of a TTL.
  std::optional<Duration> at_hop(std::size_t ttl, std::uint32_t which, std::uint32_t round, Duration rtt) {
    return compare(ttl, which, round, rtt);
  }
  std::optional<Duration> end_to_end(std::uint32_t round, Duration rtt);

  /// End to end. Holds over a loss.
  [[nodiscard]] Duration smoothed() const { return smoothed_.value(); }

 private:
  struct Answer {
    Duration rtt{};
    std::uint32_t round = 0;
    std::uint32_t from = 0;  ///< 0: there was none
  };

  std::optional<Duration> compare(std::size_t place, std::uint32_t which, std::uint32_t round, Duration rtt);

  std::vector<Answer> newest_;  ///< end to end, then by TTL
  SmoothedJitter smoothed_;
};

}  // namespace ecmp
