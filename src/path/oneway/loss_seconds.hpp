#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"

namespace ecmp {

/// Seconds in which most packets were lost: of a path in one direction.
struct LossSecondsSum {
  std::uint64_t severe = 0;       ///< while the path was available
  std::uint64_t unavailable = 0;  ///< of the time in which it was not

  friend bool operator==(const LossSecondsSum&, const LossSecondsSum&) = default;
};

/// Counts severe and unavailable seconds by the time that packets were sent at. A second is severe when more than half
/// of its packets are lost. Ten severe seconds in a row begin unavailable time, and are part of it; ten
/// others in a row end it, and are not (ITU-T G.826). So a second is counted once it is known which it belongs to. One
/// without packets says nothing: it is neither counted nor ends a row, unless a minute has none.
///
/// Packets may be added in any order, until their second is closed.
class LossSeconds {
 public:
  static constexpr std::uint32_t kTurn = 10;
  static constexpr std::int64_t kLongestHole = 60;  ///< seconds without packets, after which a row begins anew

  /// A packet that left at `sent`. Nothing changes if its second is closed.
  void add(Instant sent, bool lost);
  /// No more packets that left in a second before that of `until` will come.
  void close(Instant until);

  [[nodiscard]] const LossSecondsSum& sum() const { return sum_; }

 private:
  struct Second {
    std::int64_t number = 0;
    std::uint32_t packets = 0;
    std::uint32_t lost = 0;
  };

  void count(const Second& second);
  void begin_anew();

  std::vector<Second> open_;             ///< by number
  std::optional<std::int64_t> counted_;  ///< the last second that was
  std::optional<std::int64_t> closed_;   ///< those before it are
  LossSecondsSum sum_;
  std::uint32_t row_ = 0;  ///< severe seconds while it is available, others while it is not
  bool available_ = true;
};

}  // namespace ecmp
