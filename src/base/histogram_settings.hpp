#pragma once

#include <cstdint>
#include <vector>

namespace ecmp {

/// In which forms histograms are published: classic buckets, native ones (only protobuf can carry these; without
/// classic ones, the text formats have sum, count and the open bucket), both, or (hops only) not at all. `automatic`:
/// native ones alone in protobuf, few classic ones elsewhere.
enum class HistogramForm : std::uint8_t { classic, native, both, off, automatic };

/// Upper bounds of the classic buckets of histograms where none are configured, rising; the open last one is not
/// listed.
struct DefaultBuckets {
  std::vector<double> rtt = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                             0.025,  0.05,    0.1,    0.25,  0.5,    1};  ///< seconds
  std::vector<double> jitter = {0.00001, 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
                                0.005,   0.01,   0.025,   0.1,    0.5};  ///< seconds
  std::vector<double> loss = {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1};       ///< ratios
};

}  // namespace ecmp
