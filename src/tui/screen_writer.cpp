#include "tui/screen_writer.hpp"

#include <array>
#include <fmt/format.h>
#include <iterator>

namespace ecmp::tui {
namespace {

struct Colour {
  std::uint8_t red, green, blue;
  std::uint8_t palette;  ///< of 256
  std::uint8_t sixteen;  ///< SGR parameter
};

// Of middle brightness, so that they stand out from black and from white; by turns far from each other, and none of
// them near the red and yellow of loss.
constexpr std::array<Colour, kPathHues> kPaths = {{
    {0x1f, 0xa5, 0xc8, 38, 36},
    {0xc0, 0x64, 0xd0, 134, 35},
    {0x5b, 0x8d, 0xef, 69, 34},
    {0x2a, 0xa8, 0x76, 36, 96},
    {0xe0, 0x6c, 0xa8, 169, 95},
    {0x8a, 0x7c, 0xe8, 104, 94},
    {0x4f, 0xb8, 0xb0, 73, 36},
    {0xa0, 0x82, 0x5e, 137, 35},
    {0x3f, 0x74, 0xb8, 67, 34},
    {0x8f, 0x9f, 0x3a, 101, 96},
    {0x9a, 0x58, 0xa0, 97, 95},
    {0x6f, 0x8a, 0x9a, 66, 94},
}};
constexpr Colour kMuted = {0x80, 0x88, 0x90, 102, 90};
constexpr Colour kAccent = {0x3f, 0x9f, 0xd8, 74, 36};
constexpr Colour kGood = {0x3f, 0xa8, 0x4f, 71, 32};
constexpr Colour kWarning = {0xd0, 0xa0, 0x20, 178, 33};
constexpr Colour kBad = {0xe0, 0x48, 0x48, 167, 31};

const Colour* colour_of(const Style& style) {
  switch (style.hue) {
    case Hue::plain:
      return nullptr;
    case Hue::muted:
      return &kMuted;
    case Hue::accent:
      return &kAccent;
    case Hue::good:
      return &kGood;
    case Hue::warning:
      return &kWarning;
    case Hue::bad:
      return &kBad;
    case Hue::path:
      return &kPaths[style.path % kPathHues];
  }
  return nullptr;
}

// Terminals that know mode 2026 show the changes of a screen at once; the others pass over it.
constexpr std::string_view kBegin = "\x1b[?2026h";
constexpr std::string_view kEnd = "\x1b[?2026l";

}  // namespace

std::string_view ScreenWriter::enter() {
  return "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?1l\x1b>\x1b[0m\x1b[2J";
}

std::string_view ScreenWriter::leave() {
  return "\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
}

std::string ScreenWriter::show(const Grid& grid) {
  std::string out(kBegin);
  const bool whole = !known_ || grid.rows() != shown_.rows() || grid.columns() != shown_.columns();
  if (whole) {
    out += "\x1b[0m\x1b[H\x1b[2J";
    style_ = {};
    row_ = column_ = 0;
    shown_ = Grid(grid.rows(), grid.columns(), grid.charset());
    known_ = true;
  }
  for (std::size_t i = 0; i < grid.rows(); ++i)
    row(grid, i, out);
  shown_ = grid;
  if (!whole && out.size() == kBegin.size()) return {};
  return out.append(kEnd);
}

void ScreenWriter::row(const Grid& grid, std::size_t row, std::string& out) {
  for (std::size_t column = 0; column < grid.columns(); ++column) {
    const Cell& cell = grid.at(row, column);
    if (cell.width == 0 || cell == shown_.at(row, column)) continue;
    move(row, column, out);
    style(cell.style, out);
    append_utf8(out, cell.code);
    column_ += cell.width;
  }
}

void ScreenWriter::move(std::size_t row, std::size_t column, std::string& out) {
  // At the right edge terminals do not agree where the cursor is: it is always put.
  if (row != row_ || column != column_) fmt::format_to(std::back_inserter(out), "\x1b[{};{}H", row + 1, column + 1);
  row_ = row;
  column_ = column;
}

void ScreenWriter::style(const Style& style, std::string& out) {
  if (style == style_) return;
  style_ = style;
  out += "\x1b[0";
  if (style.bold) out += ";1";
  if (style.underline) out += ";4";
  if (style.reverse) out += ";7";
  const Colour* const colour = colour_of(style);
  if (colour != nullptr && depth_ == ColourDepth::truecolour) {
    fmt::format_to(std::back_inserter(out), ";38;2;{};{};{}", colour->red, colour->green, colour->blue);
  } else if (colour != nullptr && depth_ == ColourDepth::palette) {
    fmt::format_to(std::back_inserter(out), ";38;5;{}", colour->palette);
  } else if (colour != nullptr && depth_ == ColourDepth::sixteen) {
    fmt::format_to(std::back_inserter(out), ";{}", colour->sixteen);
  }
  out += 'm';
}

}  // namespace ecmp::tui
