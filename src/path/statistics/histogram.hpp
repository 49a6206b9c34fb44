#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "base/packed_array.hpp"
#include "base/time.hpp"

namespace ecmp {

/// The buckets behind every histogram: 8 to a power of two (schema 3 of Prometheus' native histograms). Bucket i holds
/// (2^((i-1)/8), 2^(i/8)], so that a bucket is 9 % wide; 0 has one of its own. What is smaller than the lowest edge or
/// larger than the highest is counted in the last bucket of that end, so that the number of buckets is bounded: in
/// seconds from 1 us, below which no stamp of ours says anything, to 12 days; as a ratio from one in a million.
namespace log_buckets {

inline constexpr int kSchema = 3;
inline constexpr int kPerOctave = 1 << kSchema;
inline constexpr int kLowest = -20 * kPerOctave;
inline constexpr int kHighest = 20 * kPerOctave;

/// Zero and all indices as one range of small numbers: 0 is zero, 1 the lowest bucket.
inline constexpr std::uint32_t kKeys = kHighest - kLowest + 2;
constexpr int index_of_key(std::uint32_t key) {
  return static_cast<int>(key) - 1 + kLowest;
}

/// 2^((k-8)/8) for k = 0 to 8: the edges between 0.5 and 1.
inline constexpr std::array<double, kPerOctave + 1> kEdges = {0.5,
                                                              0.5452538663326288,
                                                              0.5946035575013605,
                                                              0.6484197773255048,
                                                              0.7071067811865476,
                                                              0.7711054127039704,
                                                              0.8408964152537144,
                                                              0.9170040432046711,
                                                              1.0};

/// Of a value; what is negative or not a number counts as zero.
inline std::uint32_t key_of(double value) {
  // By the bits of the number, which are an exponent and the fraction above 2^exponent: every probe asks twice.
  constexpr unsigned kFractionBits = 52;
  constexpr std::uint64_t kFraction = (std::uint64_t{1} << kFractionBits) - 1;
  constexpr int kBias = 1023;
  static constexpr auto kEdgeFractions = [] {
    std::array<std::uint64_t, kPerOctave> fractions{};
    for (std::size_t i = 0; i < fractions.size(); ++i)
      fractions[i] = std::bit_cast<std::uint64_t>(2 * kEdges[i]) & kFraction;
    return fractions;
  }();
  if (!(value > 0)) return 0;
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const std::uint64_t fraction = bits & kFraction;
  int index = (static_cast<int>(bits >> kFractionBits) - kBias) * kPerOctave;
  for (const std::uint64_t edge : kEdgeFractions)
    index += fraction > edge ? 1 : 0;
  return static_cast<std::uint32_t>(std::clamp(index, kLowest, kHighest) - kLowest + 1);
}

/// 2^(index/8).
double upper_edge(int index);
/// The value at a place within a bucket, 0 its lower edge and 1 its upper one.
double value_in(std::uint32_t key, double place);
/// Whether all that is counted in the bucket of `value` is at most `value`.
bool is_edge(double value);

}  // namespace log_buckets

/// How buckets are kept: one behind the other, lowest key first, each a byte that holds both the keys left out before
/// it and its count while these are small, which they nearly always are. Most histograms are of one hop on one path,
/// seen by one flow: seventy buckets with a few observations each, half a million times over.
namespace bucket_bytes {

inline constexpr std::uint32_t kGapShift = 6;
inline constexpr std::uint32_t kLongGap = 3;       ///< the gap follows, as a variable-length number
inline constexpr std::uint32_t kCountMask = 0x3f;  ///< a count less one
inline constexpr std::uint32_t kLongCount = 0x3f;  ///< what is beyond follows likewise, behind the gap
inline constexpr std::size_t kLongestBucket = 1 + 2 + 10;

/// Seven bits a byte, lowest first.
inline std::uint64_t read_number(const std::uint8_t*& at) {
  std::uint64_t number = 0;
  for (unsigned shift = 0;; shift += 7) {
    const std::uint8_t byte = *at++;
    number |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return number;
  }
}

inline std::uint8_t* write_number(std::uint8_t* at, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7)
    *at++ = static_cast<std::uint8_t>(number | 0x80u);
  *at++ = static_cast<std::uint8_t>(number);
  return at;
}

/// `gap` is how many keys are left out since the bucket before; `count` is not 0. Returns the end.
inline std::uint8_t* write(std::uint8_t* at, std::uint32_t gap, std::uint64_t count) {
  const std::uint32_t told_gap = gap < kLongGap ? gap : kLongGap;
  const auto told_count = static_cast<std::uint32_t>(count - 1 < kLongCount ? count - 1 : kLongCount);
  *at++ = static_cast<std::uint8_t>(told_gap << kGapShift | told_count);
  if (told_gap == kLongGap) at = write_number(at, gap);
  if (told_count == kLongCount) at = write_number(at, count - 1 - kLongCount);
  return at;
}

}  // namespace bucket_bytes

