#pragma once

#include "render/metrics/encoder.hpp"

namespace ecmp::render {

/// Messages io.prometheus.client.MetricFamily, each behind its length as a varint. Written by hand: the messages are
/// few and small, and the label sets of a scrape are copied and not encoded again.
class ProtobufEncoder {
 public:
  static constexpr LabelForm kLabels = LabelForm::protobuf;

  /// Appends to `out`.
  explicit ProtobufEncoder(std::string& out) : out_(out) {}

  void begin(const FamilyHead& family);
  void counted_since(WallTime began) {
    if (began != began_) take_begin(began);
  }
  void value(std::string_view labels, std::uint64_t value) { this->value(labels, static_cast<double>(value)); }
  void value(std::string_view labels, double value) {
    const std::size_t more = number_field_ == kCounterField ? counter_begin_.size() : 0;
    open(labels, kNumberSize + more);  // the length of what is in it stays below 128, and takes a byte
    out_.push_back(number_field_);
    wire::append_varint(out_, wire::kDoubleSize + more);
    wire::append_double(out_, 1, value);  // of Gauge and of Counter
    if (more > 0) out_.append(counter_begin_);
  }
  void histogram(std::string_view labels, const BucketLabels& bounds, const HistogramSample& sample);
  void summary(std::string_view labels, const SummarySample& sample);
  void end();
  void finish() {}

 private:
  static constexpr std::size_t kNumberSize = wire::bytes_size(wire::kDoubleSize);
  static constexpr char kCounterField = wire::tag(3, wire::length_delimited);  ///< of Metric

  /// Field `metric` of MetricFamily, up to the labels; `rest` bytes of it are still to come.
  void open(std::string_view labels, std::size_t rest) {
    wire::append_tag(out_, 4, wire::length_delimited);
    wire::append_varint(out_, labels.size() + rest);
    out_.append(labels);
  }
  void append_native(const NativeBuckets& native);
  void take_begin(WallTime began);

  std::string& out_;
  std::size_t begin_ = 0;  ///< of the family's message
  char number_field_ = 0;
  WallTime began_{};
  std::string begin_time_;     ///< that as a google.protobuf.Timestamp; empty: it is not told
  std::string counter_begin_;  ///< likewise, as the field of a Counter
  std::string message_;        ///< a Histogram or Summary, before its length is known
  std::string part_;           ///< likewise something in it
};

static_assert(Encoder<ProtobufEncoder>);

}  // namespace ecmp::render
