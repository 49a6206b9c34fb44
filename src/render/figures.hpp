#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/histogram_settings.hpp"
#include "path/statistics/histogram.hpp"
#include "path/statistics/statistics.hpp"
#include "render/metrics/encoder.hpp"

namespace ecmp::render {

using ecmp::HistogramForm;

struct HistogramOptions {
  HistogramForm paths = HistogramForm::both;
  HistogramForm hops = HistogramForm::both;
  /// Classic bounds of paths, rising, seconds or ratios. Hops, of which there are many more, have every other of them.
  std::vector<double> rtt = DefaultBuckets().rtt;
  std::vector<double> jitter = DefaultBuckets().jitter;
  std::vector<double> loss = DefaultBuckets().loss;
  /// With what was counted beside the buckets, so that classic ones are exact. Null: they are as exact as the buckets.
  std::shared_ptr<const Statistics::Bounds> exact = nullptr;
};

/// Bounds that keep every other of these, the last one among them.
std::vector<double> every_other(std::span<const double> bounds);

/// As many of these, evenly apart, neither the first nor the last: what a histogram of which there are very many has.
std::vector<double> few(std::span<const double> bounds, std::size_t count);

/// A histogram's buckets as native ones. Kept from one to the next for its memory; the result points into it.
class NativeConversion {
 public:
  const NativeBuckets& convert(const HistogramView& histogram);

 private:
  std::vector<NativeSpan> spans_;
  std::vector<std::int64_t> deltas_;
  NativeBuckets buckets_;
};

/// How a family of figures is written in a format.
class FigureWriter {
 public:
  FigureWriter(const Figure& figure, Format format, const HistogramOptions& options);

  /// Series of one path or hop; 0 if the family is not written.
  [[nodiscard]] std::uint64_t series() const { return series_; }

  /// Whether there is something to report: a window that nothing was sent in has no loss.
  [[nodiscard]] bool reports(const Statistics& statistics) const {
    return figure_.what != Figure::What::window_loss || statistics.window.probes > 0;
  }

  template <Encoder To>
  void write(To& encoder, std::string_view labels, const Statistics& statistics) {
    switch (figure_.what) {
      case Figure::What::histogram:
        encoder.histogram(labels, labels_, histogram(statistics));
        break;
      case Figure::What::window_quantiles:
        encoder.summary(labels, summary(statistics));
        break;
      case Figure::What::window_loss:
        encoder.value(labels, statistics.window.loss_ratio());
        break;
    }
  }

 private:
  FigureWriter(const Figure& figure, Format format, HistogramForm form, const std::vector<double>& bounds,
               const Statistics::Bounds* exact);
  HistogramSample histogram(const Statistics& statistics);
  SummarySample summary(const Statistics& statistics);

  Figure figure_;
  std::uint64_t series_ = 0;
  bool native_ = false;
  ClassicBounds bounds_;
  BucketLabels labels_;
  std::vector<std::uint64_t> counts_;
  NativeConversion conversion_;
  std::array<QuantileValue, 3> quantiles_;
};

}  // namespace ecmp::render
