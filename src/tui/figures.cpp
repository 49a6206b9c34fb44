#include "tui/figures.hpp"

#include <fmt/format.h>

namespace ecmp::tui {

std::string milliseconds(Duration time, Precision precision) {
  const double value = static_cast<double>(time.count()) / 1e6;
  if (precision == Precision::aligned)
    return fmt::format("{:.{}f}", value, value < 9999.9995 ? 3 : value < 99999.995 ? 2 : 0);
  if (value >= 99999.5) return fmt::format("{:.0f}s", value / 1000);
  return fmt::format("{:.{}f}", value, value < 9.9995 ? 3 : value < 99.995 ? 2 : value < 999.95 ? 1 : 0);
}

std::string percent(double ratio) {
  const double value = ratio * 100;
  if (value <= 0) return "0.0";
  if (value >= 100) return "100";
  return fmt::format("{:.1f}", value < 0.1 ? 0.1 : value > 99.9 ? 99.9 : value);
}

Style loss_style(double ratio) {
  if (ratio > 0.25) return {.hue = Hue::bad, .bold = true, .underline = true};
  if (ratio > 0.10) return {.hue = Hue::warning, .bold = true};
  return {.hue = Hue::good};
}

std::string clock(Duration elapsed) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed).count();
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string count(std::uint64_t number) {
  if (number < 100000) return fmt::format("{}", number);
  static constexpr char kUnits[] = {'k', 'M', 'G', 'T', 'P', 'E'};
  double value = static_cast<double>(number);
  std::size_t unit = 0;
  for (value /= 1000; value >= 999.5 && unit + 1 < sizeof kUnits; ++unit)
    value /= 1000;
  return fmt::format("{:.{}f}{}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, kUnits[unit]);
}

}  // namespace ecmp::tui
