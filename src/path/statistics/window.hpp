#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/packed_array.hpp"
#include "base/time.hpp"
#include "path/statistics/histogram.hpp"
#include "path/statistics/statistics.hpp"

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
  /// How long a part is.
  [[nodiscard]] Duration part_length() const { return part_; }
  /// For how long figures of the window may be told again before they are worked out anew.
  [[nodiscard]] Duration refresh() const { return part_ / 6; }

  static constexpr std::uint32_t kPartMask = (1u << 30) - 1;

 private:
  Duration part_;
};

/// What happened at one hop (or end to end) within the window: a small histogram of RTTs and one of jitters for each
/// part, losses and silences. All in one sequence of 16-bit words: a flow-hop that is probed three times a part needs
/// some 200 bytes.
///
/// `part` is a number of WindowScale. What belongs to an older part than the newest counts in the newest.
class Window {
 public:
  void reply(std::uint32_t part, Duration rtt) { reply(part, rtt, log_buckets::key_of(in_seconds(rtt))); }
  /// By whoever knows the bucket already.
  void reply(std::uint32_t part, Duration rtt, std::uint32_t key);
  void jitter(std::uint32_t part, Duration difference) { jitter(part, log_buckets::key_of(in_seconds(difference))); }
  void jitter(std::uint32_t part, std::uint32_t key) { add(part, kJitter + key, 1); }
  void loss(std::uint32_t part) { add(part, kLoss, 1); }
  void silence(std::uint32_t part) { add(part, kSilence, 1); }
  void merge(const Window& other);

  /// As of `part`.
  [[nodiscard]] WindowCounts counts(std::uint32_t part) const;
  [[nodiscard]] WindowFigures figures(std::uint32_t part) const { return counts(part).figures(); }
  /// Whether something that was in the window before is not in it as of `part`.
  [[nodiscard]] bool has_aged(std::uint32_t part) const;
  void drop_aged(std::uint32_t part);

 private:
  // A word: ten bits that say what was counted, a bucket of RTTs, one of jitters or a fate, and six of count. A count
  // of 63 says that the two words behind hold it. Or the beginning of a part: how many parts it is behind the one
  // before, and in two words the least RTT of the part in nanoseconds.
  static constexpr std::uint32_t kRtt = 0;
  static constexpr std::uint32_t kJitter = log_buckets::kKeys;
  static constexpr std::uint32_t kLoss = 2 * log_buckets::kKeys;
  static constexpr std::uint32_t kSilence = kLoss + 1;
  static constexpr std::uint32_t kPart = kLoss + 2;
  static constexpr std::uint32_t kCountBits = 6;
  static constexpr std::uint32_t kCountMask = (1u << kCountBits) - 1;
  static constexpr std::uint32_t kLongCount = kCountMask;
  static_assert(kPart < (1u << (16 - kCountBits)));
  static constexpr std::uint32_t kNoRtt = 0xffffffffu;
  static constexpr std::size_t kHead = 3;  ///< words of a part before its counts

  struct Item {
    std::uint32_t what = 0;
    std::uint32_t count = 0;
    std::size_t next = 0;  ///< where the one behind begins
  };

  [[nodiscard]] std::uint32_t what(std::size_t at) const { return std::uint32_t{words_[at]} >> kCountBits; }
  [[nodiscard]] std::uint32_t short_count(std::size_t at) const { return words_[at] & kCountMask; }
  [[nodiscard]] std::uint32_t long_count(std::size_t at) const {
    return words_[at] | std::uint32_t{words_[at + 1]} << 16;
  }
  void set_long_count(std::size_t at, std::uint32_t count);
  [[nodiscard]] Item item(std::size_t at) const;
  /// A part as it is walked from one to the next.
  struct Part {
    std::size_t head = 0;
    std::uint32_t number = 0;
  };
  [[nodiscard]] Part next_part(const Part& part) const;
  [[nodiscard]] Part first_live(std::uint32_t part) const;
  void enter(std::uint32_t part) {
    if (words_.empty() || part != newest_number_) enter_other(part);
  }
  void enter_other(std::uint32_t part);
  void add(std::uint32_t part, std::uint32_t what, std::uint32_t count);
  void note_least(std::uint32_t nanoseconds);

  PackedArray<std::uint16_t> words_;
  std::uint32_t first_number_ = 0;   ///< of the oldest part
  std::uint32_t newest_number_ = 0;  ///< of the newest
  std::uint32_t newest_ = 0;         ///< where it begins
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
