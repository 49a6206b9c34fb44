#include <algorithm>
#include <cmath>
#include <string_view>

#include "render/append.hpp"
#include "render/fan/diagram_forms.hpp"
#include "render/fan/svg_layout.hpp"

namespace ecmp::render {

namespace {

// Plain classes, no variables: viewers that are no browsers know only those. Blue, amber and red stay apart for
// colour-blind eyes; dashes and the triangle say the same without colour.
constexpr std::string_view kStyle = R"(<style>
.ecmp-fan{font-family:ui-sans-serif,system-ui,"Segoe UI","DejaVu Sans",sans-serif;font-size:11px}
.ecmp-fan .mono{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
.ecmp-fan .bg{fill:#ffffff}
.ecmp-fan .ink{fill:#1b1f24}
.ecmp-fan .dim{fill:#57616c}
.ecmp-fan .strong{font-weight:600}
.ecmp-fan .right{text-anchor:end}
.ecmp-fan .mid{text-anchor:middle}
.ecmp-fan .halo{stroke:#ffffff;stroke-width:4px;stroke-linejoin:round;paint-order:stroke}
.ecmp-fan .box{fill:#f4f6f9;stroke:#8794a3;stroke-width:1.2}
.ecmp-fan .end{fill:#e6edf6;stroke:#33567c;stroke-width:1.8}
.ecmp-fan .silent{fill:#ffffff;stroke:#8794a3;stroke-width:1.2;stroke-dasharray:4 3}
.ecmp-fan .dead{fill:#fdeeee;stroke:#c62828;stroke-width:1.6;stroke-dasharray:4 3}
.ecmp-fan .link{fill:none;stroke:#6f9bc7}
.ecmp-fan .some{stroke:#c77700;stroke-dasharray:12 5}
.ecmp-fan .heavy{stroke:#c62828;stroke-dasharray:9 5}
.ecmp-fan .spray{stroke-dasharray:2 4}
.ecmp-fan .someink{fill:#8f5600;font-weight:600}
.ecmp-fan .heavyink{fill:#b71c1c;font-weight:600}
.ecmp-fan .bar{fill:#6f9bc7}
.ecmp-fan .track{fill:#e4e8ed}
.ecmp-fan .rule{stroke:#d5dae0;stroke-width:1}
@media (prefers-color-scheme:dark){
.ecmp-fan .bg{fill:#0f141a}
.ecmp-fan .ink{fill:#e6ebf1}
.ecmp-fan .dim{fill:#9aa7b5}
.ecmp-fan .halo{stroke:#0f141a}
.ecmp-fan .box{fill:#1a222c;stroke:#64748a}
.ecmp-fan .end{fill:#1b2c42;stroke:#7fb0e6}
.ecmp-fan .silent{fill:#0f141a;stroke:#64748a}
.ecmp-fan .dead{fill:#331719;stroke:#ff6b6b}
.ecmp-fan .link{stroke:#4f7cab}
.ecmp-fan .some{stroke:#f0a531}
.ecmp-fan .heavy{stroke:#ff6b6b}
.ecmp-fan .someink{fill:#ffbd59}
.ecmp-fan .heavyink{fill:#ff8f8f}
.ecmp-fan .bar{fill:#4f7cab}
.ecmp-fan .track{fill:#222c37}
.ecmp-fan .rule{stroke:#2c3744}
}
</style>
)";

/// One digit behind the point, and that only if it is not 0.
void append_pixels(std::string& out, double value) {
  const auto tenths = static_cast<std::int64_t>(std::llround(value * 10));
  if (tenths < 0) out.push_back('-');
  const auto size = static_cast<std::uint64_t>(tenths < 0 ? -tenths : tenths);
  append_number(out, size / 10);
  if (size % 10 == 0) return;
  out.push_back('.');
  append_number(out, size % 10);
}

void append_attribute(std::string& out, std::string_view name, double value) {
  out.push_back(' ');
  out.append(name).append("=\"");
  append_pixels(out, value);
  out.push_back('"');
}

std::string_view link_class(LossLevel level) {
  return level == LossLevel::none ? "" : level == LossLevel::some ? " some" : " heavy";
}

std::string_view ink_class(LossLevel level) {
  return level == LossLevel::none ? "dim" : level == LossLevel::some ? "someink" : "heavyink";
}

std::string ratio_text(double ratio) {
  std::string text;
  append_percent(text, ratio);
  return text;
}

class Svg {
 public:
  Svg(std::string& out, const DiagramSource& source)
      : out_(out), source_(source), fan_(source.fan), layout_(lay_out_svg(source)) {}

  void append() {
    append_head();
    append_columns();
    for (std::size_t i = 0; i < fan_.links.size(); ++i)
      append_link(i);
    for (std::size_t i = 0; i < fan_.nodes.size(); ++i)
      append_node(i);
    for (std::size_t i = 0; i < fan_.links.size(); ++i)
      append_label(i);
    append_table();
    out_.append("</svg>\n");
  }

 private:
  void append_head();
  void append_columns();
  void append_link(std::size_t number);
  void append_label(std::size_t number);
  void append_node(std::size_t number);
  void append_table();
  void append_table_row(const FanPath& path, double y);
  void append_legend(double y);
  void text(double x, double y, std::string_view classes, std::string_view words);
  [[nodiscard]] std::string link_words(const FanLink& link) const;
  [[nodiscard]] std::string title_of(std::size_t node) const;

  std::string& out_;
  const DiagramSource& source_;
  const Fan& fan_;
  SvgLayout layout_;
};

void Svg::text(double x, double y, std::string_view classes, std::string_view words) {
  out_.append("<text");
  append_attribute(out_, "x", x);
  append_attribute(out_, "y", y);
  out_.append(" class=\"").append(classes).append("\">");
  append_html(out_, words);
  out_.append("</text>\n");
}

void Svg::append_head() {
  const std::string title = fan_title(source_.snapshot, fan_);
  const std::string tuples = five_tuples(source_.snapshot, fan_, "→");
  out_.append("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ecmp-fan\" role=\"img\"");
  append_attribute(out_, "width", layout_.width);
  append_attribute(out_, "height", layout_.height);
  out_.append(" viewBox=\"0 0 ");
  append_pixels(out_, layout_.width);
  out_.push_back(' ');
  append_pixels(out_, layout_.height);
  out_.append("\">\n<title>");
  append_html(out_, title);
  out_.append("</title>\n<desc>");
  append_html(out_, tuples);
  out_.append("</desc>\n").append(kStyle).append("<rect class=\"bg\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n");
  out_.append("<text class=\"ink strong\" font-size=\"17\" style=\"font-size:17px\"");
  append_attribute(out_, "x", SvgLayout::kMargin);
  out_.append(" y=\"34\">");
  append_html(out_, title);
  out_.append("</text>\n");
  text(SvgLayout::kMargin, 54, "dim mono", tuples);
}

void Svg::append_columns() {
  for (std::size_t column = 1; column < fan_.columns; ++column) {
    std::string words = "TTL ";
    append_number(words, column);
    if (column + 1 == fan_.columns) {
      const FanNode& destination = fan_.destination();
      if (destination.paths == 0) continue;
      words = "TTL ";
      append_number(words, destination.ttl);
      if (destination.ttl != destination.last_ttl) append_number(words.append("–"), destination.last_ttl);
    }
    text(layout_.column_centre[column], layout_.head_y, "dim mid", words);
  }
}

std::string Svg::title_of(std::size_t node) const {
  return node_text(fan_.nodes[node], source_.names).title;
}

std::string Svg::link_words(const FanLink& link) const {
  std::string words = title_of(link.from);
  words.append(" → ").append(title_of(link.to)).append(": ").append(counted(link.flows, "flow"));
  words.append(" on ").append(counted(link.paths, "path"));
  if (link.loss_behind > 0) {
    words.append("; ").append(ratio_text(link.loss_before)).append(" of their probes lost before it, ");
    words.append(ratio_text(link.loss_behind)).append(" behind it");
  }
  if (link.begun > 0) words.append("; loss begins here: ").append(ratio_text(link.begun));
  if (link.per_packet) words.append("; balanced per packet");
  return words;
}

void Svg::append_link(std::size_t number) {
  const FanLink& link = fan_.links[number];
  const SvgLink& drawn = layout_.links[number];
  const LossLevel level = loss_level(link.begun);
  out_.append("<path class=\"link").append(link_class(level));
  if (level == LossLevel::none && link.per_packet) out_.append(" spray");
  out_.push_back('"');
  append_attribute(out_, "stroke-width", drawn.width);
  out_.append(" d=\"");
  for (std::size_t i = 0; i < drawn.curves.size(); ++i) {
    const SvgCurve& curve = drawn.curves[i];
    const double middle = (curve.x1 + curve.x2) / 2;
    out_.append(i == 0 ? "M" : "L");
    const auto point = [this](double x, double y) {
      append_pixels(out_, x);
      out_.push_back(',');
      append_pixels(out_, y);
    };
    point(curve.x1, curve.y1);
    out_.push_back('C');
    point(middle, curve.y1);
    out_.push_back(' ');
    point(middle, curve.y2);
    out_.push_back(' ');
    point(curve.x2, curve.y2);
  }
  out_.append("\"><title>");
  append_html(out_, link_words(link));
  out_.append("</title></path>\n");
}

void Svg::append_label(std::size_t number) {
  const SvgLabel& label = layout_.links[number].label;
  if (label.flows.empty() && label.loss.empty()) return;
  out_.append("<text class=\"halo").append(label.at_end ? " right" : "").push_back('"');
  append_attribute(out_, "x", label.x);
  append_attribute(out_, "y", label.y);
  out_.push_back('>');
  if (!label.flows.empty()) out_.append("<tspan class=\"dim\">").append(label.flows).append("</tspan>");
  if (!label.loss.empty()) {
    const LossLevel level = loss_level(fan_.links[number].begun);
    out_.append("<tspan class=\"").append(ink_class(level)).push_back('"');
    if (!label.flows.empty()) out_.append(" dx=\"7\"");
    out_.push_back('>');
    append_html(out_, label.loss);
    out_.append("</tspan>");
  }
  out_.append("</text>\n");
}

void Svg::append_node(std::size_t number) {
  const FanNode& node = fan_.nodes[number];
  const SvgBox& box = layout_.boxes[number];
  std::string_view shape = "box";
  if (node.kind == FanNode::Kind::agent || node.kind == FanNode::Kind::destination) shape = "end";
  if (node.kind == FanNode::Kind::silent) shape = "silent";
  if (node.kind == FanNode::Kind::dead_end) shape = "dead";
  if (node.kind == FanNode::Kind::destination && node.paths == 0) shape = "dead";
  const double top = box.y - box.height / 2;
  out_.append("<g><title>");
  NodeText words = node_text(node, source_.names);
  append_html(out_, words.title);
  for (const std::string* const part :
       {&words.name, &words.rtt, &words.loss, &words.silence, &words.mpls, &words.note}) {
    if (!part->empty()) append_html(out_.append(", "), *part);
  }
  append_html(out_.append(", "), counted(node.flows, "flow"));
  out_.append("</title><rect rx=\"7\" class=\"").append(shape).push_back('"');
  append_attribute(out_, "x", box.x);
  append_attribute(out_, "y", top);
  append_attribute(out_, "width", box.width);
  append_attribute(out_, "height", box.height);
  out_.append("/>\n");
  const double centre = box.x + box.width / 2;
  out_.append("<text class=\"mid mono strong ").append(node.kind == FanNode::Kind::dead_end ? "heavyink" : "ink");
  out_.append("\" style=\"font-size:13px\"");
  append_attribute(out_, "x", centre);
  append_attribute(out_, "y", top + 17);
  out_.push_back('>');
  append_html(out_, node.kind == FanNode::Kind::dead_end ? "✕ " + box.title : box.title);
  out_.append("</text>\n");
  for (std::size_t i = 0; i < box.lines.size(); ++i) {
    std::string classes = "mid ";
    classes.append(i + 1 == box.bad_line ? ink_class(loss_level(node.figures.loss_ratio())) : "dim");
    text(centre, top + 17 + static_cast<double>(i + 1) * SvgLayout::kLineHeight, classes, box.lines[i]);
  }
  out_.append("</g>\n");
}

// Columns of the table, from its left; those of numbers by their right end.
constexpr double kOrdinalEnd = 34;
constexpr double kId = 50;
constexpr double kBar = 124;
constexpr double kBarWidth = 120;
constexpr double kShareEnd = 304;
constexpr double kFlowsEnd = 356;
constexpr double kHopsEnd = 400;
constexpr double kLossEnd = 462;
constexpr double kP50End = 532;
constexpr double kP95End = 602;
constexpr double kP99End = 672;
constexpr double kPorts = 690;

void Svg::append_table() {
  const double x = layout_.table_x;
  double y = layout_.table_y;
  struct Head {
    double at;
    bool right;
    std::string_view words;
  };
  for (const Head& head : {Head{kOrdinalEnd, true, "path"}, Head{kId, false, "id"}, Head{kBar, false, "share of flows"},
                           Head{kFlowsEnd, true, "flows"}, Head{kHopsEnd, true, "hops"}, Head{kLossEnd, true, "loss"},
                           Head{kP50End, true, "p50"}, Head{kP95End, true, "p95"}, Head{kP99End, true, "p99"},
                           Head{kPorts, false, "source ports"}})
    text(x + head.at, y, head.right ? "dim right" : "dim", head.words);
  out_.append("<line class=\"rule\"");
  append_attribute(out_, "x1", x);
  append_attribute(out_, "y1", y + 6);
  append_attribute(out_, "x2", layout_.width - SvgLayout::kMargin);
  append_attribute(out_, "y2", y + 6);
  out_.append("/>\n");
  for (const FanPath& path : fan_.paths) {
    y += SvgLayout::kTableLine;
    append_table_row(path, y);
  }
  append_legend(y + 32);
}

void Svg::append_table_row(const FanPath& path, double y) {
  const double x = layout_.table_x;
  const double share = fan_.flows == 0 ? 0 : static_cast<double>(path.flows) / static_cast<double>(fan_.flows);
  const auto number = [&](double end, std::string_view words, std::string_view classes = "ink right") {
    if (!words.empty()) text(x + end, y, classes, words);
  };
  const auto rtt = [&](double end, Duration value) {
    if (!path.figures.has_rtt()) return;
    std::string words;
    append_rtt(words, value);
    number(end, words);
  };
  number(kOrdinalEnd, path.id == 0 ? "none" : std::to_string(path.ordinal));
  if (path.id != 0) {
    std::string id;
    append_hex8(id, path.id);
    text(x + kId, y, "ink mono", id);
  }
  for (const bool filled : {false, true}) {
    out_.append("<rect rx=\"3\" height=\"8\" class=\"").append(filled ? "bar" : "track").push_back('"');
    append_attribute(out_, "x", x + kBar);
    append_attribute(out_, "y", y - 8);
    append_attribute(out_, "width", filled ? kBarWidth * share : kBarWidth);
    out_.append("/>\n");
  }
  number(kShareEnd, ratio_text(share));
  number(kFlowsEnd, std::to_string(path.flows));
  if (path.complete) number(kHopsEnd, std::to_string(path.length));
  if (path.figures.probes > 0) {
    const LossLevel level = loss_level(path.figures.loss_ratio());
    const std::string sign = level == LossLevel::none ? "" : "▲ ";
    const std::string classes(level == LossLevel::none ? "ink right" : std::string(ink_class(level)) + " right");
    number(kLossEnd, sign + ratio_text(path.figures.loss_ratio()), classes);
  }
  rtt(kP50End, path.figures.rtt.p50);
  rtt(kP95End, path.figures.rtt.p95);
  rtt(kP99End, path.figures.rtt.p99);
  std::string ports;
  append_ports(ports, path.source_ports, 3);
  text(x + kPorts, y, "dim mono", ports);
}

void Svg::append_legend(double y) {
  text(layout_.table_x, y, "dim",
       "Links as wide as they carry flows. ▲ and dashes: loss begins on this link, amber below 1 %, red from there. "
       "Boxes: RTT p50 / p95. Silence is no loss: later hops answered.");
}

}  // namespace

void append_svg(std::string& out, const DiagramSource& source) {
  Svg(out, source).append();
}

}  // namespace ecmp::render
