#include "path/statistics.hpp"

namespace ecmp {
namespace {

/// Writes what `base` holds and the observations of one kind, both in order, to `out`; returns the end.
std::uint8_t* write_both(const HistogramView& base, std::span<const Statistics::Observation> more, std::uint8_t* out) {
  HistogramView::Reader reader(base.bytes());
  std::uint32_t next_key = 0;
  std::size_t at = 0;
  while (!reader.done() || at < more.size()) {
    const bool from_base = !reader.done() && (at == more.size() || reader.bucket().key <= more[at].key());
    const std::uint32_t key = from_base ? reader.bucket().key : more[at].key();
    std::uint64_t count = 0;
    if (from_base) {
      count = reader.bucket().count;
      reader.next();
    }
    for (; at < more.size() && more[at].key() == key; ++at)
      ++count;
    out = bucket_bytes::write(out, key - next_key, count);
    next_key = key + 1;
  }
  return out;
}

}  // namespace

Statistics::Statistics(const Statistics& base, std::span<Observation> more) : window(base.window), sums_(base.sums_) {
  // Sums in the order of observation, so that they are the same whoever adds them up.
  for (const Observation& one : more)
    sums_[static_cast<std::size_t>(one.kind())] += one.value();
  std::ranges::sort(more);
  std::array<std::uint8_t, kKinds * log_buckets::kKeys * bucket_bytes::kLongestBucket> written;  // NOLINT: filled below
  std::uint8_t* end = written.data();
  std::size_t first = 0;
  for (std::size_t at = 0; at < kKinds; ++at) {
    const auto kind = static_cast<Kind>(at);
    std::size_t last = first;
    while (last < more.size() && more[last].kind() == kind)
      ++last;
    end = write_both(base.view(kind), more.subspan(first, last - first), end);
    ends_[at] = static_cast<std::uint16_t>(end - written.data());
    first = last;
  }
  bytes_.assign({written.data(), end});
}

HistogramView Statistics::view(Kind kind) const {
  const auto at = static_cast<std::size_t>(kind);
  const std::size_t begin = at == 0 ? 0 : ends_[at - 1];
  return {bytes_.view().subspan(begin, ends_[at] - begin), sums_[at]};
}

void Statistics::observe(Kind kind, double value) {
  add(kind, log_buckets::key_of(value), 1);
  if (value > 0) sums_[static_cast<std::size_t>(kind)] += value;
}

void Statistics::merge(const Statistics& other) {
  for (std::size_t at = 0; at < kKinds; ++at) {
    const auto kind = static_cast<Kind>(at);
    other.view(kind).each([&](const HistogramView::Bucket& bucket) { add(kind, bucket.key, bucket.count); });
    sums_[at] += other.sums_[at];
  }
}

void Statistics::add(Kind kind, std::uint32_t key, std::uint64_t count) {
  const auto at = static_cast<std::size_t>(kind);
  const std::size_t begin = at == 0 ? 0 : ends_[at - 1];
  const std::size_t before = ends_[at];
  const std::size_t grown = Buckets::add(bytes_, begin, before, key, count) - before;
  for (std::size_t i = at; i < kKinds; ++i)
    ends_[i] = static_cast<std::uint16_t>(ends_[i] + grown);
}

}  // namespace ecmp
