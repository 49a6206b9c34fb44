#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "stamp/packet.hpp"

namespace ecmp::stamp {

/// One exchange. Own times are of the monotonic clock, the reflector's of its civil one: what lies between the two
/// clocks is part of both one-way times, with opposite signs.
struct Exchange {
  Instant sent{};      ///< T1, when the packet left
  WallTime arrived{};  ///< T2, by the reflector
  WallTime replied{};  ///< T3, by the reflector
  Instant received{};  ///< T4

  [[nodiscard]] Duration forward() const { return arrived.time_since_epoch() - sent.time_since_epoch(); }
  [[nodiscard]] Duration reverse() const { return received.time_since_epoch() - replied.time_since_epoch(); }
};

/// Of one exchange, both ways, and how far each may be off: the errors that both clocks claim, together.
struct AbsoluteDelay {
  Duration forward{};
  Duration reverse{};
  Duration error{};
};

/// `wall_offset`: this host's civil clock minus its monotonic one. Nothing unless both clocks claim to be synchronised,
/// and nothing where they contradict each other: a packet that arrived before it left, by more than both claim. What is
/// below zero by less than that counts as 0.
std::optional<AbsoluteDelay> absolute_delay(const Exchange& exchange, Duration wall_offset, const ErrorEstimate& own,
                                            const ErrorEstimate& theirs);

struct Variation {
  Duration forward{};
  Duration reverse{};
};

/// The least of what was observed within the last minute, in halves: between 30 and 60 seconds of it.
class RecentLeast {
 public:
  static constexpr Duration kHalf = std::chrono::seconds(30);

  /// Takes in `value` and returns the least, itself included.
  Duration add(Instant at, Duration value);
  void reset() { *this = {}; }

 private:
  std::optional<Duration> before_, now_;
  Instant begun_{};
};

/// How much longer packets of a stream took than the fastest one of the last minute, in each direction (RFC 5481
/// section 4.2): without synchronised clocks, whose difference is in both. Clocks that run apart by 50 ppm add 3 ms at
/// most (RFC 5481 section 6.3).
class DelayVariation {
 public:
  /// `forward_path` and `reverse_path`: anything that changes when the path does, such as the TTL that arrived;
  /// the least is then looked for anew (RFC 5481 section 11). Nothing for the first exchange after a clock was set,
  /// which moves both directions by the same and opposite.
  std::optional<Variation> add(const Exchange& exchange, std::uint32_t forward_path, std::uint32_t reverse_path);
  void reset();

  /// Clocks that were set while this watched.
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

 private:
  struct Last {
    Duration forward{};
    Duration reverse{};
    std::uint32_t forward_path = 0;
    std::uint32_t reverse_path = 0;
  };

  [[nodiscard]] bool is_step(const Exchange& exchange) const;

  RecentLeast forward_, reverse_;
  std::optional<Last> last_;
  std::uint64_t steps_ = 0;
};

/// Which of the paths to one reflector is slower, and by how much: its flows share both clocks, so that differences at
/// one moment need no synchronisation. The fastest packet of each path in ten seconds is compared with that of the
/// fastest path in the same ten.
class RelativeDelay {
 public:
  static constexpr Duration kSlot = std::chrono::seconds(10);

  /// `path`: a number of the caller's. `delay`: one-way, with the clocks' difference in it.
  void add(Instant at, std::uint32_t path, Duration delay);
  /// A clock was set: this slot compares nothing.
  void reset() { current_.clear(); }

  /// How much slower than the fastest path, in the last slot that is over and in which two paths were measured;
  /// nothing for a path without a packet in it.
  [[nodiscard]] std::optional<Duration> of(std::uint32_t path) const;

 private:
  struct Least {
    std::uint32_t path = 0;
    Duration delay{};
  };

  std::vector<Least> current_, done_;
  std::int64_t slot_ = INT64_MIN;
};

}  // namespace ecmp::stamp
