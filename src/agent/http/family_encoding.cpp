#include "agent/http/family_encoding.hpp"

#include <cmath>
#include <deque>
#include <vector>

#include "render/metrics/protobuf_encoder.hpp"
#include "render/metrics/text_encoder.hpp"

namespace ecmp {

namespace {

using render::MetricType;

MetricType type_of(prometheus::MetricType type) {
  switch (type) {
    case prometheus::MetricType::Counter:
      return MetricType::counter;
    case prometheus::MetricType::Histogram:
      return MetricType::histogram;
    case prometheus::MetricType::Summary:
      return MetricType::summary;
    default:
      return MetricType::gauge;
  }
}

template <render::Encoder To>
void append_histogram(To& encoder, std::string_view labels, const prometheus::ClientMetric::Histogram& histogram) {
  std::vector<double> bounds;
  std::vector<std::uint64_t> cumulative;
  for (const auto& bucket : histogram.bucket) {
    if (!std::isfinite(bucket.upper_bound)) continue;
    bounds.push_back(bucket.upper_bound);
    cumulative.push_back(bucket.cumulative_count);
  }
  encoder.histogram(labels, render::BucketLabels(bounds),
                    {.count = histogram.sample_count, .sum = histogram.sample_sum, .cumulative = cumulative});
}

template <render::Encoder To>
void append_summary(To& encoder, std::string_view labels, const prometheus::ClientMetric::Summary& summary) {
  std::deque<std::string> texts;  // does not move what is pointed to
  std::vector<render::QuantileValue> quantiles;
  for (const auto& one : summary.quantile) {
    render::append_canonical(texts.emplace_back(), one.quantile);
    quantiles.push_back({one.quantile, texts.back(), one.value});
  }
  encoder.summary(labels, {.count = summary.sample_count, .sum = summary.sample_sum, .quantiles = quantiles});
}

/// A count, where it is one: its text has no exponent then, however large it is.
template <render::Encoder To>
void append_value(To& encoder, std::string_view labels, double value) {
  constexpr double kExact = 0x1p53;
  if (value >= 0 && value < kExact && std::floor(value) == value) {
    encoder.value(labels, static_cast<std::uint64_t>(value));
  } else {
    encoder.value(labels, value);
  }
}

template <render::Encoder To>
void append(To encoder, std::span<const prometheus::MetricFamily> families, WallTime began) {
  encoder.counted_since(began);
  std::string labels;
  for (const prometheus::MetricFamily& family : families) {
    const MetricType type = type_of(family.type);
    encoder.begin({family.name, family.help, type});
    for (const prometheus::ClientMetric& metric : family.metric) {
      labels.clear();
      render::LabelWriter writer(labels, To::kLabels, true);
      for (const auto& label : metric.label) {
        writer.add(label.name, label.value);
      }
      switch (type) {
        case MetricType::counter:
          append_value(encoder, labels, metric.counter.value);
          break;
        case MetricType::gauge:
          append_value(encoder, labels, metric.gauge.value);
          break;
        case MetricType::histogram:
          append_histogram(encoder, labels, metric.histogram);
          break;
        case MetricType::summary:
          append_summary(encoder, labels, metric.summary);
          break;
      }
    }
    encoder.end();
  }
  encoder.finish();
}

}  // namespace

void append_families(std::string& out, render::Format format, std::span<const prometheus::MetricFamily> families,
                     WallTime began) {
  if (format == render::Format::protobuf) {
    append(render::ProtobufEncoder(out), families, began);
  } else {
    append(render::TextEncoder(out, format), families, began);
  }
}

}  // namespace ecmp
