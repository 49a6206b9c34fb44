#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tui/cells.hpp"
#include "tui/figures.hpp"

namespace ecmp::tui {

/// A column that a table would like to have.
struct Column {
  std::string_view title;
  std::size_t width = 0;  ///< at least
  std::size_t most = 0;   ///< 0: not wider than that; else it takes what is left over, up to this
  std::uint8_t rank = 0;  ///< the higher, the sooner it gives way; 0: never
  bool right = true;      ///< where its text stands
};

struct PlacedColumn {
  std::size_t index = 0;  ///< among those asked for
  std::size_t at = 0;
  std::size_t width = 0;
};

/// The columns that fit, with one blank between them; among those that could grow the first takes all that is left
/// over. Those of rank 0 stay even if they do not fit: the screen cuts them.
std::vector<PlacedColumn> place(std::span<const Column> columns, std::size_t width);

/// The titles, in a row of their own.
void put_titles(Pane& pane, std::size_t row, std::span<const Column> columns, std::span<const PlacedColumn> placed,
                bool focused);

/// Writes the cells of one row of a table.
class RowCells {
 public:
  RowCells(Pane& pane, std::size_t row, std::span<const Column> columns)
      : pane_(pane), row_(row), columns_(columns), precision_(precision_for(pane.columns())) {}

  void text(const PlacedColumn& place, std::string_view words, Style style = {});
  /// Nothing is known.
  void none(const PlacedColumn& place) { text(place, "-", {.hue = Hue::muted}); }
  /// In milliseconds, of so many values.
  void time(const PlacedColumn& place, Duration value, std::uint64_t values);
  /// Loss of so many probes.
  void loss(const PlacedColumn& place, double ratio, std::uint64_t probes);
  void silence(const PlacedColumn& place, double ratio, std::uint64_t probes);

 private:
  Pane& pane_;
  std::size_t row_;
  std::span<const Column> columns_;
  Precision precision_;
};

/// A row that is chosen or scrolled among more than fit.
struct ListPosition {
  std::size_t chosen = 0;
  std::size_t top = 0;  ///< first row shown

  void move(std::ptrdiff_t by, std::size_t count);
  /// Keeps the chosen row among `height` rows shown, and shows as many as there are.
  void fit(std::size_t count, std::size_t height);
};

}  // namespace ecmp::tui
