#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "render/metrics/labels.hpp"
#include "render/metrics/metric_table.hpp"

namespace ecmp::render {

/// The formats that a scrape can have.
enum class Format : std::uint8_t { text, openmetrics, protobuf };
inline constexpr std::size_t kFormats = 3;

/// What is told of a family before its samples.
struct FamilyHead {
  std::string_view name;  ///< as in the metric table: that of a counter ends in _total
  std::string_view help;
  MetricType type{};
};

/// The bounds of classic buckets, with the text that every bucket's line ends in, made once for all histograms.
class BucketLabels {
 public:
  /// Finite, rising; the open last bucket is added.
  explicit BucketLabels(std::span<const double> bounds);

  [[nodiscard]] std::span<const double> bounds() const { return bounds_; }
  /// `,le="0.005"} `, one more than bounds().
  [[nodiscard]] std::span<const std::string> endings() const { return endings_; }
  /// How many series a histogram is: its buckets, the sum and the count.
  [[nodiscard]] std::size_t series() const { return endings_.size() + 2; }

 private:
  std::vector<double> bounds_;
  std::vector<std::string> endings_;
};

/// Consecutive buckets of a native histogram.
struct NativeSpan {
  std::int32_t offset = 0;  ///< from the end of the span before; of the first: its index
  std::uint32_t length = 0;
};

/// Schema 3: bucket i holds what is in (2^((i-1)/8), 2^(i/8)].
struct NativeBuckets {
  std::uint64_t zero_count = 0;
  std::span<const NativeSpan> spans;
  std::span<const std::int64_t> deltas;  ///< each bucket's count less that of the one before
};

struct HistogramSample {
  std::uint64_t count = 0;  ///< is what the buckets hold together
  double sum = 0;
  std::span<const std::uint64_t> cumulative;  ///< one for each bound
  const NativeBuckets* native = nullptr;      ///< only protobuf can carry it
};

struct QuantileValue {
  double quantile = 0;
  std::string_view canonical;  ///< text of `quantile`
  double value = 0;            ///< NaN if nothing was observed
};

struct SummarySample {
  std::uint64_t count = 0;
  double sum = 0;
  std::span<const QuantileValue> quantiles;
};

/// What turns families into bytes of a format. Families follow each other: begin(), samples, end(); after the last of
/// them finish(). counted_since() says when what the samples that follow count was 0; WallTime{}: it is not known.
/// Label sets come in the encoder's form. Chosen at compile time: there are millions of samples.
template <typename T>
concept Encoder = requires(T encoder, const FamilyHead& head, std::string_view labels, const BucketLabels& bounds) {
  { T::kLabels } -> std::convertible_to<LabelForm>;
  encoder.begin(head);
  encoder.counted_since(WallTime{});
  encoder.value(labels, std::uint64_t{});
  encoder.value(labels, double{});
  encoder.histogram(labels, bounds, HistogramSample{});
  encoder.summary(labels, SummarySample{});
  encoder.end();
  encoder.finish();
};

/// The unit that a name without _total ends in: "seconds", "bytes" or "ratio"; empty if it ends in none.
std::string_view unit_of(std::string_view name);

/// `name` without _total.
std::string_view without_total(std::string_view name);

/// Shortest text that reads back as `value`; "+Inf", "-Inf", "NaN".
void append_float(std::string& out, double value);

/// The canonical form that OpenMetrics asks of `le` and `quantile`, and Prometheus makes of those in protobuf: as
/// append_float, but always with a point or an exponent ("1.0"), and with an exponent from 1e+06 on.
void append_canonical(std::string& out, double value);

}  // namespace ecmp::render
