#include "agent/tracing/histogram_bounds.hpp"

namespace ecmp {

std::shared_ptr<const Statistics::Bounds> with_bounds(const Statistics::Bounds* before,
                                                      const config::Histograms& histograms) {
  using Kind = Statistics::Kind;
  auto bounds =
      before != nullptr ? std::make_shared<Statistics::Bounds>(*before) : std::make_shared<Statistics::Bounds>();
  (*bounds)[static_cast<std::size_t>(Kind::rtt)].add(histograms.rtt);
  (*bounds)[static_cast<std::size_t>(Kind::jitter)].add(histograms.jitter);
  (*bounds)[static_cast<std::size_t>(Kind::loss)].add(histograms.loss);
  return bounds;
}

}  // namespace ecmp
