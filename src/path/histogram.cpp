#include "path/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ecmp {
namespace log_buckets {
namespace {

/// 2^((k-8)/8) for k = 0 to 8: the edges between 0.5 and 1.
constexpr std::array<double, kPerOctave + 1> kEdges = {0.5,
                                                       0.5452538663326288,
                                                       0.5946035575013605,
                                                       0.6484197773255048,
                                                       0.7071067811865476,
                                                       0.7711054127039704,
                                                       0.8408964152537144,
                                                       0.9170040432046711,
                                                       1.0};

}  // namespace

std::uint32_t key_of(double value) {
  if (!(value > 0)) return 0;
  if (std::isinf(value)) return kKeys - 1;
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  const auto* const edge = std::lower_bound(kEdges.begin(), kEdges.end(), fraction);
  const int index = (exponent - 1) * kPerOctave + static_cast<int>(edge - kEdges.begin());
  return static_cast<std::uint32_t>(std::clamp(index, kLowest, kHighest) - kLowest + 1);
}

double upper_edge(int index) {
  // Rounded down also below zero.
  const int octave = (index - (index % kPerOctave + kPerOctave) % kPerOctave) / kPerOctave;
  return std::ldexp(kEdges[static_cast<std::size_t>(index - octave * kPerOctave)], octave + 1);
}

double value_in(std::uint32_t key, double place) {
  if (key == 0) return 0;
  const int index = index_of_key(key);
  const double low = upper_edge(index - 1);
  return low + (upper_edge(index) - low) * place;
}

}  // namespace log_buckets

double in_seconds(Duration duration) {
  return static_cast<double>(duration.count()) / 1e9;
}

std::uint64_t HistogramView::count() const {
  std::uint64_t sum = 0;
  for (const std::uint32_t word : words_)
    sum += units(word);
  return sum;
}

std::uint64_t HistogramView::zero_count() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < words_.size() && key(words_[i]) == 0; ++i)
    sum += units(words_[i]);
  return sum;
}

double HistogramView::quantile(double q) const {
  const std::uint64_t all = count();
  if (all == 0) return 0;
  // Nearest rank: the smallest value that is not exceeded by more than a share of 1 - q.
  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(all));
  const std::uint64_t rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, all);
  std::uint64_t below = 0;
  double found = 0;
  bool done = false;
  each([&](const Bucket& bucket) {
    if (done) return;
    if (below + bucket.count >= rank) {
      const double place = (static_cast<double>(rank - below) - 0.5) / static_cast<double>(bucket.count);
      found = log_buckets::value_in(bucket.key, place);
      done = true;
    }
    below += bucket.count;
  });
  return found;
}

std::size_t Buckets::add(std::vector<std::uint32_t>& words, std::size_t begin, std::size_t end, std::uint32_t key,
                         std::uint64_t count) {
  const std::uint32_t masked = key << (HistogramView::kCountBits + 1);
  const auto low = static_cast<std::uint32_t>(count & HistogramView::kCountMask);
  const auto high = static_cast<std::uint32_t>(count >> HistogramView::kCountBits);
  if (low != 0) end = add_word(words, begin, end, masked, low);
  if (high != 0) end = add_word(words, begin, end, masked | HistogramView::kHigh, high);
  return end;
}

std::size_t Buckets::add_word(std::vector<std::uint32_t>& words, std::size_t begin, std::size_t end,
                              std::uint32_t masked, std::uint32_t count) {
  constexpr std::uint32_t kMask = HistogramView::kCountMask;
  const auto first = words.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto last = words.begin() + static_cast<std::ptrdiff_t>(end);
  const auto at = std::lower_bound(first, last, masked);
  if (at == last || (*at & ~kMask) != masked) {
    words.insert(at, masked | count);
    return end + 1;
  }
  const std::uint64_t sum = std::uint64_t{*at & kMask} + count;
  if (sum <= kMask) {
    *at = masked | static_cast<std::uint32_t>(sum);
    return end;
  }
  // What does not fit goes up; a full upper word stays full, at 2^42 observations.
  const bool upper = (masked & HistogramView::kHigh) != 0;
  *at = masked | (upper ? kMask : static_cast<std::uint32_t>(sum & kMask));
  return upper ? end : add_word(words, begin, end, masked | HistogramView::kHigh, 1);
}

void Histogram::observe(double value) {
  add(log_buckets::key_of(value), 1);
  if (value > 0) sum_ += value;
}

void Histogram::observe(Duration value) {
  observe(in_seconds(value));
}

void Histogram::merge(const HistogramView& other) {
  other.each([this](const HistogramView::Bucket& bucket) { add(bucket.key, bucket.count); });
  sum_ += other.sum();
}

ClassicBounds::ClassicBounds(std::vector<double> bounds) : bounds_(std::move(bounds)) {
  for (std::uint32_t key = 1; key < log_buckets::kKeys; ++key) {
    // An edge typed in decimal, such as 0.0078125, is to be met in spite of the last bit of 2^(index/8).
    const double edge = log_buckets::upper_edge(log_buckets::index_of_key(key)) * (1 - 1e-12);
    place_[key] = static_cast<std::uint16_t>(std::ranges::lower_bound(bounds_, edge) - bounds_.begin());
  }
}

void ClassicBounds::count(const HistogramView& histogram, std::span<std::uint64_t> counts) const {
  std::ranges::fill(counts, 0);
  histogram.each([&](const HistogramView::Bucket& bucket) { counts[place_[bucket.key]] += bucket.count; });
  for (std::size_t i = 1; i < counts.size(); ++i)
    counts[i] += counts[i - 1];
}

}  // namespace ecmp
