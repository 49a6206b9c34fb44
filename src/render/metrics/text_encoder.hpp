#pragma once

#include <string>
#include <string_view>

#include "render/metrics/encoder.hpp"

namespace ecmp::render {

/// Prometheus text 0.0.4 and OpenMetrics 1.0.0: their samples are written the same way, what stands around them is not.
/// Both carry classic histograms only.
class TextEncoder {
 public:
  static constexpr LabelForm kLabels = LabelForm::text;

  /// Appends to `out`. `format`: text or openmetrics.
  TextEncoder(std::string& out, Format format) : out_(out), format_(format) {}

  void begin(const FamilyHead& family);
  /// Text 0.0.4 has no place for it, and OpenMetrics 1.0.0 only a series of its own for each: see adr/0020.
  static void counted_since(WallTime /*began*/) {}
  /// For further samples of a family whose beginning another encoder has written.
  void resume(const FamilyHead& family);
  void value(std::string_view labels, std::uint64_t value) {
    open(name_, labels);
    append_number(out_, value);
    out_.push_back('\n');
  }
  void value(std::string_view labels, double value) {
    open(name_, labels);
    append_float(out_, value);
    out_.push_back('\n');
  }
  void histogram(std::string_view labels, const BucketLabels& bounds, const HistogramSample& sample);
  void summary(std::string_view labels, const SummarySample& sample);
  void end() {}
  /// Behind all families.
  void finish();

 private:
  /// `name{labels} `, or `name ` if there are no labels.
  void open(std::string_view name, std::string_view labels) {
    out_.append(name);
    if (!labels.empty()) {
      out_.push_back('{');
      out_.append(labels);
      out_.push_back('}');
    }
    out_.push_back(' ');
  }
  void sum_and_count(std::string_view labels, double sum, std::uint64_t count);

  std::string& out_;
  Format format_;
  std::string name_;
  std::string bucket_;  ///< name_ + "_bucket{"
  std::string sum_;
  std::string count_;
  std::string line_;  ///< what several lines of a sample begin with
};

static_assert(Encoder<TextEncoder>);

}  // namespace ecmp::render
