#include "path/statistics/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "path/statistics/exact_bounds.hpp"

namespace ecmp {
namespace log_buckets {
double upper_edge(int index) {
  // Rounded down also below zero.
  const int octave = (index - (index % kPerOctave + kPerOctave) % kPerOctave) / kPerOctave;
  // 2^(octave + 1) by its bits, and times a power of two is exact: what ldexp() would say, in a tenth of its time.
  static_assert(kHighest / kPerOctave + 1 < 1023 && kLowest / kPerOctave - 2 > -1022);
  const double scale = std::bit_cast<double>(static_cast<std::uint64_t>(1023 + octave + 1) << 52);
  return kEdges[static_cast<std::size_t>(index - octave * kPerOctave)] * scale;
}

double value_in(std::uint32_t key, double place) {
  if (key == 0) return 0;
  const int index = index_of_key(key);
  const double low = upper_edge(index - 1);
  return low + (upper_edge(index) - low) * place;
}

bool is_edge(double value) {
  if (value <= 0) return true;
  const int index = index_of_key(key_of(value));
  return index != kHighest && upper_edge(index) == value;
}

}  // namespace log_buckets

std::uint64_t HistogramView::count() const {
  std::uint64_t sum = 0;
  each([&sum](const Bucket& bucket) { sum += bucket.count; });
  return sum;
}

std::uint64_t HistogramView::zero_count() const {
  const Reader first(bytes_);
  return !first.done() && first.bucket().zero() ? first.bucket().count : 0;
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

std::size_t Buckets::add(PackedArray<std::uint8_t>& bytes, std::size_t begin, std::size_t end, std::uint32_t key,
                         std::uint64_t count) {
  if (count == 0) return end;
  HistogramView::Reader reader(bytes.view().subspan(begin, end - begin));
  std::uint32_t next_key = 0;  // behind the bucket before
  for (; !reader.done() && reader.bucket().key < key; reader.next())
    next_key = reader.bucket().key + 1;
  const auto at = static_cast<std::size_t>(reader.position() - bytes.view().data());
  std::array<std::uint8_t, 2 * bucket_bytes::kLongestBucket> written;  // NOLINT: filled below
  std::uint8_t* last = written.data();
  std::size_t replaced = 0;
  if (!reader.done()) {
    // The bucket itself, or the one behind it, whose gap becomes smaller.
    const HistogramView::Bucket there = reader.bucket();
    reader.next();
    replaced = static_cast<std::size_t>(reader.position() - bytes.view().data()) - at;
    if (there.key == key) {
      last = bucket_bytes::write(last, key - next_key, there.count + count);
    } else {
      last = bucket_bytes::write(last, key - next_key, count);
      last = bucket_bytes::write(last, there.key - key - 1, there.count);
    }
  } else {
    last = bucket_bytes::write(last, key - next_key, count);
  }
  const auto size = static_cast<std::size_t>(last - written.data());
  bytes.replace(at, replaced, std::span(written).first(size));
  return end + size - replaced;
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

ClassicBounds::ClassicBounds(std::vector<double> bounds, const ExactBounds* exact) : bounds_(std::move(bounds)) {
  numbers_.reserve(bounds_.size());
  std::vector<std::uint32_t> whole;  // by bound: the last bucket that it takes in as a whole
  whole.reserve(bounds_.size());
  for (const double bound : bounds_) {
    const std::uint32_t key = log_buckets::key_of(bound);
    whole.push_back(log_buckets::is_edge(bound) ? key : key - 1);
    numbers_.push_back(exact != nullptr ? exact->number_of(bound).value_or(kNone) : kNone);
  }
  for (std::uint32_t key = 0; key < log_buckets::kKeys; ++key)
    place_[key] = static_cast<std::uint16_t>(std::ranges::lower_bound(whole, key) - whole.begin());
}

void ClassicBounds::count(const HistogramView& histogram, const HistogramView& beside,
                          std::span<std::uint64_t> counts) const {
  std::ranges::fill(counts, 0);
  histogram.each([&](const HistogramView::Bucket& bucket) { counts[place_[bucket.key]] += bucket.count; });
  for (std::size_t i = 1; i < counts.size(); ++i)
    counts[i] += counts[i - 1];
  beside.each([&](const HistogramView::Bucket& at) {
    const auto found = std::ranges::find(numbers_, at.key);
    if (found != numbers_.end()) counts[static_cast<std::size_t>(found - numbers_.begin())] += at.count;
  });
}

}  // namespace ecmp
