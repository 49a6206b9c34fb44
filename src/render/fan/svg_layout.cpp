#include "render/fan/svg_layout.hpp"

#include <algorithm>
#include <utility>

namespace ecmp::render {

namespace {

constexpr double kMonospace = 0.61;     // of the font size, for each cell: what all common monospace fonts keep below
constexpr double kProportional = 0.58;  // of sans-serif, digits and lower case
constexpr double kPadding = 11;
constexpr double kRowGap = 16;
constexpr double kHeadHeight = 92;
constexpr std::size_t kCrowd = 24;  // rows from which on boxes are kept low
constexpr double kThinnest = 1.4;
constexpr std::size_t kWidestLine = 34;

double text_pixels(std::string_view text, double size, double factor) {
  auto cells = static_cast<double>(text_width(text));
  if (factor != kMonospace) {
    for (const char letter : text) {
      if (letter == 'm' || letter == 'w' || letter == 'M' || letter == 'W' || letter == '@' || letter == '%')
        cells += 0.65;
      if (letter >= 'A' && letter <= 'Z') cells += 0.3;
    }
  }
  return cells * size * factor;
}

class Layout {
 public:
  explicit Layout(const DiagramSource& source) : fan_(source.fan), source_(source) {}

  SvgLayout build() {
    write_boxes();
    write_links();
    place_columns();
    place_rows();
    place_links();
    place_table();
    return std::move(made_);
  }

 private:
  void write_boxes();
  void write_links();
  [[nodiscard]] double gap_before(std::size_t column) const;
  void place_columns();
  void place_rows();
  void place_links();
  void place_label(std::size_t number);
  void place_table();
  void attach(bool at_from);
  [[nodiscard]] double y_of(double row) const { return top_ + (row + 0.5) * pitch_; }
  [[nodiscard]] bool sole_to(const FanLink& link) const { return in_[link.to] == 1; }
  [[nodiscard]] bool sole_from(const FanLink& link) const { return out_[link.from] == 1; }

