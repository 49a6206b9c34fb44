#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "path/statistics/flow_tally.hpp"
#include "tui/cells.hpp"

namespace ecmp::tui {

/// What lines and marks are drawn with.
struct Glyphs {
  std::array<std::string_view, 8> levels;  ///< of a sparkline, lowest first
  std::string_view lost;
  std::string_view silent;
  std::string_view unsent;
  std::string_view chosen;  ///< before the row that keys act on
  std::string_view path;    ///< in the path's colour, before its number
  std::string_view rising;  ///< at the column that rows are sorted by
  std::string_view falling;
  std::string_view to;
  // The fan, three columns each.
  std::string_view node;    ///< a hop on the line
  std::string_view branch;  ///< the first hop of a branch, with more to come below
  std::string_view last;    ///< the same with nothing below
  std::string_view line;    ///< passing by
};

const Glyphs& glyphs(Charset charset);

/// As many of the newest fates as fit into `width` columns, the newest on the right. The scale goes from the least RTT
/// shown to the largest, but spans at least a quarter of the least one: a steady flow should look steady.
void put_sparkline(Pane& pane, std::size_t row, std::size_t column, std::size_t width, const RecentFates& recent);

}  // namespace ecmp::tui
