#include "render/metrics/encoder.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fmt/compile.h>
#include <iterator>
#include <limits>

namespace ecmp::render {

namespace {

bool append_not_finite(std::string& out, double value) {
  if (std::isfinite(value)) return false;
  out.append(std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
  return true;
}

/// Whole nanoseconds, as RTTs are in seconds, with at most 15 digits: no shorter text reads back as the same value.
bool append_nanoseconds(std::string& out, double value) {
  constexpr double kLeast = 1e-4;  // below, an exponent makes it shorter
  constexpr double kMost = 1e6;
  constexpr std::uint64_t kWhole = 1'000'000'000;
  if (!(value >= kLeast && value < kMost)) return false;
  const auto count = static_cast<std::uint64_t>(std::llround(value * 1e9));
  if (static_cast<double>(count) / 1e9 != value) return false;
  append_number(out, count / kWhole);
  std::uint64_t rest = count % kWhole;
  if (rest == 0) return true;
  std::array<char, 10> digits{'.'};
  for (std::size_t i = digits.size() - 1; i > 0; --i, rest /= 10) {
    digits[i] = static_cast<char>('0' + rest % 10);
  }
  std::size_t size = digits.size();
  while (digits[size - 1] == '0')
    --size;
  out.append(digits.data(), size);
  return true;
}

}  // namespace

std::string_view without_total(std::string_view name) {
  constexpr std::string_view kTotal = "_total";
  if (name.ends_with(kTotal)) name.remove_suffix(kTotal.size());
  return name;
}

std::string_view unit_of(std::string_view name) {
  for (const std::string_view unit : {"seconds", "bytes", "ratio"}) {
    const std::string_view before = name.substr(0, name.size() - std::min(name.size(), unit.size()));
    if (name.ends_with(unit) && before.ends_with('_')) return unit;
  }
  return {};
}

void append_float(std::string& out, double value) {
  if (append_not_finite(out, value) || append_nanoseconds(out, value)) return;
  std::array<char, 32> text;  // NOLINT(cppcoreguidelines-pro-type-member-init): 17 digits, sign, point, exponent
  char* const end = fmt::format_to(text.data(), FMT_COMPILE("{}"), value);
  out.append(text.data(), end);
}

void append_canonical(std::string& out, double value) {
  if (append_not_finite(out, value)) return;
  constexpr double kExponentFrom = 1e6;
  if (std::abs(value) >= kExponentFrom) {
    std::array<char, 32> text;  // NOLINT(cppcoreguidelines-pro-type-member-init): as above
    char* const end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific).ptr;
    out.append(text.data(), end);
    return;
  }
  const std::size_t begin = out.size();
  append_float(out, value);
  if (out.find_first_of(".e", begin) == std::string::npos) out.append(".0");
}

BucketLabels::BucketLabels(std::span<const double> bounds) : bounds_(bounds.begin(), bounds.end()) {
  const auto add = [this](double bound) {
    std::string& ending = endings_.emplace_back(",le=\"");
    append_canonical(ending, bound);
    ending.append("\"} ");
  };
  for (const double bound : bounds_) {
    add(bound);
  }
  add(std::numeric_limits<double>::infinity());
}

}  // namespace ecmp::render
