#include "path/statistics/exact_bounds.hpp"

#include <algorithm>

namespace ecmp {

void ExactBounds::add(std::span<const double> bounds) {
  for (const double bound : bounds) {
    if (log_buckets::is_edge(bound) || bounds_.size() == kMost || number_of(bound)) continue;
    bounds_.push_back({log_buckets::key_of(bound), static_cast<std::uint32_t>(bounds_.size()), bound});
  }
  std::ranges::stable_sort(bounds_, {}, &Bound::key);
  places_.fill(0);
  for (std::size_t at = bounds_.size(); at-- > 0;)
    places_[bounds_[at].key] = static_cast<std::uint16_t>(at + 1);
}

std::optional<std::uint32_t> ExactBounds::number_of(double bound) const {
  const auto found = std::ranges::find(bounds_, bound, &Bound::value);
  if (found == bounds_.end()) return std::nullopt;
  return found->number;
}

}  // namespace ecmp