/// A histogram to read: made of buckets that somebody else keeps.
class HistogramView {
 public:
  /// A count at a bucket, or at zero.
  struct Bucket {
    std::uint32_t key = 0;  ///< of log_buckets
    std::uint64_t count = 0;

    [[nodiscard]] bool zero() const { return key == 0; }
    [[nodiscard]] int index() const { return log_buckets::index_of_key(key); }
  };

  /// Reads one bucket after the other.
  class Reader {
   public:
    explicit Reader(std::span<const std::uint8_t> bytes) : at_(bytes.data()), end_(at_ + bytes.size()) { next(); }

    [[nodiscard]] bool done() const { return bucket_.count == 0; }
    [[nodiscard]] const Bucket& bucket() const { return bucket_; }
    /// Where the bucket begins.
    [[nodiscard]] const std::uint8_t* position() const { return begin_; }
    void next() {
      begin_ = at_;
      if (at_ == end_) {
        bucket_.count = 0;
        return;
      }
      const std::uint32_t head = *at_++;
      std::uint32_t gap = head >> bucket_bytes::kGapShift;
      if (gap == bucket_bytes::kLongGap) gap = static_cast<std::uint32_t>(bucket_bytes::read_number(at_));
      bucket_.key = next_key_ + gap;
      next_key_ = bucket_.key + 1;
      bucket_.count = (head & bucket_bytes::kCountMask) + std::uint64_t{1};
      if (bucket_.count > bucket_bytes::kLongCount) bucket_.count += bucket_bytes::read_number(at_);
    }

   private:
    const std::uint8_t* at_;
    const std::uint8_t* end_;
    const std::uint8_t* begin_ = nullptr;
    std::uint32_t next_key_ = 0;
    Bucket bucket_;
  };

  HistogramView() = default;
  HistogramView(std::span<const std::uint8_t> bytes, double sum) : bytes_(bytes), sum_(sum) {}

  /// Of all observations; always the sum of the buckets.
  [[nodiscard]] std::uint64_t count() const;
  /// Of the values as they were observed, not as the buckets round them.
  [[nodiscard]] double sum() const { return sum_; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  /// Observations of exactly 0 (native histograms: zero_count with a zero_threshold of 2^-128).
  [[nodiscard]] std::uint64_t zero_count() const;

  /// Calls visit(Bucket) for zero, if it was observed, and then for every bucket that is not empty, lowest first.
  template <typename Visit>
  void each(Visit visit) const {
    for (Reader reader(bytes_); !reader.done(); reader.next())
      visit(reader.bucket());
  }

  /// The value that a share q (0 to 1) of the observations does not exceed: in the bucket of the exact one. 0 if there
  /// are none.
  [[nodiscard]] double quantile(double q) const;

  /// The buckets as they are kept: the same for the same observations.
  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  std::span<const std::uint8_t> bytes_;
  double sum_ = 0;
};

/// Buckets within a sequence of bytes that may hold those of other histograms before and after them.
class Buckets {
 public:
  /// Adds to the bucket of `key` among bytes[begin, end); returns the new end.
  static std::size_t add(PackedArray<std::uint8_t>& bytes, std::size_t begin, std::size_t end, std::uint32_t key,
                         std::uint64_t count);
};

/// A histogram that grows.
class Histogram {
 public:
  /// Seconds, or a ratio; not negative.
  void observe(double value);
  void observe(Duration value);
  /// To a bucket; the sum stays.
  void add(std::uint32_t key, std::uint64_t count) { Buckets::add(bytes_, 0, bytes_.size(), key, count); }
  void merge(const HistogramView& other);

  [[nodiscard]] HistogramView view() const { return {bytes_.view(), sum_}; }
  operator HistogramView() const { return view(); }  // NOLINT(google-explicit-constructor): a view of itself

 private:
  PackedArray<std::uint8_t> bytes_;
  double sum_ = 0;
};

class ExactBounds;

/// The classic buckets of a configuration, made once and used for all histograms. Bounds that are edges of our buckets
/// are exact, and so are those that `exact` knows. Others take in a bucket of ours when they are not below its upper
/// edge: late by at most one bucket.
class ClassicBounds {
 public:
  /// Rising; the open last one (+Inf) is not listed, and added.
  explicit ClassicBounds(std::vector<double> bounds, const ExactBounds* exact = nullptr);

  [[nodiscard]] std::span<const double> bounds() const { return bounds_; }
  /// Fills `counts` (one for each bound and one for +Inf) with cumulative counts; the last one is the count of all.
  /// `beside` is what was counted beside the buckets, its keys being the numbers of ExactBounds.
  void count(const HistogramView& histogram, const HistogramView& beside, std::span<std::uint64_t> counts) const;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  std::vector<double> bounds_;
  std::vector<std::uint32_t> numbers_;                     ///< by bound; kNone: nothing is counted beside it
  std::array<std::uint16_t, log_buckets::kKeys> place_{};  ///< by key
};

inline double in_seconds(Duration duration) {
  return static_cast<double>(duration.count()) / 1e9;
}

inline Duration from_seconds(double seconds) {
  return Duration(std::llround(seconds * 1e9));
}

}  // namespace ecmp
