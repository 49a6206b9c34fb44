#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/time.hpp"
#include "path/histogram.hpp"
#include "path/statistics.hpp"

namespace ecmp {

/// The rolling window is cut into parts that slide with time, whether anything is observed or not. At any moment the
/// newest part and as many before it as make up the duration are looked at: between nine and ten tenths of it.
class WindowScale {
 public:
  static constexpr std::uint32_t kParts = 10;

  explicit WindowScale(Duration duration) : part_(std::max<Duration>(duration / kParts, Duration(1))) {}

  /// The number of the part that `at` falls in.
  [[nodiscard]] std::uint32_t part(Instant at) const {
    return static_cast<std::uint32_t>(at.time_since_epoch() / part_) & kPartMask;
  }
  /// For how long figures of the window may be told again before they are worked out anew.
  [[nodiscard]] Duration refresh() const { return part_ / 20; }

  static constexpr std::uint32_t kPartMask = (1u << 30) - 1;

 private:
  Duration part_;
};

/// Counts by bucket for one look at a window.
class KeyCounts {
 public:
  void add(std::uint32_t key, std::uint32_t count) {
    counts_[key] += count;
    total_ += count;
    low_ = std::min(low_, key);
    high_ = std::max(high_, key);
  }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  /// None of them below `least`, which is known exactly.
  [[nodiscard]] Quantiles quantiles(Duration least) const;

 private:
  std::array<std::uint32_t, log_buckets::kKeys> counts_{};
  std::uint32_t low_ = log_buckets::kKeys;
  std::uint32_t high_ = 0;
  std::uint64_t total_ = 0;
};

/// What happened at one hop (or end to end) within the window: a small histogram of RTTs and one of jitters for each
/// part, losses and silences. All in one sequence of words: a flow-hop that is probed three times a part needs some 300
/// bytes.
///
/// `part` is a number of WindowScale. What belongs to an older part than the newest counts in the newest.
class Window {
 public:
  void reply(std::uint32_t part, Duration rtt);
  void jitter(std::uint32_t part, Duration difference);
  void loss(std::uint32_t part) { add(part, Kind::fate, kLoss, 1); }
  void silence(std::uint32_t part) { add(part, Kind::fate, kSilence, 1); }
  void merge(const Window& other);

  /// As of `part`.
  [[nodiscard]] WindowFigures figures(std::uint32_t part) const;
  /// Whether something that was in the window before is not in it as of `part`.
  [[nodiscard]] bool has_aged(std::uint32_t part) const;
  void drop_aged(std::uint32_t part);

 private:
  // A word: two bits of kind, ten of key, twenty of count; or a part's number, and after it the least RTT of the part
  // in nanoseconds. A count that is full is followed by another word of the same key.
  enum class Kind : std::uint32_t { rtt, jitter, fate, part };
  static constexpr std::uint32_t kKindShift = 30;
  static constexpr std::uint32_t kKeyShift = 20;
  static constexpr std::uint32_t kCountMask = (1u << kKeyShift) - 1;
  static constexpr std::uint32_t kLoss = 0;
  static constexpr std::uint32_t kSilence = 1;
  static constexpr std::uint32_t kNoRtt = 0xffffffffu;
  static constexpr std::size_t kHead = 2;  ///< words of a part before its counts

  static Kind kind_of(std::uint32_t word) { return static_cast<Kind>(word >> kKindShift); }
  [[nodiscard]] std::uint32_t number(std::size_t head) const { return words_[head] & WindowScale::kPartMask; }
  [[nodiscard]] std::size_t next_part(std::size_t head) const;
  [[nodiscard]] std::size_t first_live(std::uint32_t part) const;
  void enter(std::uint32_t part);
  void add(std::uint32_t part, Kind kind, std::uint32_t key, std::uint32_t count);
  void push(std::uint32_t word);
  void note_least(std::uint32_t nanoseconds);

  std::vector<std::uint32_t> words_;
  std::uint32_t newest_ = 0;  ///< where the newest part begins
};

/// RTT minus the least RTT of the window (RFC 5481 section 4.2). Buckets of RTTs would be too coarse for it: 9 % of an
/// RTT may be more than it ever varies. So each part counts the differences to a base of its own.
class VariationWindow {
 public:
  void reply(std::uint32_t part, Duration rtt) { add(part, rtt, 1); }
  void merge(const VariationWindow& other);
  [[nodiscard]] Quantiles quantiles(std::uint32_t part) const;

 private:
  struct Part {
    std::uint32_t number = 0;
    Duration base{};
    Duration least{};
    Histogram above;  ///< base, in seconds
  };

  void add(std::uint32_t part, Duration rtt, std::uint64_t count);
  static void lower(Part& part, Duration base);

  std::vector<Part> parts_;
};

}  // namespace ecmp
