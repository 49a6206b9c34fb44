#include "render/metrics/protobuf_encoder.hpp"

#include <array>

namespace ecmp::render {

namespace {

/// enum MetricType of io.prometheus.client.
constexpr std::uint64_t type_number(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return 0;
    case MetricType::gauge:
      return 1;
    case MetricType::summary:
      return 2;
    case MetricType::histogram:
      return 4;
  }
  return 3;  // UNTYPED
}

// Fields of Metric.
constexpr unsigned kGauge = 2;
constexpr unsigned kSummary = 4;
constexpr unsigned kHistogram = 7;

constexpr std::int64_t kSchema = 3;
constexpr double kZeroThreshold = 0x1p-128;

}  // namespace

void ProtobufEncoder::begin(const FamilyHead& family) {
  begin_ = out_.size();
  number_field_ = family.type == MetricType::counter ? kCounterField : wire::tag(kGauge, wire::length_delimited);
  wire::append_bytes(out_, 1, family.name);
  wire::append_bytes(out_, 2, family.help);
  wire::append_unsigned(out_, 3, type_number(family.type));
}

/// Series of a path and of its hops follow each other, and most began together: it is written once for them. The fields
/// are `created_timestamp` in the messages, and `start_timestamp` in newer versions of them.
void ProtobufEncoder::take_begin(WallTime began) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  began_ = began;
  begin_time_.clear();
  counter_begin_.clear();
  const std::int64_t since_1970 = began.time_since_epoch().count();
  if (since_1970 <= 0) return;
  wire::append_unsigned(begin_time_, 1, static_cast<std::uint64_t>(since_1970 / kSecond));
  wire::append_unsigned(begin_time_, 2, static_cast<std::uint64_t>(since_1970 % kSecond));
  wire::append_bytes(counter_begin_, 3, begin_time_);
}

void ProtobufEncoder::end() {
  // The length stands in front of what is only now known. Moving a family once costs less than measuring it first.
  const std::size_t size = out_.size() - begin_;
  std::string length;
  wire::append_varint(length, size);
  out_.insert(begin_, length);
}

void ProtobufEncoder::histogram(std::string_view labels, const BucketLabels& bounds, const HistogramSample& sample) {
  message_.clear();
  wire::append_unsigned(message_, 1, sample.count);
  wire::append_double(message_, 2, sample.sum);
  const auto uppers = bounds.bounds();
  // The open last bucket is not sent: a reader takes the count for it.
  for (std::size_t i = 0; i < sample.cumulative.size() && i < uppers.size(); ++i) {
    wire::append_tag(message_, 3, wire::length_delimited);
    wire::append_varint(message_, 1 + wire::varint_size(sample.cumulative[i]) + wire::kDoubleSize);
    wire::append_unsigned(message_, 1, sample.cumulative[i]);
    wire::append_double(message_, 2, uppers[i]);
  }
  if (sample.native != nullptr) append_native(*sample.native);
  if (!begin_time_.empty()) wire::append_bytes(message_, 15, begin_time_);
  open(labels, wire::bytes_size(message_.size()));
  wire::append_bytes(out_, kHistogram, message_);
}

/// A reader takes a histogram for a native one by its zero threshold or its spans, and looks at the first of a family
/// for all of it: so even one that is empty says what it is, by a span of no buckets.
void ProtobufEncoder::append_native(const NativeBuckets& native) {
  static constexpr std::array<NativeSpan, 1> kNoBuckets{};
  wire::append_unsigned(message_, 5, wire::zigzag(kSchema));
  wire::append_double(message_, 6, kZeroThreshold);
  wire::append_unsigned(message_, 7, native.zero_count);
  for (const NativeSpan& span : native.spans.empty() ? std::span<const NativeSpan>(kNoBuckets) : native.spans) {
    const std::uint64_t offset = wire::zigzag(span.offset);
    wire::append_tag(message_, 12, wire::length_delimited);
    wire::append_varint(message_, 2 + wire::varint_size(offset) + wire::varint_size(span.length));
    wire::append_unsigned(message_, 1, offset);
    wire::append_unsigned(message_, 2, span.length);
  }
  if (native.deltas.empty()) return;
  part_.clear();
  for (const std::int64_t delta : native.deltas) {
    wire::append_varint(part_, wire::zigzag(delta));
  }
  wire::append_bytes(message_, 13, part_);  // packed, as a reader of either syntax of protobuf takes it
}

void ProtobufEncoder::summary(std::string_view labels, const SummarySample& sample) {
  constexpr std::size_t kQuantileSize = 2 * wire::kDoubleSize;
  message_.clear();
  wire::append_unsigned(message_, 1, sample.count);
  wire::append_double(message_, 2, sample.sum);
  for (const QuantileValue& one : sample.quantiles) {
    wire::append_tag(message_, 3, wire::length_delimited);
    wire::append_varint(message_, kQuantileSize);
    wire::append_double(message_, 1, one.quantile);
    wire::append_double(message_, 2, one.value);
  }
  if (!begin_time_.empty()) wire::append_bytes(message_, 4, begin_time_);
  open(labels, wire::bytes_size(message_.size()));
  wire::append_bytes(out_, kSummary, message_);
}

}  // namespace ecmp::render
