#include "render/metrics/text_encoder.hpp"

namespace ecmp::render {

namespace {

/// A help ends with its line. OpenMetrics escapes quotes in it too, text 0.0.4 must not.
void append_help(std::string& out, std::string_view help, Format format) {
  for (const char character : help) {
    if (character == '\\') {
      out.append("\\\\");
    } else if (character == '\n') {
      out.append("\\n");
    } else if (character == '"' && format == Format::openmetrics) {
      out.append("\\\"");
    } else {
      out.push_back(character);
    }
  }
}

}  // namespace

void TextEncoder::resume(const FamilyHead& family) {
  name_ = family.name;
  bucket_ = name_ + "_bucket{";
  sum_ = name_ + "_sum";
  count_ = name_ + "_count";
}

void TextEncoder::begin(const FamilyHead& family) {
  resume(family);
  // A counter of OpenMetrics has two names: its family's, and its sample's, which ends in _total.
  const bool is_counter = family.type == MetricType::counter;
  const std::string_view name = format_ == Format::openmetrics && is_counter ? without_total(family.name) : family.name;
  out_.append("# HELP ").append(name).push_back(' ');
  append_help(out_, family.help, format_);
  out_.append("\n# TYPE ").append(name).push_back(' ');
  out_.append(to_string(family.type)).push_back('\n');
  if (format_ != Format::openmetrics) return;
  if (const std::string_view unit = unit_of(name); !unit.empty()) {
    out_.append("# UNIT ").append(name).push_back(' ');
    out_.append(unit).push_back('\n');
  }
}

void TextEncoder::histogram(std::string_view labels, const BucketLabels& bounds, const HistogramSample& sample) {
  // All buckets' lines begin alike.
  line_.assign(bucket_).append(labels);
  const auto endings = bounds.endings();
  for (std::size_t i = 0; i < endings.size(); ++i) {
    out_.append(line_);
    out_.append(labels.empty() ? std::string_view(endings[i]).substr(1) : std::string_view(endings[i]));
    append_number(out_, i < sample.cumulative.size() ? sample.cumulative[i] : sample.count);
    out_.push_back('\n');
  }
  sum_and_count(labels, sample.sum, sample.count);
}

void TextEncoder::summary(std::string_view labels, const SummarySample& sample) {
  line_.assign(name_).append("{").append(labels).append(labels.empty() ? "quantile=\"" : ",quantile=\"");
  for (const QuantileValue& one : sample.quantiles) {
    out_.append(line_).append(one.canonical).append("\"} ");
    append_float(out_, one.value);
    out_.push_back('\n');
  }
  sum_and_count(labels, sample.sum, sample.count);
}

void TextEncoder::sum_and_count(std::string_view labels, double sum, std::uint64_t count) {
  open(sum_, labels);
  append_float(out_, sum);
  out_.push_back('\n');
  open(count_, labels);
  append_number(out_, count);
  out_.push_back('\n');
}

void TextEncoder::finish() {
  if (format_ == Format::openmetrics) out_.append("# EOF\n");
}

}  // namespace ecmp::render
