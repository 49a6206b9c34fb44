#include "path/statistics/statistics.hpp"

#include <vector>

#include "base/check.hpp"

namespace ecmp {
namespace {

std::uint8_t* write_counts(const KeyCounts& counts, std::uint8_t* out) {
  std::uint32_t next_key = 0;
  counts.each([&](std::uint32_t key, std::uint32_t count) {
    out = bucket_bytes::write(out, key - next_key, count);
    next_key = key + 1;
  });
  return out;
}

/// Writes what `base` holds and the keys that `key_at(0)` to `key_at(count - 1)` give, both in order, to `out`; returns
/// the end.
template <typename KeyAt>
std::uint8_t* write_both(const HistogramView& base, std::size_t count, const KeyAt& key_at, std::uint8_t* out) {
  HistogramView::Reader reader(base.bytes());
  std::uint32_t next_key = 0;
  std::size_t at = 0;
  while (!reader.done() || at < count) {
    const bool from_base = !reader.done() && (at == count || reader.bucket().key <= key_at(at));
    const std::uint32_t key = from_base ? reader.bucket().key : key_at(at);
    std::uint64_t sum = 0;
    if (from_base) {
      sum = reader.bucket().count;
      reader.next();
    }
    for (; at < count && key_at(at) == key; ++at)
      ++sum;
    out = bucket_bytes::write(out, key - next_key, sum);
    next_key = key + 1;
  }
  return out;
}

}  // namespace

Quantiles KeyCounts::quantiles(Duration least) const {
  constexpr std::array kShares = {50u, 95u, 99u};
  std::array<Duration, kShares.size()> found{};
  if (total_ == 0) return {};
  std::uint64_t below = 0;
  std::size_t next = 0;
  for (std::uint32_t key = low_; key <= high_ && next < kShares.size(); ++key) {
    const std::uint32_t count = counts_[key];
    // Nearest rank: the smallest value that at least this share of all does not exceed.
    for (; next < kShares.size(); ++next) {
      const std::uint64_t rank = (total_ * kShares[next] + 99) / 100;
      if (below + count < rank) break;
      const double place = (static_cast<double>(rank - below) - 0.5) / count;
      found[next] = std::max(least, from_seconds(log_buckets::value_in(key, place)));
    }
    below += count;
  }
  return {found[0], found[1], found[2]};
}

WindowFigures WindowCounts::figures() const {
  WindowFigures figures;
  figures.rtts = rtts.total();
  figures.jitters = jitters.total();
  figures.losses = losses;
  figures.probes = figures.rtts + losses + silences;
  figures.least_rtt = least == Duration::max() ? Duration(0) : least;
  figures.rtt = rtts.quantiles(figures.least_rtt);
  figures.jitter = jitters.quantiles({});
  return figures;
}

Statistics::Statistics(const Statistics& base, std::span<Observation> more, const Bounds* bounds,
                       const WindowCounts* now)
    : window(base.window) {
  count(base, more, bounds, now);
}

/// `base` may be this one: nothing of it is written before all of it was read.
void Statistics::count(const Statistics& base, std::span<Observation> more, const Bounds* bounds,
                       const WindowCounts* now) {
  if (now != nullptr) window = now->figures();
  sums_ = base.sums_;
  // Sums in the order of observation, so that they are the same whoever adds them up.
  for (const Observation& one : more)
    sums_[static_cast<std::size_t>(one.kind())] += one.value();
  std::ranges::sort(more);
  constexpr std::size_t kRoom = log_buckets::kKeys + ExactBounds::kMost;
  constexpr std::size_t kMost = (kKinds * kRoom + 2 * log_buckets::kKeys) * bucket_bytes::kLongestBucket;
  std::array<std::uint8_t, kMost> written;  // NOLINT: filled below
  std::uint8_t* end = written.data();
  std::array<std::span<const Observation>, kKinds> by_kind;
  std::array<std::uint16_t, kAllSections> ends{};
  std::size_t first = 0;
  for (std::size_t at = 0; at < kKinds; ++at) {
    std::size_t last = first;
    while (last < more.size() && more[last].kind() == static_cast<Kind>(at))
      ++last;
    by_kind[at] = more.subspan(first, last - first);
    end = write_both(
        base.view(static_cast<Kind>(at)), last - first, [&](std::size_t i) { return by_kind[at][i].key(); }, end);
    ends[at] = static_cast<std::uint16_t>(end - written.data());
    first = last;
  }
  static thread_local std::vector<std::uint32_t> beside;  // few observations lie in a bucket that a bound cuts
  for (std::size_t at = 0; at < kKinds; ++at) {
    beside.clear();
    if (bounds != nullptr) {
      for (const Observation& one : by_kind[at])
        (*bounds)[at].each_holding(one.key(), one.value(), [&](std::uint32_t number) { beside.push_back(number); });
      std::ranges::sort(beside);
    }
    end = write_both(base.beside(static_cast<Kind>(at)), beside.size(), [&](std::size_t i) { return beside[i]; }, end);
    ends[kKinds + at] = static_cast<std::uint16_t>(end - written.data());
  }
  for (const std::size_t at : {kWindowRtts, kWindowJitters}) {
    end = now == nullptr ? std::ranges::copy(base.section(at), end).out
                         : write_counts(at == kWindowRtts ? now->rtts : now->jitters, end);
    ends[at] = static_cast<std::uint16_t>(end - written.data());
  }
  ends_ = ends;
  ECMP_CHECK(end - written.data() <= UINT16_MAX);
  ECMP_CHECK(std::ranges::is_sorted(ends_));
  ECMP_CHECK(window.rtts + window.losses <= window.probes);
  bytes_.assign({written.data(), end});
}

WindowFigures Statistics::merged_window(std::span<const Statistics* const> parts) {
  const auto observed = [](const Statistics* part) { return part != nullptr && part->window.probes > 0; };
  const auto first = std::ranges::find_if(parts, observed);
  if (first == parts.end()) return {};
  if (std::none_of(first + 1, parts.end(), observed)) return (*first)->window;
  WindowCounts sum;
  const auto add = [](KeyCounts& counts, std::span<const std::uint8_t> section) {
    HistogramView(section, 0).each([&counts](const HistogramView::Bucket& bucket) {
      counts.add(bucket.key, static_cast<std::uint32_t>(bucket.count));
    });
  };
  for (const Statistics* const part : parts) {
    if (!observed(part)) continue;
    add(sum.rtts, part->section(kWindowRtts));
    add(sum.jitters, part->section(kWindowJitters));
    sum.losses += part->window.losses;
    sum.silences += part->window.silences();
    if (part->window.rtts > 0) sum.least = std::min(sum.least, part->window.least_rtt);
  }
  return sum.figures();
}

std::span<const std::uint8_t> Statistics::section(std::size_t at) const {
  const std::size_t begin = at == 0 ? 0 : ends_[at - 1];
  return bytes_.view().subspan(begin, ends_[at] - begin);
}

HistogramView Statistics::view(Kind kind) const {
  const auto at = static_cast<std::size_t>(kind);
  return {section(at), sums_[at]};
}

HistogramView Statistics::beside(Kind kind) const {
  return {section(kKinds + static_cast<std::size_t>(kind)), 0};
}

void Statistics::observe(Kind kind, double value, const Bounds* bounds) {
  const auto at = static_cast<std::size_t>(kind);
  const std::uint32_t key = log_buckets::key_of(value);
  add(at, key, 1);
  if (value > 0) sums_[at] += value;
  if (bounds == nullptr) return;
  (*bounds)[at].each_holding(key, value, [&](std::uint32_t number) { add(kKinds + at, number, 1); });
}

void Statistics::merge(const Statistics& other) {
  for (std::size_t at = 0; at < kSections; ++at) {
    HistogramView(other.section(at), 0).each([&](const HistogramView::Bucket& bucket) {
      add(at, bucket.key, bucket.count);
    });
  }
  for (std::size_t at = 0; at < kKinds; ++at)
    sums_[at] += other.sums_[at];
}

void Statistics::add(std::size_t section, std::uint32_t key, std::uint64_t count) {
  const std::size_t begin = section == 0 ? 0 : ends_[section - 1];
  const std::size_t before = ends_[section];
  const std::size_t grown = Buckets::add(bytes_, begin, before, key, count) - before;
  for (std::size_t i = section; i < kAllSections; ++i)
    ends_[i] = static_cast<std::uint16_t>(ends_[i] + grown);
  ECMP_CHECK(ends_.back() == bytes_.size());
}

}  // namespace ecmp
