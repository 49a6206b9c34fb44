#include "tui/fan_view.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <iterator>
#include <string>

#include "tui/figures.hpp"
#include "tui/glyphs.hpp"

namespace ecmp::tui {
namespace {

enum Place : std::size_t {
  tree,
  ttl,
  flows,
  loss,
  silence,
  average,
  best,
  worst,
  jitter,
  end_loss,
  end_average,
  paths,
  ports,
  count_
};

using Columns = std::array<Column, Place::count_>;
using Rail = FanRow::Rail;

std::vector<FanRow> rows_of(const Scene& scene) {
  return fan_tree(matching_flows(scene));
}

std::string tree_text(const FanRow& row, const Scene& scene, const Glyphs& shown) {
  std::string text;
  for (const Rail rail : row.rails) {
    text += rail == Rail::line     ? shown.line
            : rail == Rail::branch ? shown.branch
            : rail == Rail::last   ? shown.last
                                   : std::string_view("   ");
  }
  if (row.kind == FanRow::Kind::straight) return text + "(straight on)";
  text += shown.node;
  text += row.address.is_unspecified() ? "no answer" : host_of(scene, row.address);
  if (row.others > 0) text += fmt::format(" +{}", row.others);
  if (row.limited) text += " limited";
  return text;
}

std::vector<std::uint32_t> ports_of(const std::vector<std::uint32_t>& flows, const DestinationFacts& facts) {
  std::vector<std::uint32_t> ports;
  ports.reserve(flows.size());
  for (const std::uint32_t flow : flows)
    ports.push_back(facts.source_ports[flow]);
  std::ranges::sort(ports);
  return ports;
}

std::string list(const std::vector<std::uint32_t>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::size_t j = i;
    while (j + 1 < numbers.size() && numbers[j + 1] == numbers[j] + 1)
      ++j;
    if (!text.empty()) text += ',';
    fmt::format_to(std::back_inserter(text), "{}", numbers[i]);
    if (j > i) fmt::format_to(std::back_inserter(text), "{}{}", j > i + 1 ? '-' : ',', numbers[j]);
    i = j;
  }
  return text;
}

Columns columns_for(std::size_t tree_width, std::size_t width) {
  const std::size_t rtt = rtt_width(precision_for(width));
  const std::size_t least = std::min(tree_width, std::max<std::size_t>(width * 2 / 5, 8));
  return {{
      {.title = "Fan", .width = least, .most = tree_width, .right = false},
      {.title = "TTL", .width = 3, .rank = 6},
      {.title = "Flows", .width = 5, .rank = 3},
      {.title = "Loss%", .width = 5},
      {.title = "Sil%", .width = 5, .rank = 7},
      {.title = "Avg", .width = rtt, .rank = 2},
      {.title = "Best", .width = rtt, .rank = 8},
      {.title = "Worst", .width = rtt, .rank = 5},
      {.title = rtt > 5 ? "Jitter" : "Jittr", .width = rtt, .rank = 6},
      {.title = "EndLoss%", .width = 8, .rank = 1},
      {.title = "EndAvg", .width = std::max<std::size_t>(rtt, 6), .rank = 4},
      {.title = "Paths", .width = 7, .most = 12, .rank = 9, .right = false},
      {.title = "Ports", .width = 11, .most = 80, .rank = 10, .right = false},
  }};
}

void draw_row(Pane& pane, std::size_t at, const Scene& scene, const Columns& columns,
              std::span<const PlacedColumn> placed, const FanRow& row, std::size_t all_flows) {
  const Glyphs& shown = glyphs(pane.charset());
  const bool hop = row.kind == FanRow::Kind::hop;
  const Style path = row.ordinals.size() == 1 ? path_style(row.ordinals.front()) : Style{};
  RowCells cells(pane, at, columns);
  for (const PlacedColumn& place : placed) {
    switch (static_cast<Place>(place.index)) {
      case tree:
        cells.text(place, tree_text(row, scene, shown), path);
        break;
      case ttl:
        if (hop) {
          cells.text(place, row.first_ttl == row.last_ttl ? fmt::format("{}", row.first_ttl)
                                                          : fmt::format("{}+", row.first_ttl));
        }
        break;
      case flows:
        cells.text(place, fmt::format("{}", row.flows.size()),
                   {.hue = row.flows.size() == all_flows ? Hue::muted : Hue::plain});
        break;
      case loss:
        if (hop) cells.loss(place, row.here.loss_ratio(), row.here.sent());
        break;
      case silence:
        if (hop && row.here.sent() > 0) cells.silence(place, row.here.silence_ratio(), row.here.sent());
        break;
      case average:
        if (hop) cells.time(place, row.here.average(), row.here.replies());
        break;
      case best:
        if (hop) cells.time(place, row.here.best(), row.here.replies());
        break;
      case worst:
        if (hop) cells.time(place, row.here.worst(), row.here.replies());
        break;
      case jitter:
        if (hop) cells.time(place, row.here.mean_jitter(), row.here.jitters());
        break;
      case end_loss:
        cells.loss(place, row.end.loss_ratio(), row.end.sent());
        break;
      case end_average:
        cells.time(place, row.end.average(), row.end.replies());
        break;
      case paths:
        cells.text(place, list(row.ordinals), path);
        break;
      case ports:
        cells.text(place, list(ports_of(row.flows, scene.facts)), {.hue = Hue::muted});
        break;
      case count_:
        break;
    }
  }
}

}  // namespace

void FanView::move(std::ptrdiff_t by, const Scene& scene) {
  position_.move(by, rows_of(scene).size());
}

void FanView::go_to(std::uint32_t flow, const Scene& scene) {
  const std::vector<FanRow> rows = rows_of(scene);
  std::size_t fewest = SIZE_MAX;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!std::binary_search(rows[i].flows.begin(), rows[i].flows.end(), flow)) continue;
    if (rows[i].flows.size() < fewest) position_.chosen = i;
    fewest = std::min(fewest, rows[i].flows.size());
  }
}

std::optional<std::uint32_t> FanView::flow(const Scene& scene) const {
  const std::vector<FanRow> rows = rows_of(scene);
  if (rows.empty()) return std::nullopt;
  return rows[std::min(position_.chosen, rows.size() - 1)].flows.front();
}

void FanView::draw(Pane pane, const Scene& scene) {
  const std::vector<const FlowRow*> flows = matching_flows(scene);
  const std::vector<FanRow> rows = fan_tree(flows);
  const Glyphs& shown = glyphs(pane.charset());
  std::size_t widest = 16;
  for (const FanRow& row : rows)
    widest = std::max(widest, width_of(tree_text(row, scene, shown)));
  const Columns columns = columns_for(widest, pane.columns());
  const std::vector<PlacedColumn> placed = place(columns, pane.columns());
  put_titles(pane, 0, columns, placed, true);
  if (rows.empty()) {
    pane.put(1, 0, flows.empty() && !scene.search.empty() ? "no flow matches" : "no hop has answered yet",
             {.hue = Hue::muted});
    return;
  }
  const std::size_t height = pane.rows() - std::min<std::size_t>(pane.rows(), 1);
  position_.fit(rows.size(), height);
  for (std::size_t i = 0; i < height && position_.top + i < rows.size(); ++i) {
    draw_row(pane, i + 1, scene, columns, placed, rows[position_.top + i], flows.size());
    if (position_.top + i == position_.chosen) {
      pane.restyle(i + 1, [](Style& style) {
        style = chosen_style(style);
        style.bold = true;
      });
    }
  }
}

}  // namespace ecmp::tui
