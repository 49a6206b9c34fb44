#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "render/metrics/metric_table.hpp"
#include "render/metrics/protobuf_encoder.hpp"
#include "render/metrics/text_encoder.hpp"

namespace ecmp {

/// Whole seconds and nanoseconds apart: the nanoseconds since 1970 do not fit into a double.
double seconds(Duration duration);

/// Writes families of few samples in any of the formats: begin(), samples, end(); after the last of them finish().
class FamilyWriter {
 public:
  /// `began`: when what the counters count was 0; WallTime{}: it is not known.
  FamilyWriter(std::string& out, render::Format format, WallTime began);

  /// A family that no sample follows is not written. The row must outlive its samples.
  void begin(const render::MetricRow& row);
  /// A sample of a counter or gauge, with a value for each label of the row.
  template <typename Number>
  void operator()(Number value, std::initializer_list<std::string_view> label_values = {}) {
    add(static_cast<double>(value), label_values);
  }
  /// `counts` has one more than `bounds`: what lies above the last bound.
  void histogram(std::span<const Duration> bounds, std::span<const std::uint64_t> counts, Duration sum);
  void end();
  void finish();

 private:
  void add(double value, std::span<const std::string_view> label_values);
  void begin_with_first_sample();

  std::variant<render::TextEncoder, render::ProtobufEncoder> encoder_;
  WallTime began_;
  const render::MetricRow* row_ = nullptr;
  bool begun_ = false;
  std::string labels_;
};

}  // namespace ecmp
