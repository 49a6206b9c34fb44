#pragma once

#include <vector>

#include "path/statistics/statistics.hpp"

namespace ecmp {

/// The windows of several paths, or of one responder on several paths, told as one.
///
/// Counts are sums. Quantiles of a mixture cannot be had exactly from those of its parts: each part's distribution is
/// taken as straight lines through its least value, p50, p95 and p99, and weighted by how many values it has. The
/// result is exact for one part and never outside of what the parts say.
class WindowBlend {
 public:
  void add(const WindowFigures& figures) { parts_.push_back(figures); }
  [[nodiscard]] WindowFigures figures() const;

 private:
  std::vector<WindowFigures> parts_;
};

}  // namespace ecmp
