#include "render/figures.hpp"

#include <algorithm>
#include <limits>

namespace ecmp::render {

namespace {

using Kind = Statistics::Kind;
using What = Figure::What;

HistogramForm form_of(const Figure& figure, const HistogramOptions& options) {
  return figure.of_hops ? options.hops : options.paths;
}

bool has_classic(HistogramForm form) {
  return form == HistogramForm::classic || form == HistogramForm::both;
}

/// Of `automatic`, where classic ones are all there is: 100 destinations with 16 paths of 12 hops fit into 500,000
/// series.
std::size_t few_of(Kind kind) {
  return kind == Kind::rtt ? 2 : kind == Kind::jitter ? 1 : 0;
}

std::vector<double> bounds_of(const Figure& figure, Format format, const HistogramOptions& options) {
  const HistogramForm form = form_of(figure, options);
  const bool automatic = form == HistogramForm::automatic && format != Format::protobuf;
  if (figure.what != What::histogram || !(has_classic(form) || automatic)) return {};
  const std::vector<double>& bounds = figure.kind == Kind::rtt      ? options.rtt
                                      : figure.kind == Kind::jitter ? options.jitter
                                                                    : options.loss;
  if (automatic) return few(bounds, few_of(figure.kind));
  return figure.of_hops ? every_other(bounds) : bounds;
}

std::array<QuantileValue, 3> standard_quantiles() {
  return {{{0.5, "0.5", 0}, {0.95, "0.95", 0}, {0.99, "0.99", 0}}};
}

}  // namespace

std::vector<double> every_other(std::span<const double> bounds) {
  std::vector<double> kept;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    if ((bounds.size() - i) % 2 == 1) kept.push_back(bounds[i]);
  }
  return kept;
}

std::vector<double> few(std::span<const double> bounds, std::size_t count) {
  std::vector<double> kept;
  for (std::size_t i = 1; i <= std::min(count, bounds.size()); ++i)
    kept.push_back(bounds[i * bounds.size() / (count + 1)]);
  return kept;
}

const NativeBuckets& NativeConversion::convert(const HistogramView& histogram) {
  // Two empty buckets in between cost no more than a new span.
  constexpr std::int32_t kLargestFilledGap = 2;
  spans_.clear();
  deltas_.clear();
  buckets_.zero_count = 0;
  std::int32_t next = 0;  // index behind the last bucket
  std::int64_t last = 0;
  histogram.each([&](const HistogramView::Bucket& bucket) {
    if (bucket.zero()) {
      buckets_.zero_count = bucket.count;
      return;
    }
    const std::int32_t gap = bucket.index() - next;
    if (spans_.empty() || gap > kLargestFilledGap) {
      spans_.push_back({gap, 0});
    } else {
      for (std::int32_t i = 0; i < gap; ++i) {
        deltas_.push_back(-last);
        last = 0;
      }
      spans_.back().length += static_cast<std::uint32_t>(gap);
    }
    ++spans_.back().length;
    deltas_.push_back(static_cast<std::int64_t>(bucket.count) - last);
    last = static_cast<std::int64_t>(bucket.count);
    next = bucket.index() + 1;
  });
  buckets_.spans = spans_;
  buckets_.deltas = deltas_;
  return buckets_;
}

FigureWriter::FigureWriter(const Figure& figure, Format format, const HistogramOptions& options)
    : FigureWriter(figure, format, form_of(figure, options), bounds_of(figure, format, options), options.exact.get()) {}

FigureWriter::FigureWriter(const Figure& figure, Format format, HistogramForm form, const std::vector<double>& bounds,
                           const Statistics::Bounds* exact)
    : figure_(figure),
      native_(format == Format::protobuf && form != HistogramForm::classic),
      bounds_(bounds, exact != nullptr ? &(*exact)[static_cast<std::size_t>(figure.kind)] : nullptr),
      labels_(bounds),
      counts_(bounds.size() + 1),
      quantiles_(standard_quantiles()) {
  switch (figure.what) {
    case What::histogram:
      if (form == HistogramForm::off) break;
      series_ = native_ && !has_classic(form) ? 1 : labels_.series();
      break;
    case What::window_quantiles:
      series_ = quantiles_.size() + 2;
      break;
    case What::window_loss:
      series_ = 1;
      break;
  }
}

HistogramSample FigureWriter::histogram(const Statistics& statistics) {
  const HistogramView view = statistics.view(figure_.kind);
  bounds_.count(view, statistics.beside(figure_.kind), counts_);
  return {.count = counts_.back(),
          .sum = view.sum(),
          .cumulative = std::span(counts_).first(counts_.size() - 1),
          .native = native_ ? &conversion_.convert(view) : nullptr};
}

/// A window without observations has no quantiles: as Prometheus' own libraries say it, NaN.
SummarySample FigureWriter::summary(const Statistics& statistics) {
  const bool is_rtt = figure_.kind == Kind::rtt;
  const Quantiles& window = is_rtt ? statistics.window.rtt : statistics.window.jitter;
  const bool observed = (is_rtt ? statistics.window.rtts : statistics.window.jitters) > 0;
  const std::array<Duration, 3> values = {window.p50, window.p95, window.p99};
  for (std::size_t i = 0; i < values.size(); ++i) {
    quantiles_[i].value = observed ? in_seconds(values[i]) : std::numeric_limits<double>::quiet_NaN();
  }
  const HistogramView all = statistics.view(figure_.kind);
  return {.count = all.count(), .sum = all.sum(), .quantiles = quantiles_};
}

}  // namespace ecmp::render
