#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "render/append.hpp"
#include "render/fan/diagram_forms.hpp"
#include "render/fan/fan_text.hpp"
#include "render/fan/fan_tree.hpp"

namespace ecmp::render {

namespace {

struct Glyphs {
  std::string_view fork;       ///< a branch, and the line it leaves goes on
  std::string_view last_fork;  ///< a branch, and the line ends there
  std::string_view rail;       ///< past a branch
  std::string_view gap;        ///< where a line has ended
  std::string_view hop;
  std::string_view unknown;
  std::string_view dead_end;
  std::string_view also;
  std::string_view ellipsis;
  std::string_view arrow;
};

constexpr Glyphs kAscii{"|-- ", "`-- ", "|   ", "    ", "o ", "o ", "x ", "& ", "...", "->"};
constexpr Glyphs kUtf8{"├── ", "╰── ", "│   ", "    ", "● ", "○ ", "✕ ", "↕ ", "…", "→"};

std::string ascii_only(std::string_view text) {
  std::string plain;
  for (const char character : text) {
    const auto byte = static_cast<std::uint8_t>(character);
    if (byte < 0x80) plain.push_back(character);
    if (byte >= 0xc0) plain.push_back('?');  // one for each character, not for each byte
  }
  return plain;
}

/// A table whose columns are as wide as their widest cell.
class Table {
 public:
  /// `right`: for each column, whether it is aligned to the right.
  explicit Table(std::vector<bool> right) : right_(std::move(right)), widths_(right_.size()) {}

  void add(std::vector<std::string> row) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths_[i] = std::max(widths_[i], text_width(row[i]));
    rows_.push_back(std::move(row));
  }

  void append_to(std::string& out) const {
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (widths_[i] == 0) continue;
        const std::size_t space = widths_[i] - text_width(row[i]);
        if (!line.empty()) line.append(2, ' ');
        if (right_[i]) line.append(space, ' ');
        line.append(row[i]);
        if (!right_[i]) line.append(space, ' ');
      }
      line.resize(line.find_last_not_of(' ') + 1);
      out.append(line).push_back('\n');
    }
  }

 private:
  std::vector<bool> right_;
  std::vector<std::size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
};

std::string percent(double ratio) {
  std::string text;
  append_percent(text, ratio);
  return text;
}

std::string rtt(const WindowFigures& figures, Duration value) {
  std::string text;
  if (figures.has_rtt()) append_rtt(text, value);
  return text;
}

double share(std::uint32_t flows, const Fan& fan) {
  return fan.flows == 0 ? 0 : static_cast<double>(flows) / static_cast<double>(fan.flows);
}

class TextDiagram {
 public:
  TextDiagram(const DiagramSource& source, bool utf8) : source_(source), glyphs_(utf8 ? kUtf8 : kAscii), utf8_(utf8) {}

  void append_to(std::string& out) {
    out.append(text(fan_title(source_.snapshot, source_.fan))).push_back('\n');
    out.append(text(five_tuples(source_.snapshot, source_.fan, glyphs_.arrow))).append("\n\n");
    append_tree(out);
    out.push_back('\n');
    append_paths(out);
  }

 private:
  [[nodiscard]] std::string text(std::string_view any) const { return utf8_ ? std::string(any) : ascii_only(any); }

  [[nodiscard]] std::string drawn(const FanLine& line) const {
    std::string drawing;
    for (std::size_t depth = 0; depth < line.depth; ++depth) {
      const bool fork = line.begins && depth + 1 == line.depth;
      if (fork) {
        drawing.append(line.rails[depth] ? glyphs_.fork : glyphs_.last_fork);
      } else {
        drawing.append(line.rails[depth] ? glyphs_.rail : glyphs_.gap);
      }
    }
    const FanNode::Kind kind = source_.fan.nodes[line.node].kind;
    drawing.append(line.also                         ? glyphs_.also
                   : kind == FanNode::Kind::silent   ? glyphs_.unknown
                   : kind == FanNode::Kind::dead_end ? glyphs_.dead_end
                                                     : glyphs_.hop);
    return drawing;
  }

