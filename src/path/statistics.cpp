#include "path/statistics.hpp"

#include <span>

namespace ecmp {

/// A copy is made in order to grow.
Statistics::Statistics(const Statistics& other) : window(other.window), sums_(other.sums_), ends_(other.ends_) {
  words_.reserve((other.words_.size() + 2 + kStep - 1) / kStep * kStep);
  words_.assign(other.words_.begin(), other.words_.end());
}

HistogramView Statistics::view(Kind kind) const {
  const auto at = static_cast<std::size_t>(kind);
  const std::size_t begin = at == 0 ? 0 : ends_[at - 1];
  return {std::span(words_).subspan(begin, ends_[at] - begin), sums_[at]};
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
  if (words_.size() == words_.capacity()) words_.reserve((words_.size() / kStep + 1) * kStep);
  const auto grown = static_cast<std::uint16_t>(Buckets::add(words_, begin, ends_[at], key, count) - ends_[at]);
  for (std::size_t i = at; i < kKinds; ++i)
    ends_[i] = static_cast<std::uint16_t>(ends_[i] + grown);
}

}  // namespace ecmp
