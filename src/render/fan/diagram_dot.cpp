#include <string_view>

#include "render/append.hpp"
#include "render/fan/diagram_forms.hpp"
#include "render/fan/fan_text.hpp"

namespace ecmp::render {

namespace {

/// The inside of a quoted string of graphviz: besides quote and backslash (which begins "\N" and the like), it would
/// replace "&lt;" and other entities in labels.
void append_quoted(std::string& out, std::string_view text) {
  for (const char character : text) {
    if (character == '"' || character == '\\') out.push_back('\\');
    out.push_back(character);
    if (character == '&') out.append("amp;");
  }
}

/// Lines of a label, those that are not empty.
class Label {
 public:
  void line(std::string_view text) {
    if (text.empty()) return;
    if (!text_.empty()) text_.append("\\n");
    append_quoted(text_, text);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void append_id(std::string& out, std::size_t node) {
  out.push_back('n');
  append_number(out, node);
}

std::string_view colour(LossLevel level) {
  switch (level) {
    case LossLevel::none:
      return "#2c7a51";
    case LossLevel::some:
      return "#b26a00";
    case LossLevel::heavy:
      return "#c62828";
  }
  return "";
}

void append_node(std::string& out, const DiagramSource& source, std::size_t number) {
  const FanNode& node = source.fan.nodes[number];
  const NodeText text = node_text(node, source.names);
  Label label;
  for (const std::string* const line :
       {&text.title, &text.name, &text.rtt, &text.loss, &text.silence, &text.mpls, &text.note})
    label.line(*line);
  out.append("  ");
  append_id(out, number);
  out.append(" [label=\"").append(label.text()).append("\"");
  switch (node.kind) {
    case FanNode::Kind::agent:
    case FanNode::Kind::destination:
      out.append(", style=\"rounded,bold\"");
      break;
    case FanNode::Kind::silent:
      out.append(", style=\"rounded,dashed\", color=\"#6b7683\", fontcolor=\"#56606b\"");
      break;
    case FanNode::Kind::dead_end:
      out.append(", shape=octagon, style=dashed, color=\"#c62828\", fontcolor=\"#c62828\"");
      break;
    case FanNode::Kind::responder:
      break;
  }
  out.append("];\n");
}

/// Between 1.2 and 8 points, as the flows of all.
void append_width(std::string& out, std::uint32_t flows, std::uint32_t all) {
  const std::uint64_t tenths = 12 + (all == 0 ? 0 : std::uint64_t{68} * flows / all);
  append_number(out, tenths / 10);
  out.push_back('.');
  append_number(out, tenths % 10);
}

void append_link(std::string& out, const DiagramSource& source, const FanLink& link) {
  out.append("  ");
  append_id(out, link.from);
  out.append(" -> ");
  append_id(out, link.to);
  Label label;
  label.line(counted(link.flows, "flow"));
  const LossLevel level = loss_level(link.begun);
  if (level != LossLevel::none) {
    std::string loss = "! ";
    append_percent(loss, link.begun);
    label.line(loss.append(" lost"));
  }
  if (link.per_packet) label.line("per packet");
  out.append(" [label=\"").append(label.text()).append("\", penwidth=");
  append_width(out, link.flows, source.fan.flows);
  out.append(", color=\"").append(colour(level)).append("\"");
  if (level != LossLevel::none) out.append(", fontcolor=\"").append(colour(level)).append("\", style=dashed");
  if (level == LossLevel::none && link.per_packet) out.append(", style=dotted");
  out.append("];\n");
}

void append_path_table(Label& label, const Fan& fan) {
  for (const FanPath& path : fan.paths) {
    std::string line;
    if (path.id == 0) {
      line = "no path known";
    } else {
      line = "path ";
      append_number(line, path.ordinal);
      line.push_back(' ');
      append_hex8(line, path.id);
    }
    line.append(": ").append(counted(path.flows, "flow")).append(", ");
    append_percent(line, static_cast<double>(path.flows) / static_cast<double>(fan.flows));
    if (path.figures.losses > 0) {
      line.append(", ");
      append_percent(line, path.figures.loss_ratio());
      line.append(" lost");
    }
    label.line(line);
  }
}

}  // namespace

void append_dot(std::string& out, const DiagramSource& source) {
  const Fan& fan = source.fan;
  Label label;
  label.line(fan_title(source.snapshot, fan));
  label.line(five_tuples(source.snapshot, fan, "->"));
  append_path_table(label, fan);
  out.append("digraph \"");
  append_quoted(out, plain_text(source.snapshot.facts->name));
  out.append("\" {\n  graph [rankdir=LR, ranksep=1.1, nodesep=0.25, labelloc=t, fontname=\"sans-serif\", label=\"")
      .append(label.text())
      .append("\"];\n")
      .append("  node [shape=box, style=rounded, fontname=\"sans-serif\", fontsize=11];\n")
      .append("  edge [fontname=\"sans-serif\", fontsize=10];\n");
  std::size_t number = 0;
  for (std::size_t column = 0; column < fan.columns; ++column) {
    const std::size_t first = number;
    for (; number < fan.nodes.size() && fan.nodes[number].column == column; ++number)
      append_node(out, source, number);
    if (number - first < 2) continue;
    out.append("  { rank=same;");
    for (std::size_t i = first; i < number; ++i) {
      out.push_back(' ');
      append_id(out, i);
      out.push_back(';');
    }
    out.append(" }\n");
  }
  for (const FanLink& link : fan.links)
    append_link(out, source, link);
  out.append("}\n");
}

}  // namespace ecmp::render