  void append_tree(std::string& out) const {
    Table table({true, false, true, true, true, true, true, false});
    table.add({"TTL", "hop", "flows", "share", "loss", "p50", "p95", ""});
    for (const FanLine& line : fan_tree(source_.fan))
      table.add(row(line));
    const FanNode& destination = source_.fan.destination();
    if (destination.paths == 0) {
      const NodeText words = node_text(destination, source_.names);
      table.add({"", std::string(glyphs_.dead_end) + words.title + " is not reached", "", "", "", "", "", ""});
    }
    table.append_to(out);
  }

  [[nodiscard]] std::vector<std::string> row(const FanLine& line) const {
    const FanNode& node = source_.fan.nodes[line.node];
    const NodeText words = node_text(node, source_.names);
    std::string hop = drawn(line);
    hop.append(words.title);
    if (!words.name.empty()) {
      constexpr std::size_t kWidest = 40;
      hop.append(" (").append(shortened(text(words.name), kWidest, glyphs_.ellipsis)).push_back(')');
    }
    std::string ttl;
    if (node.kind != FanNode::Kind::agent && !line.also) append_number(ttl, line.ttl);
    if (node.kind == FanNode::Kind::destination) {
      ttl.clear();
      append_number(ttl, node.ttl);
      if (node.ttl != node.last_ttl) append_number(ttl.append("-"), node.last_ttl);
    }
    const bool observed = node.kind == FanNode::Kind::responder || node.kind == FanNode::Kind::destination;
    const bool told = observed && line.figures.probes > 0;
    std::string note;
    const auto say = [&note](std::string_view more) {
      if (more.empty()) return;
      if (!note.empty()) note.append(", ");
      note.append(more);
    };
    if (node.kind == FanNode::Kind::dead_end) say("destination not reached");
    if (line.begun_before > 0 && !line.also) say("<! " + percent(line.begun_before) + " lost before this hop");
    if (line.begun_behind > 0 && !line.also) say("<! " + percent(line.begun_behind) + " lost behind this hop");
    if (node.kind == FanNode::Kind::silent) say(words.note);
    if (told && line.figures.silences() > 0) say("silent " + percent(line.figures.silence_ratio()));
    if (node.balanced) say("per packet");
    say(words.mpls);
    return {ttl,
            hop,
            line.also ? "" : std::to_string(line.flows),
            line.also ? "" : percent(share(line.flows, source_.fan)),
            told ? percent(line.figures.loss_ratio()) : "",
            rtt(line.figures, line.figures.rtt.p50),
            rtt(line.figures, line.figures.rtt.p95),
            note};
  }

  void append_paths(std::string& out) const {
    Table table({true, false, true, true, true, true, true, true, true, false});
    table.add({"path", "id", "flows", "share", "hops", "loss", "p50", "p95", "p99", "source ports"});
    for (const FanPath& path : source_.fan.paths) {
      const WindowFigures& figures = path.figures;
      std::string id;
      if (path.id != 0) append_hex8(id, path.id);
      std::string ports;
      append_ports(ports, path.source_ports, 8);
      table.add({path.id == 0 ? "none" : std::to_string(path.ordinal), id, std::to_string(path.flows),
                 percent(share(path.flows, source_.fan)), path.complete ? std::to_string(path.length) : "",
                 figures.probes > 0 ? percent(figures.loss_ratio()) : "", rtt(figures, figures.rtt.p50),
                 rtt(figures, figures.rtt.p95), rtt(figures, figures.rtt.p99), ports});
    }
    table.append_to(out);
  }

  const DiagramSource& source_;
  const Glyphs& glyphs_;
  bool utf8_;
};

}  // namespace

void append_text_diagram(std::string& out, const DiagramSource& source, bool utf8) {
  TextDiagram(source, utf8).append_to(out);
}

}  // namespace ecmp::render
