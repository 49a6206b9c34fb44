#include "render/fan/diagram.hpp"

#include <algorithm>

#include "catch.hpp"
#include "fans.hpp"
#include "golden.hpp"
#include "render/fan/svg_layout.hpp"
#include "snapshots.hpp"

using namespace ecmp;
using namespace ecmp::render;
using namespace ecmp::render::test;

namespace {

std::string diagram(DiagramForm form, const DestinationSnapshot& snapshot, const HopNames& names = NoNames()) {
  std::string out;
  append_diagram(out, form, snapshot, names);
  return out;
}

/// A name, and names of hops, that try to break out of every format.
DestinationSnapshot hostile() {
  DestinationSnapshot snapshot = made_fan(plain_branches(2));
  DestinationFacts facts = *snapshot.facts;
  facts.name = "a \"b\" \\N <script>alert('&lt;')</script> ]]> {x|y} \x01\xff";
  snapshot.facts = std::make_shared<const DestinationFacts>(facts);
  return snapshot;
}

NamesOfTest hostile_names() {
  NamesOfTest names;
  names.names[ip("10.0.0.1")] = "</text><script>alert(1)</script>";
  names.names[ip("10.1.0.1")] = "\"]; n9 [label=\"owned\\";
  names.names[ip("10.1.0.2")] = std::string("nul\0&quot;\x1b[2J\xe2\x80\xae", 17);
  names.names[ip("10.0.0.2")] = std::string(300, 'w');
  return names;
}

struct Area {
  double left;
  double top;
  double right;
  double bottom;
};

bool overlap(const Area& a, const Area& b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

}  // namespace

TEST_CASE("what the network names itself stays text in every diagram", "[diagram]") {
  const DestinationSnapshot snapshot = hostile();
  const NamesOfTest names = hostile_names();
  check_golden("fan_hostile.svg", diagram(DiagramForm::svg, snapshot, names));
  check_golden("fan_hostile.dot", diagram(DiagramForm::dot, snapshot, names));
  check_golden("fan_hostile.txt", diagram(DiagramForm::utf8, snapshot, names));
  const std::string svg = diagram(DiagramForm::svg, snapshot, names);
  CHECK(svg.find("<script") == std::string::npos);
  CHECK(svg.find("://") == svg.find("://www.w3.org/2000/svg"));
  CHECK(svg.find("://", svg.find("://") + 1) == std::string::npos);  // asks nobody for anything
  const std::string ascii = diagram(DiagramForm::ascii, snapshot, names);
  CHECK(std::ranges::all_of(ascii, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
}

TEST_CASE("destinations of all kinds of states are drawn exactly so", "[diagram]") {
  std::string text;
  std::string dot;
  std::string svg;
  for (const auto& snapshot : example_snapshots()) {
    const NamesOfTest names = example_names();
    append_diagram(text, DiagramForm::ascii, *snapshot, names);
    append_diagram(dot, DiagramForm::dot, *snapshot, names);
    svg = diagram(DiagramForm::svg, *snapshot, names);
    CHECK(svg.starts_with("<svg xmlns="));
    CHECK(svg.ends_with("</svg>\n"));
  }
  check_golden("fan_examples.txt", text);
  check_golden("fan_examples.dot", dot);
  check_golden("fan_examples.svg", diagram(DiagramForm::svg, *example_snapshots()[0], example_names()));
}

TEST_CASE("nothing overlaps in an SVG of 2 to 64 branches, however they are named", "[diagram]") {
  for (const std::uint32_t count : {2u, 3u, 4u, 8u, 16u, 33u, 64u}) {
    for (const bool named : {false, true}) {
      CAPTURE(count, named);
      std::vector<MadePath> paths = plain_branches(count);
      paths[count / 2].losses = 30;
      paths[count / 2].missed = {0, 0, 31, 30};
      paths[0].losses = 3;
      paths[0].missed = {0, 3, 3, 3};
      const DestinationSnapshot snapshot = made_fan(paths);
      NamesOfTest names;
      if (named)
        for (const PathSnapshot& path : snapshot.paths)
          for (const HopSnapshot& hop : path.hops)
            names.names[hop.responder] = std::string(60, 'n');
      const Fan fan = make_fan(snapshot);
      const SvgLayout layout = lay_out_svg({snapshot, fan, names});
      std::vector<Area> areas;
      for (const SvgBox& box : layout.boxes) {
        areas.push_back({box.x, box.y - box.height / 2, box.x + box.width, box.y + box.height / 2});
        for (const std::string& line : box.lines)
          CHECK(static_cast<double>(text_width(line)) * 11 * 0.55 < box.width);
      }
      for (const SvgLink& link : layout.links) {
        const SvgLabel& label = link.label;
        if (label.flows.empty() && label.loss.empty()) continue;
        const double width = static_cast<double>(text_width(label.flows) + text_width(label.loss)) * 11 * 0.58 + 7;
        const double left = label.at_end ? label.x - width : label.x;
        areas.push_back({left, label.y - 9, left + width, label.y + 2});
      }
      for (std::size_t i = 0; i < areas.size(); ++i) {
        CHECK(areas[i].left >= 0);
        CHECK(areas[i].right <= layout.width);
        CHECK(areas[i].top >= layout.head_y);
        CHECK(areas[i].bottom <= layout.table_y);
        for (std::size_t j = 0; j < i; ++j) {
          CAPTURE(i, j);
          CHECK_FALSE(overlap(areas[i], areas[j]));
        }
      }
    }
  }
}

TEST_CASE("a diagram is the same each time", "[diagram]") {
  const DestinationSnapshot snapshot = made_fan(plain_branches(16), 2);
  for (const DiagramForm form : {DiagramForm::ascii, DiagramForm::utf8, DiagramForm::dot, DiagramForm::svg})
    CHECK(diagram(form, snapshot) == diagram(form, snapshot));
}
