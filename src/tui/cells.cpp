#include "tui/cells.hpp"

namespace ecmp::tui {

Grid::Grid(std::size_t rows, std::size_t columns, Charset charset)
    : rows_(std::min(rows, kLargest)), columns_(std::min(columns, kLargest)), charset_(charset) {
  cells_.resize(rows_ * columns_);
}

void Grid::set(std::size_t row, std::size_t column, std::size_t end, Symbol symbol, Style style) {
  end = std::min(end, columns_);
  if (row >= rows_ || column >= end) return;
  if (charset_ == Charset::ascii && symbol.code > 0x7e) symbol.code = U'?';
  const bool wide = symbol.width == 2 && symbol.code != U'?';
  if (wide && column + 1 >= end) {
    write(row, column, {U' ', 1, style});
    return;
  }
  write(row, column, {symbol.code, static_cast<std::uint8_t>(wide ? 2 : 1), style});
  if (wide) {
    write(row, column + 1, {U' ', 1, style});
    cell(row, column).width = 2;
    cell(row, column).code = symbol.code;
    cell(row, column + 1) = {U' ', 0, style};
  } else if (symbol.width == 2) {
    write(row, column + 1, {U'?', 1, style});
  }
}

/// Half of a wide symbol cannot be shown: what is left of one that is written over becomes a blank.
void Grid::write(std::size_t row, std::size_t column, const Cell& written) {
  if (column >= columns_) return;
  Cell& old = cell(row, column);
  if (old.width == 0 && column > 0) {
    cell(row, column - 1).code = U' ';
    cell(row, column - 1).width = 1;
  }
  if (old.width == 2 && column + 1 < columns_) cell(row, column + 1).width = 1;
  old = written;
}

void Grid::restyle(std::size_t row, std::size_t column, Style style) {
  if (row < rows_ && column < columns_) cell(row, column).style = style;
}

void Grid::clear() {
  std::fill(cells_.begin(), cells_.end(), Cell{});
}

std::string Grid::text(std::size_t row) const {
  std::string line;
  for (std::size_t column = 0; column < columns_; ++column)
    if (at(row, column).width != 0) append_utf8(line, at(row, column).code);
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string Grid::text() const {
  std::string all;
  for (std::size_t row = 0; row < rows_; ++row)
    all += text(row) + "\n";
  return all;
}

Pane::Pane(Grid& grid, std::size_t top, std::size_t left, std::size_t rows, std::size_t columns)
    : grid_(&grid), top_(std::min(top, grid.rows())), left_(std::min(left, grid.columns())) {
  rows_ = std::min(rows, grid.rows() - top_);
  columns_ = std::min(columns, grid.columns() - left_);
}

Pane Pane::part(std::size_t top, std::size_t left, std::size_t rows, std::size_t columns) const {
  top = std::min(top, rows_);
  left = std::min(left, columns_);
  return {*grid_, top_ + top, left_ + left, std::min(rows, rows_ - top), std::min(columns, columns_ - left)};
}

std::size_t Pane::put(std::size_t row, std::size_t column, std::string_view text, Style style, std::size_t width) {
  if (row >= rows_ || column >= columns_ || width == 0) return 0;
  const std::size_t end = column + std::min(width, columns_ - column);
  const bool cut = width_of(text) > end - column;
  const std::size_t last = cut ? end - 1 : end;  // the ellipsis takes the last column
  std::size_t at = column;
  while (!text.empty()) {
    const Symbol symbol = take_symbol(text);
    if (at + symbol.width > last) break;
    grid_->set(top_ + row, left_ + at, left_ + last, symbol, style);
    at += symbol.width;
  }
  if (!cut) return at - column;
  for (; at < last; ++at)
    grid_->set(top_ + row, left_ + at, left_ + last, {}, style);
  grid_->set(top_ + row, left_ + last, left_ + end, {charset() == Charset::ascii ? U'~' : U'\u2026', 1}, style);
  return end - column;
}

void Pane::put_right(std::size_t row, std::size_t column, std::size_t width, std::string_view text, Style style) {
  const std::size_t used = std::min(width_of(text), width);
  put(row, column + width - used, text, style, used);
}

void Pane::fill(std::size_t row, Style style) {
  if (row >= rows_) return;
  for (std::size_t column = 0; column < columns_; ++column)
    grid_->set(top_ + row, left_ + column, left_ + columns_, {}, style);
}

}  // namespace ecmp::tui
