#include "tui/summary_view.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>

#include "tui/figures.hpp"
#include "tui/glyphs.hpp"

namespace ecmp::tui {
namespace {

using Order = SummaryView::Order;

enum Place : std::size_t {
  port,
  path,
  id,
  hops,
  loss,
  there,
  back,
  sent,
  last,
  average,
  best,
  worst,
  deviation,
  p95,
  jitter,
  changes,
  trend,
  count_
};

using Columns = std::array<Column, Place::count_>;

/// `streams`: flows have streams of STAMP packets, which show each direction.
Columns columns_for(std::size_t width, bool streams) {
  const std::size_t rtt = rtt_width(precision_for(width));
  return {{
      {.title = "Port", .width = 6},
      {.title = "Path", .width = 5, .rank = 1},
      {.title = "Path id", .width = 8, .rank = 7, .right = false},
      {.title = "Hops", .width = 4, .rank = 5},
      {.title = "Loss%", .width = 5},
      {.title = "Fwd%", .width = streams ? std::size_t{5} : 0, .rank = 1},
      {.title = "Rev%", .width = streams ? std::size_t{5} : 0, .rank = 1},
      {.title = "Sent", .width = 5, .rank = 9},
      {.title = "Last", .width = rtt, .rank = 4},
      {.title = "Avg", .width = rtt, .rank = 2},
      {.title = "Best", .width = rtt, .rank = 6},
      {.title = "Worst", .width = rtt, .rank = 3},
      {.title = "StDev", .width = rtt, .rank = 11},
      {.title = "p95", .width = rtt, .rank = 10},
      {.title = rtt > 5 ? "Jitter" : "Jittr", .width = rtt, .rank = 3},
      {.title = "Chg", .width = 3, .rank = 8},
      {.title = "Trend", .width = 8, .most = FlowTally::kRecent, .rank = 6, .right = false},
  }};
}

constexpr std::array<Place, static_cast<std::size_t>(Order::count_)> kSorted = {port,    path, hops,  loss,  last,
                                                                                average, best, worst, jitter};

/// What a row is sorted by; a flow without it sorts below all others.
double value_of(const FlowRow& flow, Order order) {
  const ProbeTally& end = flow.tally.end_to_end();
  const auto time = [&](Duration value) { return end.replies() == 0 ? -1.0 : static_cast<double>(value.count()); };
  switch (order) {
    case Order::path:
      return flow.tally.ordinal();
    case Order::hops:
      return static_cast<double>(flow.tally.hops().size());
    case Order::loss:
      return end.sent() == 0 ? -1.0 : end.loss_ratio();
    case Order::last:
      return time(end.last());
    case Order::average:
      return time(end.average());
    case Order::best:
      return time(end.best());
    case Order::worst:
      return time(end.worst());
    case Order::jitter:
      return end.jitters() == 0 ? -1.0 : static_cast<double>(end.mean_jitter().count());
    case Order::port:
    case Order::count_:
      break;
  }
  return flow.source_port;
}

/// Draws one flow's cells.
class Row {
 public:
  Row(Pane& pane, std::size_t row, const Columns& columns, const FlowRow& flow)
      : pane_(pane), row_(row), cells_(pane, row, columns), flow_(flow) {}

  void draw(const PlacedColumn& place) {
    const FlowTally& tally = flow_.tally;
    const ProbeTally& end = tally.end_to_end();
    switch (static_cast<Place>(place.index)) {
      case port:
        return cells_.text(place, fmt::format("{}", flow_.source_port));
      case path:
        return draw_path(place);
      case id:
        return cells_.text(place, tally.path() == 0 ? "-" : path_id(tally.path()), path_style(tally.ordinal()));
      case hops:
        return cells_.text(place, tally.distance() == 0 ? fmt::format("{}+", tally.hops().size())
                                                        : fmt::format("{}", tally.hops().size()));
      case loss:
        return cells_.loss(place, end.loss_ratio(), end.sent());
      case there:
        return draw_direction(place, [](const stamp::OnewayCounts& of) { return std::pair(of.forward, of.resolved); });
      case back:
        return draw_direction(place, [](const stamp::OnewayCounts& of) { return std::pair(of.reverse, of.reached()); });
      case sent:
        return cells_.text(place, count(end.sent()));
      case last:
        return cells_.time(place, end.last(), end.replies());
      case average:
        return cells_.time(place, end.average(), end.replies());
      case best:
        return cells_.time(place, end.best(), end.replies());
      case worst:
        return cells_.time(place, end.worst(), end.replies());
      case deviation:
        return cells_.time(place, end.standard_deviation(), end.replies() > 1 ? 1 : 0);
      case p95:
        return cells_.time(place, end.p95(), end.replies());
      case jitter:
        return cells_.time(place, end.mean_jitter(), end.jitters());
      case changes:
        return cells_.text(place, fmt::format("{}", std::min(tally.path_changes(), 999u)),
                           {.hue = tally.path_changes() == 0 ? Hue::muted : Hue::warning});
      case trend:
        return put_sparkline(pane_, row_, place.at, place.width, end.recent());
      case count_:
        return;
    }
  }

