#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "render/fan/diagram_forms.hpp"
#include "render/fan/fan_text.hpp"

namespace ecmp::render {

/// Where everything of an SVG diagram stands, in pixels. Widths of text are estimated for the fonts that it asks for,
/// rather too wide than too narrow.
struct SvgBox {
  double x = 0;  ///< left
  double y = 0;  ///< middle
  double width = 0;
  double height = 0;
  std::string title;  ///< in monospace
  std::vector<std::string> lines;
  std::size_t bad_line = 0;  ///< 1 + the place in `lines` of one that a loss makes stand out; 0: none
};

/// A piece of a link between two columns; it leaves and arrives horizontally.
struct SvgCurve {
  double x1 = 0;
  double y1 = 0;
  double x2 = 0;
  double y2 = 0;
};

struct SvgLabel {
  double x = 0;
  double y = 0;         ///< baseline
  bool at_end = false;  ///< the text ends at x
  std::string flows;    ///< may be empty
  std::string loss;     ///< may be empty
};

struct SvgLink {
  std::vector<SvgCurve> curves;  ///< joined by straight lines
  double width = 0;
  SvgLabel label;
};

struct SvgLayout {
  static constexpr double kMargin = 24;
  static constexpr double kTitleSize = 17;
  static constexpr double kNodeTitleSize = 13;
  static constexpr double kLineSize = 11;
  static constexpr double kLineHeight = 15;
  static constexpr double kTableLine = 20;

  double width = 0;
  double height = 0;
  double head_y = 0;                  ///< baseline of the TTLs above the columns
  std::vector<double> column_centre;  ///< by column
  std::vector<SvgBox> boxes;          ///< by node
  std::vector<SvgLink> links;         ///< by link
  double table_x = 0;
  double table_y = 0;  ///< baseline of its head
};

/// The least width of the table of paths below.
inline constexpr double kSvgTableWidth = 940;

SvgLayout lay_out_svg(const DiagramSource& source);

}  // namespace ecmp::render
