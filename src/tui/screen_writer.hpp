#pragma once

#include <cstdint>
#include <string>

#include "tui/cells.hpp"

namespace ecmp::tui {

enum class ColourDepth : std::uint8_t { none, sixteen, palette, truecolour };

/// Turns screens into what a terminal must be sent (ECMA-48), only what differs from the screen before it.
class ScreenWriter {
 public:
  explicit ScreenWriter(ColourDepth depth) : depth_(depth) {}

  /// Empty if nothing differs. Of another size than before, or after forget(), everything is sent.
  std::string show(const Grid& grid);

  /// What the terminal shows is not known any more.
  void forget() { known_ = false; }

  /// What to send before the first screen: the alternate screen, no cursor, no wrapping at the last column.
  static std::string_view enter();
  /// What to send after the last one, from whatever state: all of that back.
  static std::string_view leave();

 private:
  void row(const Grid& grid, std::size_t row, std::string& out);
  void move(std::size_t row, std::size_t column, std::string& out);
  void style(const Style& style, std::string& out);

  ColourDepth depth_;
  bool known_ = false;
  Grid shown_{0, 0};
  Style style_;  ///< that the terminal is in
  std::size_t row_ = 0;
  std::size_t column_ = 0;  ///< where its cursor stands
};

}  // namespace ecmp::tui