 private:
  /// Of packets whose loss has a direction; without any nothing is known of it.
  template <typename Share>
  void draw_direction(const PlacedColumn& place, const Share& share) {
    const OnewayFlowSnapshot* const oneway = flow_.tally.oneway();
    const auto [lost, packets] = oneway == nullptr ? std::pair<std::uint64_t, std::uint64_t>{} : share(oneway->counts);
    cells_.loss(place, packets == 0 ? 0 : static_cast<double>(lost) / static_cast<double>(packets), packets);
  }
  void draw_path(const PlacedColumn& place) {
    const std::uint32_t ordinal = flow_.tally.ordinal();
    if (ordinal == 0) return cells_.none(place);
    const std::string number = fmt::format("{}", ordinal);
    cells_.text(place, number, path_style(ordinal));
    if (number.size() + 2 <= place.width)
      pane_.put(row_, place.at + place.width - number.size() - 2, glyphs(pane_.charset()).path, path_style(ordinal), 1);
  }

  Pane& pane_;
  std::size_t row_;
  RowCells cells_;
  const FlowRow& flow_;
};

}  // namespace

void SummaryView::sort_by_next() {
  order_ = static_cast<Order>((static_cast<std::size_t>(order_) + 1) % static_cast<std::size_t>(Order::count_));
  falling_ = order_ != Order::port && order_ != Order::path;
}

std::vector<const FlowRow*> SummaryView::rows(const Scene& scene) const {
  std::vector<const FlowRow*> rows = matching_flows(scene);
  std::stable_sort(rows.begin(), rows.end(), [this](const FlowRow* a, const FlowRow* b) {
    const double left = value_of(*a, order_);
    const double right = value_of(*b, order_);
    return falling_ ? left > right : left < right;
  });
  return rows;
}

void SummaryView::draw(Pane pane, const Scene& scene, const std::vector<const FlowRow*>& rows, std::uint32_t chosen,
                       bool focused) {
  const bool streams =
      std::ranges::any_of(scene.tally.flows(), [](const FlowRow& flow) { return flow.tally.oneway() != nullptr; });
  const Columns columns = columns_for(pane.columns(), streams);
  const std::vector<PlacedColumn> placed = place(columns, pane.columns());
  put_titles(pane, 0, columns, placed, focused);
  for (const PlacedColumn& column : placed) {
    if (column.index != kSorted[static_cast<std::size_t>(order_)]) continue;
    const Glyphs& shown = glyphs(pane.charset());
    // Before the title; where that fills its column, in the blank between the columns.
    const std::size_t from = column.at + column.width - columns[column.index].title.size();
    pane.put(0, from - std::min<std::size_t>(from, 1), falling_ ? shown.falling : shown.rising,
             {.bold = focused, .underline = !focused, .reverse = focused}, 1);
  }
  if (rows.empty()) {
    pane.put(1, 0, scene.search.empty() ? "no round is over yet" : "no flow matches", {.hue = Hue::muted});
    return;
  }
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const FlowRow* flow) { return flow->index == chosen; });
  position_.chosen = found == rows.end() ? 0 : static_cast<std::size_t>(found - rows.begin());
  const std::size_t height = pane.rows() - std::min<std::size_t>(pane.rows(), 1);
  position_.fit(rows.size(), height);
  for (std::size_t i = 0; i < height && position_.top + i < rows.size(); ++i) {
    const std::size_t at = position_.top + i;
    Row row(pane, i + 1, columns, *rows[at]);
    for (const PlacedColumn& column : placed)
      row.draw(column);
    if (at != position_.chosen) continue;
    pane.put(i + 1, 0, glyphs(pane.charset()).chosen, {.bold = true}, 1);
    pane.restyle(i + 1, [&](Style& style) {
      if (focused) style = chosen_style(style);
      style.bold = true;
    });
  }
}

}  // namespace ecmp::tui
