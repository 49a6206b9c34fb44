#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

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

/// Of a value; what is negative or not a number counts as zero.
std::uint32_t key_of(double value);
/// 2^(index/8).
double upper_edge(int index);
/// The value at a place within a bucket, 0 its lower edge and 1 its upper one.
double value_in(std::uint32_t key, double place);

}  // namespace log_buckets

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

  HistogramView() = default;
  HistogramView(std::span<const std::uint32_t> words, double sum) : words_(words), sum_(sum) {}

  /// Of all observations; always the sum of the buckets.
  [[nodiscard]] std::uint64_t count() const;
  /// Of the values as they were observed, not as the buckets round them.
  [[nodiscard]] double sum() const { return sum_; }
  [[nodiscard]] bool empty() const { return words_.empty(); }
  /// Observations of exactly 0 (native histograms: zero_count with a zero_threshold of 2^-128).
  [[nodiscard]] std::uint64_t zero_count() const;

  /// Calls visit(Bucket) for zero, if it was observed, and then for every bucket that is not empty, lowest first.
  template <typename Visit>
  void each(Visit visit) const {
    for (std::size_t i = 0; i < words_.size();) {
      Bucket bucket{key(words_[i]), units(words_[i])};
      for (++i; i < words_.size() && key(words_[i]) == bucket.key; ++i)
        bucket.count += units(words_[i]);
      visit(bucket);
    }
  }

  /// The value that a share q (0 to 1) of the observations does not exceed: in the bucket of the exact one. 0 if there
  /// are none.
  [[nodiscard]] double quantile(double q) const;

  /// The buckets as they are kept; for whoever copies them.
  [[nodiscard]] std::span<const std::uint32_t> words() const { return words_; }

 private:
  friend class Buckets;

  // A word: the key, one bit that says "times 2^21", and 21 bits of count. Four bytes a bucket, since a million of them
  // are kept; the few counts beyond two million need a second word, which follows the first.
  static constexpr std::uint32_t kCountBits = 21;
  static constexpr std::uint32_t kCountMask = (1u << kCountBits) - 1;
  static constexpr std::uint32_t kHigh = 1u << kCountBits;
  static constexpr std::uint32_t key(std::uint32_t word) { return word >> (kCountBits + 1); }
  static constexpr std::uint64_t units(std::uint32_t word) {
    const std::uint64_t count = word & kCountMask;
    return (word & kHigh) != 0 ? count << kCountBits : count;
  }

  std::span<const std::uint32_t> words_;
  double sum_ = 0;
};

/// Buckets within a sequence of words that may hold those of other histograms before and after them.
class Buckets {
 public:
  /// Adds to the bucket of `key` among words[begin, end); returns the new end. `count` below 2^42.
  static std::size_t add(std::vector<std::uint32_t>& words, std::size_t begin, std::size_t end, std::uint32_t key,
                         std::uint64_t count);

 private:
  static std::size_t add_word(std::vector<std::uint32_t>& words, std::size_t begin, std::size_t end,
                              std::uint32_t masked, std::uint32_t count);
};

/// A histogram that grows.
class Histogram {
 public:
  /// Seconds, or a ratio; not negative.
  void observe(double value);
  void observe(Duration value);
  /// To a bucket; the sum stays.
  void add(std::uint32_t key, std::uint64_t count) { Buckets::add(words_, 0, words_.size(), key, count); }
  void merge(const HistogramView& other);

  [[nodiscard]] HistogramView view() const { return {words_, sum_}; }
  operator HistogramView() const { return view(); }  // NOLINT(google-explicit-constructor): a view of itself

 private:
  std::vector<std::uint32_t> words_;
  double sum_ = 0;
};

/// The classic buckets of a configuration, made once and used for all histograms. A bucket of ours is counted at the
/// first bound that is not below its upper edge: exact for bounds that are edges, else late by at most one bucket.
class ClassicBounds {
 public:
  /// Rising; the open last one (+Inf) is not listed, and added.
  explicit ClassicBounds(std::vector<double> bounds);

  [[nodiscard]] std::span<const double> bounds() const { return bounds_; }
  /// Fills `counts` (one for each bound and one for +Inf) with cumulative counts; the last one is the count of all.
  void count(const HistogramView& histogram, std::span<std::uint64_t> counts) const;

 private:
  std::vector<double> bounds_;
  std::array<std::uint16_t, log_buckets::kKeys> place_{};  ///< by key
};

double in_seconds(Duration duration);

}  // namespace ecmp
