#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tui/text.hpp"

namespace ecmp::tui {

/// What a text means. How that looks is for the terminal: it may have any number of colours, or none.
enum class Hue : std::uint8_t {
  plain,
  muted,    ///< there for whoever looks for it
  accent,   ///< titles
  good,     ///< no loss to speak of
  warning,  ///< above 10 %
  bad,      ///< above 25 %
  path,     ///< the first of kPathHues: paths have their ordinal's, in turn
};

inline constexpr std::uint8_t kPathHues = 12;

struct Style {
  Hue hue = Hue::plain;
  std::uint8_t path = 0;  ///< of Hue::path, below kPathHues
  bool bold = false;
  bool underline = false;
  bool reverse = false;

  friend bool operator==(const Style&, const Style&) = default;
};

/// The colour of a path, by its ordinal (from 1); plain for 0.
constexpr Style path_style(std::uint32_t ordinal) {
  if (ordinal == 0) return {};
  return {.hue = Hue::path, .path = static_cast<std::uint8_t>((ordinal - 1) % kPathHues)};
}

/// The style of a row that keys act on: of one colour, but for loss that one must not overlook.
constexpr Style chosen_style(Style style) {
  if (style.hue != Hue::warning && style.hue != Hue::bad) style.hue = Hue::plain;
  style.path = 0;
  style.reverse = true;
  return style;
}

struct Cell {
  char32_t code = U' ';
  std::uint8_t width = 1;  ///< 0: the right half of the wide symbol before it
  Style style;

  friend bool operator==(const Cell&, const Cell&) = default;
};

/// What the terminal can show.
enum class Charset : std::uint8_t { ascii, unicode };

/// A screen that nobody sees yet. Writing outside of it is allowed and does nothing, so that every view survives every
/// size.
class Grid {
 public:
  /// More than any terminal has; what is asked for beyond is not given.
  static constexpr std::size_t kLargest = 2000;

  Grid(std::size_t rows, std::size_t columns, Charset charset = Charset::unicode);

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t columns() const { return columns_; }
  [[nodiscard]] Charset charset() const { return charset_; }
  /// Inside only.
  [[nodiscard]] const Cell& at(std::size_t row, std::size_t column) const { return cells_[row * columns_ + column]; }

  /// Both halves of a wide symbol must fit left of `end`. What an ASCII screen cannot show becomes '?'.
  void set(std::size_t row, std::size_t column, std::size_t end, Symbol symbol, Style style);
  void restyle(std::size_t row, std::size_t column, Style style);
  void clear();

  /// A row as UTF-8, without the blanks at its end.
  [[nodiscard]] std::string text(std::size_t row) const;
  /// All rows, each with its newline.
  [[nodiscard]] std::string text() const;

 private:
  Cell& cell(std::size_t row, std::size_t column) { return cells_[row * columns_ + column]; }
  void write(std::size_t row, std::size_t column, const Cell& written);

  std::size_t rows_;
  std::size_t columns_;
  Charset charset_;
  std::vector<Cell> cells_;
};

/// A rectangle of a grid. Nothing written to it shows outside.
class Pane {
 public:
  explicit Pane(Grid& grid) : Pane(grid, 0, 0, grid.rows(), grid.columns()) {}
  Pane(Grid& grid, std::size_t top, std::size_t left, std::size_t rows, std::size_t columns);

  /// Cut to what this pane has.
  [[nodiscard]] Pane part(std::size_t top, std::size_t left, std::size_t rows, std::size_t columns) const;

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t columns() const { return columns_; }
  [[nodiscard]] Charset charset() const { return grid_->charset(); }

  /// Puts text into `width` columns at most, and as many as there are. What does not fit ends in an ellipsis. Returns
  /// the columns used.
  std::size_t put(std::size_t row, std::size_t column, std::string_view text, Style style = {},
                  std::size_t width = Grid::kLargest);
  /// The same with the text at the right end of the `width` columns.
  void put_right(std::size_t row, std::size_t column, std::size_t width, std::string_view text, Style style = {});
  /// Blanks.
  void fill(std::size_t row, Style style);
  /// Every cell of the row gets what `change` makes of its style.
  template <typename Change>
  void restyle(std::size_t row, Change change) {
    if (row >= rows_) return;
    for (std::size_t column = 0; column < columns_; ++column) {
      Style style = grid_->at(top_ + row, left_ + column).style;
      change(style);
      grid_->restyle(top_ + row, left_ + column, style);
    }
  }

 private:
  Grid* grid_;
  std::size_t top_;
  std::size_t left_;
  std::size_t rows_;
  std::size_t columns_;
};

}  // namespace ecmp::tui