  const Fan& fan_;
  const DiagramSource& source_;
  SvgLayout made_;
  std::vector<double> left_;  // of columns
  std::vector<double> wide_;  // of columns
  std::vector<std::size_t> in_;
  std::vector<std::size_t> out_;
  std::vector<std::pair<double, double>> ends_;  // of links: y at `from` and at `to`
  double pitch_ = 0;
  double top_ = 0;
};

void Layout::write_boxes() {
  std::vector<std::size_t> crowd(fan_.columns);
  for (const FanNode& node : fan_.nodes)
    ++crowd[node.column];
  for (const FanNode& node : fan_.nodes) {
    NodeText text = node_text(node, source_.names);
    SvgBox box;
    box.title = std::move(text.title);
    if (crowd[node.column] > kCrowd && node.kind == FanNode::Kind::responder) {
      std::string line;
      for (const std::string* const part : {&text.rtt, &text.loss, &text.silence, &text.note}) {
        if (part->empty()) continue;
        if (!line.empty()) line.append(" · ");
        line.append(*part);
      }
      if (!line.empty()) box.lines.push_back(std::move(line));
    } else {
      if (!text.loss.empty() && !text.silence.empty())
        text.silence = std::exchange(text.loss, "") + ", " + text.silence;
      for (std::string* const part : {&text.name, &text.rtt, &text.loss, &text.silence, &text.mpls, &text.note}) {
        if (part->empty()) continue;
        box.lines.push_back(shortened(*part, kWidestLine, "…"));
        if (part == &text.loss && node.kind == FanNode::Kind::destination) box.bad_line = box.lines.size();
      }
    }
    box.width = text_pixels(box.title, SvgLayout::kNodeTitleSize, kMonospace);
    for (const std::string& line : box.lines)
      box.width = std::max(box.width, text_pixels(line, SvgLayout::kLineSize, kProportional));
    box.width = std::max(box.width + 2 * kPadding, 64.0);
    box.height = 24 + static_cast<double>(box.lines.size()) * SvgLayout::kLineHeight;
    made_.boxes.push_back(std::move(box));
  }
}

void Layout::write_links() {
  in_.resize(fan_.nodes.size());
  out_.resize(fan_.nodes.size());
  for (const FanLink& link : fan_.links) {
    ++out_[link.from];
    ++in_[link.to];
  }
  // The link that all flows take: thicker in front of many branches, so that their widths can still be told apart.
  const double all = std::clamp(14 + 1.5 * fan_.rows, 20.0, 38.0);
  for (const FanLink& link : fan_.links) {
    SvgLink made;
    const double share = fan_.flows == 0 ? 0 : static_cast<double>(link.flows) / static_cast<double>(fan_.flows);
    made.width = std::max(kThinnest, all * share);
    // How many flows a branch has is told where it begins.
    const bool first = fan_.nodes[link.from].kind == FanNode::Kind::agent;
    if (first || (out_[link.from] > 1 && sole_to(link))) made.label.flows = counted(link.flows, "flow");
    if (link.begun > 0) {
      std::string percent;
      append_percent(percent, link.begun);
      made.label.loss = "▲ " + percent + " lost";
    }
    made_.links.push_back(std::move(made));
  }
}

/// Wide enough for what is written on the links, and for curves that have far to go up or down.
double Layout::gap_before(std::size_t column) const {
  double widest = 0;
  for (std::size_t i = 0; i < fan_.links.size(); ++i) {
    const FanLink& link = fan_.links[i];
    const std::size_t ends = fan_.nodes[link.to].column;
    const std::size_t begins = fan_.nodes[link.from].column + 1;
    if (ends != column && begins != column) continue;
    const SvgLabel& label = made_.links[i].label;
    const double gap = !label.flows.empty() && !label.loss.empty() ? 8 : 0;
    widest = std::max(widest, gap + text_pixels(label.flows, SvgLayout::kLineSize, kProportional) +
                                  text_pixels(label.loss, SvgLayout::kLineSize, kProportional));
  }
  return std::max(56.0, widest + 36) + std::min(240.0, fan_.rows * 5);
}

void Layout::place_columns() {
  wide_.assign(fan_.columns, 24);
  for (std::size_t i = 0; i < fan_.nodes.size(); ++i)
    wide_[fan_.nodes[i].column] = std::max(wide_[fan_.nodes[i].column], made_.boxes[i].width);
  left_.resize(fan_.columns);
  double x = SvgLayout::kMargin;
  for (std::size_t column = 0; column < fan_.columns; ++column) {
    if (column > 0) x += gap_before(column);
    left_[column] = x;
    x += wide_[column];
  }
  made_.width = std::max(x, SvgLayout::kMargin + kSvgTableWidth) + SvgLayout::kMargin;
  const double spare = (made_.width - SvgLayout::kMargin - x) / 2;
  for (std::size_t column = 0; column < fan_.columns; ++column) {
    left_[column] += spare;
    made_.column_centre.push_back(left_[column] + wide_[column] / 2);
  }
  for (std::size_t i = 0; i < fan_.nodes.size(); ++i) {
    // As wide as the column: edges in line are calmer to look at than boxes of all widths.
    SvgBox& box = made_.boxes[i];
    box.x = left_[fan_.nodes[i].column];
    box.width = wide_[fan_.nodes[i].column];
  }
}

void Layout::place_rows() {
  std::vector<std::size_t> places(fan_.columns);
  for (const FanNode& node : fan_.nodes)
    ++places[node.column];
  for (const FanLink& link : fan_.links) {
    for (const FanBend& bend : link.bends)
      ++places[bend.column];
  }
  double tallest = 0;
  pitch_ = 40;
  for (std::size_t i = 0; i < fan_.nodes.size(); ++i) {
    tallest = std::max(tallest, made_.boxes[i].height);
    if (places[fan_.nodes[i].column] > 1) pitch_ = std::max(pitch_, made_.boxes[i].height + kRowGap);
  }
  // A box alone in its column may be taller than a row.
  top_ = kHeadHeight + std::max(0.0, (tallest - pitch_) / 2);
  made_.head_y = kHeadHeight - 4;
  for (std::size_t i = 0; i < fan_.nodes.size(); ++i)
    made_.boxes[i].y = y_of(fan_.nodes[i].row);
  made_.height = top_ + fan_.rows * pitch_ + std::max(0.0, (tallest - pitch_) / 2);
}

/// Links meet a box side by side, in the order in which they come, and not all in one point.
void Layout::attach(bool at_from) {
  std::vector<std::vector<std::size_t>> at(fan_.nodes.size());
  for (std::size_t i = 0; i < fan_.links.size(); ++i)
    at[at_from ? fan_.links[i].from : fan_.links[i].to].push_back(i);
  const auto towards = [this, at_from](std::size_t i) {
    const FanLink& link = fan_.links[i];
    if (!link.bends.empty()) return at_from ? link.bends.front().row : link.bends.back().row;
    return fan_.nodes[at_from ? link.to : link.from].row;
  };
  for (std::size_t node = 0; node < at.size(); ++node) {
    std::ranges::stable_sort(at[node], {}, towards);
    double sum = 0;
    for (const std::size_t i : at[node])
      sum += made_.links[i].width;
    const double room = made_.boxes[node].height - 8;
    const double scale = sum > room ? room / sum : 1;
    double y = made_.boxes[node].y - sum * scale / 2;
    for (const std::size_t i : at[node]) {
      const double half = made_.links[i].width * scale / 2;
      (at_from ? ends_[i].first : ends_[i].second) = y + half;
      y += 2 * half;
    }
  }
}

void Layout::place_links() {
  ends_.resize(fan_.links.size());
  attach(true);
  attach(false);
  for (std::size_t i = 0; i < fan_.links.size(); ++i) {
    const FanLink& link = fan_.links[i];
    const SvgBox& from = made_.boxes[link.from];
    double x = from.x + from.width;
    double y = ends_[i].first;
    for (const FanBend& bend : link.bends) {
      made_.links[i].curves.push_back({x, y, left_[bend.column], y_of(bend.row)});
      x = left_[bend.column] + wide_[bend.column];
      y = y_of(bend.row);
    }
    made_.links[i].curves.push_back({x, y, made_.boxes[link.to].x, ends_[i].second});
    place_label(i);
  }
}

/// On the side of the link that it does not come from or go to, where it is the only one at its box.
void Layout::place_label(std::size_t number) {
  const FanLink& link = fan_.links[number];
  SvgLink& made = made_.links[number];
  SvgLabel& label = made.label;
  const double above = -made.width / 2 - 5;
  const double below = made.width / 2 + 12;
  if (sole_to(link) || !sole_from(link)) {
    const SvgCurve& curve = made.curves.front();
    label.at_end = true;
    label.x = curve.x2 - 8;
    label.y = curve.y2 + (curve.y1 < curve.y2 - 1 ? below : above);
    if (sole_to(link)) return;
    // Links of a mesh: in the middle, by turns nearer to either end.
    const double t = 0.35 + 0.1 * static_cast<double>(number % 4);
    const double across = t * t * (3 - 2 * t);
    label.at_end = false;
    label.x = curve.x1 + t * (curve.x2 - curve.x1);
    label.y = curve.y1 + across * (curve.y2 - curve.y1) - 4;
    return;
  }
  const SvgCurve& curve = made.curves.back();
  label.x = made.curves.front().x1 + 8;
  label.y = made.curves.front().y1 + (curve.y2 > made.curves.front().y1 + 1 ? above : below);
}

void Layout::place_table() {
  made_.table_x = SvgLayout::kMargin;
  made_.table_y = made_.height + 36;
  made_.height = made_.table_y + static_cast<double>(fan_.paths.size()) * SvgLayout::kTableLine + 52;
}

}  // namespace

SvgLayout lay_out_svg(const DiagramSource& source) {
  return Layout(source).build();
}

}  // namespace ecmp::render
