#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/time.hpp"
#include "tui/cells.hpp"

namespace ecmp::tui {

/// How RTTs are written in a table, in milliseconds. Aligned: three decimals, so that decimal points stand below each
/// other, in 8 columns. Compact: four digits that count, in 5 columns.
enum class Precision : std::uint8_t { compact, aligned };

constexpr std::size_t rtt_width(Precision precision) {
  return precision == Precision::aligned ? 8 : 5;
}

/// Aligned where the width is there for it.
constexpr Precision precision_for(std::size_t columns) {
  return columns >= 100 ? Precision::aligned : Precision::compact;
}

/// "12.345" or "12.35"; never wider than rtt_width() below two hours. Compact, what is beyond 100 s is told in seconds.
std::string milliseconds(Duration time, Precision precision);

/// "0.0", "0.4", "100" of a ratio, in 4 columns. What is not zero never looks like zero, nor what is not all like 100.
std::string percent(double ratio);

/// Green, yellow above 10 %, red above 25 %; bolder as it gets worse, for whoever sees no colours.
Style loss_style(double ratio);

/// "1:02:03".
std::string clock(Duration elapsed);

/// "987", "12.3k", "4.56M": 5 columns at most.
std::string count(std::uint64_t number);

}  // namespace ecmp::tui
