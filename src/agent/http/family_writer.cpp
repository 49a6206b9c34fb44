#include "agent/http/family_writer.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ecmp {

namespace {

using render::ProtobufEncoder;
using render::TextEncoder;

}  // namespace

double seconds(Duration duration) {
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  const std::int64_t count = duration.count();
  const std::int64_t whole = count / kNanoseconds;
  return static_cast<double>(whole) + static_cast<double>(count % kNanoseconds) / 1e9;
}

FamilyWriter::FamilyWriter(std::string& out, render::Format format, WallTime began)
    : encoder_(std::in_place_type<TextEncoder>, out, format), began_(began) {
  if (format == render::Format::protobuf) encoder_.emplace<ProtobufEncoder>(out);
}

void FamilyWriter::begin(const render::MetricRow& row) {
  row_ = &row;
  begun_ = false;
}

void FamilyWriter::begin_with_first_sample() {
  if (begun_) return;
  begun_ = true;
  std::visit(
      [this](auto& encoder) {
        encoder.counted_since(began_);
        encoder.begin({row_->name, row_->help, row_->type});
      },
      encoder_);
}

void FamilyWriter::add(double value, std::span<const std::string_view> label_values) {
  constexpr double kExact = 0x1p53;
  begin_with_first_sample();
  std::visit(
      [&](auto& encoder) {
        labels_.clear();
        render::LabelWriter writer(labels_, encoder.kLabels, true);
        std::string_view names = row_->labels;
        for (const std::string_view label_value : label_values) {
          const std::size_t size = std::min(names.find(','), names.size());
          writer.add(names.substr(0, size), label_value);
          names.remove_prefix(std::min(size + 1, names.size()));
        }
        // A count, where it is one: its text has no exponent then, however large it is.
        if (value >= 0 && value < kExact && std::floor(value) == value) {
          encoder.value(labels_, static_cast<std::uint64_t>(value));
        } else {
          encoder.value(labels_, value);
        }
      },
      encoder_);
}

void FamilyWriter::histogram(std::span<const Duration> bounds, std::span<const std::uint64_t> counts, Duration sum) {
  begin_with_first_sample();
  std::vector<double> upper;
  std::vector<std::uint64_t> cumulative;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    count += counts[i];
    if (i >= bounds.size()) continue;
    upper.push_back(seconds(bounds[i]));
    cumulative.push_back(count);
  }
  std::visit(
      [&](auto& encoder) {
        encoder.histogram({}, render::BucketLabels(upper),
                          {.count = count, .sum = seconds(sum), .cumulative = cumulative});
      },
      encoder_);
}

void FamilyWriter::end() {
  if (begun_) std::visit([](auto& encoder) { encoder.end(); }, encoder_);
}

void FamilyWriter::finish() {
  std::visit([](auto& encoder) { encoder.finish(); }, encoder_);
}

}  // namespace ecmp
