#include "tui/columns.hpp"

#include <algorithm>

namespace ecmp::tui {

std::vector<PlacedColumn> place(std::span<const Column> columns, std::size_t width) {
  std::vector<PlacedColumn> placed;
  std::size_t needed = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].width == 0) continue;
    placed.push_back({i, 0, columns[i].width});
    needed += columns[i].width + (placed.size() > 1 ? 1 : 0);
  }
  while (needed > width) {
    const auto victim = std::max_element(placed.begin(), placed.end(), [&](const auto& a, const auto& b) {
      return columns[a.index].rank < columns[b.index].rank;
    });
    if (victim == placed.end() || columns[victim->index].rank == 0) break;
    needed -= std::min(needed, victim->width + 1);
    placed.erase(victim);
  }
  std::size_t at = 0;
  for (PlacedColumn& column : placed) {
    if (columns[column.index].most > column.width && needed < width) {
      const std::size_t more = std::min(width - needed, columns[column.index].most - column.width);
      column.width += more;
      needed += more;
    }
    column.at = at;
    at += column.width + 1;
  }
  return placed;
}

void put_titles(Pane& pane, std::size_t row, std::span<const Column> columns, std::span<const PlacedColumn> placed,
                bool focused) {
  const Style style = {.bold = focused, .underline = !focused, .reverse = focused};
  pane.fill(row, style);
  RowCells cells(pane, row, columns);
  for (const PlacedColumn& column : placed)
    cells.text(column, columns[column.index].title, style);
}

void RowCells::text(const PlacedColumn& place, std::string_view words, Style style) {
  if (columns_[place.index].right) {
    pane_.put_right(row_, place.at, place.width, words, style);
  } else {
    pane_.put(row_, place.at, words, style, place.width);
  }
}

void RowCells::time(const PlacedColumn& place, Duration value, std::uint64_t values) {
  values == 0 ? none(place) : text(place, milliseconds(value, precision_));
}

void RowCells::loss(const PlacedColumn& place, double ratio, std::uint64_t probes) {
  probes == 0 ? none(place) : text(place, percent(ratio), loss_style(ratio));
}

void RowCells::silence(const PlacedColumn& place, double ratio, std::uint64_t probes) {
  probes == 0 ? none(place) : text(place, percent(ratio), {.hue = ratio > 0 ? Hue::plain : Hue::muted});
}

void ListPosition::move(std::ptrdiff_t by, std::size_t count) {
  if (count == 0) {
    chosen = 0;
    return;
  }
  const auto last = static_cast<std::ptrdiff_t>(count - 1);
  const auto from = static_cast<std::ptrdiff_t>(std::min(chosen, count - 1));
  chosen =
      static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(from + std::clamp<std::ptrdiff_t>(by, -last, last), 0, last));
}

void ListPosition::fit(std::size_t count, std::size_t height) {
  chosen = count == 0 ? 0 : std::min(chosen, count - 1);
  if (height == 0) return;
  top = std::min(top, count > height ? count - height : 0);
  if (chosen < top) top = chosen;
  if (chosen >= top + height) top = chosen - height + 1;
}

}  // namespace ecmp::tui
