#include "tui/detail_view.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <iterator>
#include <optional>
#include <utility>

#include "tui/figures.hpp"
#include "tui/glyphs.hpp"

namespace ecmp::tui {
namespace {

enum Place : std::size_t {
  ttl,
  host,
  name,
  as_number,
  loss,
  silence,
  sent,
  last,
  average,
  best,
  worst,
  deviation,
  p95,
  jitter,
  trend,
  count_
};

using Columns = std::array<Column, Place::count_>;
using Kind = DetailView::Line::Kind;

constexpr std::size_t kHeads = 2;  ///< the flow's line and the titles

/// What the texts of the flow's hops need.
struct Widths {
  std::size_t address = 11;
  std::size_t name = 0;
  bool as_number = false;
};

Widths widths_of(const Scene& scene, const FlowRow& flow) {
  Widths widths;
  for (const HopTally& hop : flow.tally.hops()) {
    const auto count = [&](const IpAddress& address, std::size_t indent) {
      if (address.is_unspecified()) return;
      widths.address = std::max(widths.address, address.to_string().size() + indent);
      widths.name = std::max(widths.name, width_of(name_of(scene, address)) + indent);
      widths.as_number = widths.as_number || (scene.as_numbers != nullptr && scene.as_numbers->number(address) != 0);
    };
    count(hop.address(), 0);
    for (const HopTally::Responder& responder : hop.responders())
      if (responder.address != hop.address()) count(responder.address, 2);
  }
  return widths;
}

/// Names have a column of their own where there is room; else they stand in place of the addresses.
bool names_apart(std::size_t width) {
  return width >= 140;
}

Columns columns_for(const Widths& widths, std::size_t width) {
  const std::size_t rtt = rtt_width(precision_for(width));
  const bool apart = names_apart(width) && widths.name > 0;
  const std::size_t wanted = std::max(widths.address, apart ? 0 : widths.name);
  const std::size_t least = std::min(wanted, std::max(std::min(widths.address, width / 3), width * 3 / 10));
  return {{
      {.title = "TTL", .width = 3},
      {.title = apart ? "Address" : "Host", .width = least, .most = std::max(wanted, least), .right = false},
      {.title = "Name",
       .width = apart ? std::clamp<std::size_t>(widths.name, 12, 24) : 0,
       .most = std::max<std::size_t>(widths.name, 12),
       .rank = 6,
       .right = false},
      {.title = "AS", .width = widths.as_number ? std::size_t{8} : 0, .rank = 5},
      {.title = "Loss%", .width = 5},
      {.title = "Sil%", .width = 5, .rank = 3},
      {.title = "Sent", .width = 5, .rank = 6},
      {.title = "Last", .width = rtt, .rank = 2},
      {.title = "Avg", .width = rtt, .rank = 1},
      {.title = "Best", .width = rtt, .rank = 5},
      {.title = "Worst", .width = rtt, .rank = 3},
      {.title = "StDev", .width = rtt, .rank = 7},
      {.title = "p95", .width = rtt, .rank = 4},
      {.title = rtt > 5 ? "Jitter" : "Jittr", .width = rtt, .rank = 4},
      {.title = "Trend", .width = 8, .most = HopTally::kRecent, .rank = 8, .right = false},
  }};
}

/// Draws one line of one hop.
class HopLine {
 public:
  HopLine(Pane& pane, std::size_t row, const Scene& scene, const Columns& columns, const HopTally& hop)
      : pane_(pane), row_(row), scene_(scene), columns_(columns), cells_(pane, row, columns), hop_(hop) {}

  void draw_hop(const PlacedColumn& place, std::size_t number) {
    const ProbeTally& probes = hop_.probes();
    switch (static_cast<Place>(place.index)) {
      case ttl:
        return cells_.text(place, fmt::format("{}", number));
      case host:
      case name:
      case as_number:
        return draw_address(place, hop_.address(), 0);
      case loss:
        return cells_.loss(place, probes.loss_ratio(), probes.sent());
      case silence:
        return cells_.silence(place, probes.silence_ratio(), probes.sent());
      case sent:
        return cells_.text(place, count(probes.sent()));
      case last:
        return cells_.time(place, probes.last(), probes.replies());
      case average:
        return cells_.time(place, probes.average(), probes.replies());
      case best:
        return cells_.time(place, probes.best(), probes.replies());
      case worst:
        return cells_.time(place, probes.worst(), probes.replies());
      case deviation:
        return cells_.time(place, probes.standard_deviation(), probes.replies() > 1 ? 1 : 0);
      case p95:
        return cells_.time(place, probes.p95(), probes.replies());
      case jitter:
        return cells_.time(place, probes.mean_jitter(), probes.jitters());
      case trend:
        return put_sparkline(pane_, row_, place.at, place.width, probes.recent());
      case count_:
        return;
    }
  }

  void draw_responder(std::span<const PlacedColumn> placed, const HopTally::Responder& responder) {
    std::uint64_t all = 0;
    for (const HopTally::Responder& one : hop_.responders())
      all += one.replies;
    for (const PlacedColumn& place : placed) {
      if (place.index == host || place.index == name || place.index == as_number) {
        draw_address(place, responder.address, 2);
      } else if (place.index == sent) {
        cells_.text(place, count(responder.replies), {.hue = Hue::muted});
      }
    }
    // How often it was this one, where loss would stand: a share of the replies.
    const std::size_t right = end_of(placed, host);
    const double share = all == 0 ? 0 : static_cast<double>(responder.replies) / static_cast<double>(all);
    for (const PlacedColumn& place : placed) {
      if (place.index != last || place.at <= right) continue;
      pane_.put(row_, place.at, fmt::format("{} % of replies", percent(share)), {.hue = Hue::muted});
    }
  }

  void draw_labels(std::span<const PlacedColumn> placed) {
    std::string words = "  MPLS";
    for (const packet::MplsLabel& label : hop_.mpls().view()) {
      fmt::format_to(std::back_inserter(words), " {} tc={} ttl={}{}", label.label, label.traffic_class, label.ttl,
                     label.bottom ? " s" : "");
    }
    pane_.put(row_, start_of(placed, host), words, {.hue = Hue::muted});
  }

  void draw_finding(std::span<const PlacedColumn> placed, std::string_view words) {
    pane_.put(row_, start_of(placed, host), words, {.hue = Hue::warning});
  }

  void draw_limited(std::span<const PlacedColumn> placed) {
    pane_.put(row_, start_of(placed, host), "  limited: answers only so often", {.hue = Hue::muted});
  }

  void draw_refusal(std::span<const PlacedColumn> placed) {
    pane_.put(row_, start_of(placed, host), fmt::format("  refused: {}", packet::to_string(hop_.refusal())),
              {.hue = Hue::bad, .bold = true});
  }

 private:
  static std::size_t start_of(std::span<const PlacedColumn> placed, std::size_t index) {
    for (const PlacedColumn& place : placed)
      if (place.index == index) return place.at;
    return 0;
  }
  static std::size_t end_of(std::span<const PlacedColumn> placed, std::size_t index) {
    for (const PlacedColumn& place : placed)
      if (place.index == index) return place.at + place.width;
    return 0;
  }

  void draw_address(const PlacedColumn& place, const IpAddress& address, std::size_t indent) {
    const Style style = {.hue = indent > 0 ? Hue::muted : Hue::plain};
    if (address.is_unspecified()) {
      if (place.index == host) cells_.text(place, "no answer", {.hue = Hue::muted});
      return;
    }
    if (place.index == as_number) {
      const std::uint32_t number = scene_.as_numbers == nullptr ? 0 : scene_.as_numbers->number(address);
      if (number != 0) cells_.text(place, fmt::format("{}", number), style);
      return;
    }
    const bool apart = std::any_of(columns_.begin(), columns_.end(),
                                   [](const Column& column) { return column.title == "Name" && column.width > 0; });
    const std::string words = place.index == name ? name_of(scene_, address)
                              : apart             ? address.to_string()
                                                  : host_of(scene_, address);
    const std::size_t skip = std::min(indent, place.width);
    pane_.put(row_, place.at + skip, words, style, place.width - skip);
  }

  Pane& pane_;
  std::size_t row_;
  const Scene& scene_;
  const Columns& columns_;
  RowCells cells_;
  const HopTally& hop_;
};

/// "Flow 50003 on path 2 (5c1e09aa), 4 hops, reached", and the 5-tuple where there is room: it is what one gives to
/// iperf to take the same path.
void put_head(Pane& pane, const Scene& scene, const FlowRow& flow) {
  const FlowTally& tally = flow.tally;
  const Glyphs& shown = glyphs(pane.charset());
  std::size_t at = pane.put(0, 0, fmt::format("Flow {}", flow.source_port), {.hue = Hue::accent, .bold = true});
  if (tally.ordinal() == 0) {
    at += pane.put(0, at, "  no path yet", {.hue = Hue::muted});
  } else {
    at += pane.put(0, at, fmt::format("  {} path {}", shown.path, tally.ordinal()), path_style(tally.ordinal()));
    at += pane.put(0, at, fmt::format(" {}", path_id(tally.path())), {.hue = Hue::muted});
  }
  const bool reached = tally.reached();
  at += pane.put(0, at, reached ? "  reached" : "  not reached",
                 reached ? Style{} : Style{.hue = Hue::bad, .bold = true});
  const std::uint32_t changes = tally.path_changes();
  if (changes > 0) {
    at += pane.put(0, at,
                   fmt::format("  {} {}, newest: {}", changes, changes == 1 ? "change" : "changes",
                               to_string(tally.newest_change())),
                   {.hue = Hue::warning});
  }
  const bool v6 = !scene.facts.address.is_v4();
  const auto end = [v6](const IpAddress& address, std::uint16_t port) {
    return v6 ? fmt::format("[{}]:{}", address.to_string(), port) : fmt::format("{}:{}", address.to_string(), port);
  };
  const std::string tuple =
      fmt::format("{} {} {} {}", traits(scene.facts.protocol).upper_name, end(flow.source, flow.source_port), shown.to,
                  end(scene.facts.address, scene.facts.port));
  const std::size_t width = width_of(tuple);
  if (at + 2 + width <= pane.columns()) pane.put_right(0, 0, pane.columns(), tuple, {.hue = Hue::muted});
}

/// What the flow's stream shows of one direction; each but the loss where it is known.
struct DirectionFigures {
  std::uint64_t lost = 0;
  std::uint64_t packets = 0;
  std::optional<Quantiles> variation = std::nullopt;
  std::optional<Quantiles> delay = std::nullopt;  ///< by synchronised clocks
  std::optional<Duration> relative = std::nullopt;
};

std::string direction_words(std::string_view name, const DirectionFigures& figures) {
  const auto ms = [](Duration duration) { return milliseconds(duration, Precision::compact); };
  std::string words = fmt::format("  {} ", name);
  if (figures.packets == 0) {
    words += "loss not known";
  } else {
    words += fmt::format("{} of {} lost, {} %", figures.lost, figures.packets,
                         percent(static_cast<double>(figures.lost) / static_cast<double>(figures.packets)));
  }
  const auto append = [&](std::string_view what, const std::optional<Quantiles>& of) {
    if (of) {
      fmt::format_to(std::back_inserter(words), "; {} p50 {} p95 {} p99 {}", what, ms(of->p50), ms(of->p95),
                     ms(of->p99));
    }
  };
  append("delay variation", figures.variation);
  append("delay", figures.delay);
  if (figures.relative)
    fmt::format_to(std::back_inserter(words), "; {} slower than the fastest path", ms(*figures.relative));
  return words;
}

/// Nothing of a flow without a stream.
std::vector<std::string> directions(const FlowRow& flow) {
  const OnewayFlowSnapshot* const oneway = flow.tally.oneway();
  if (oneway == nullptr) return {};
  const OnewayRound& newest = *flow.tally.newest_oneway();
  const stamp::OnewayCounts& counts = oneway->counts;
  DirectionFigures there{.lost = counts.forward, .packets = counts.resolved};
  DirectionFigures back{.lost = counts.reverse, .packets = counts.reached()};
  const auto known = [](const Quantiles& of, std::uint64_t observed) {
    return observed > 0 ? std::optional(of) : std::nullopt;
  };
  if (const OnewayPathSnapshot* const path = newest.there.get()) {
    there.variation = known(path->forward_window, path->exchanges);
    there.delay = known(path->forward_delay.quantiles, path->forward_delay.window);
    there.relative = path->relative_forward;
  }
  if (const OnewayPathSnapshot* const path = newest.back.get()) {
    back.variation = known(path->reverse_window, path->back_exchanges);
    back.delay = known(path->reverse_delay.quantiles, path->reverse_delay.window);
    back.relative = path->relative_reverse;
  }
  std::vector<std::string> lines = {direction_words("forward", there), direction_words("reverse", back)};
  if (counts.round_trips > 0)
    lines.push_back(direction_words("unresolved", {.lost = counts.unresolved, .packets = counts.round_trips}));
  if (oneway->reverse_path != 0) lines[1] += "; path " + path_id(oneway->reverse_path);
  return lines;
}

}  // namespace

std::vector<DetailView::Line> DetailView::lines(const Scene& scene, const FlowRow& flow) {
  std::vector<Line> found;
  const auto hops = flow.tally.hops();
  const std::vector<Finding> findings = flow.tally.findings();
  for (std::size_t i = 0; i < hops.size(); ++i) {
    found.push_back({Kind::hop, i, 0});
    if (hops[i].refusal() != packet::ReplyKind::none) found.push_back({Kind::refusal, i, 0});
    if (hops[i].limited()) found.push_back({Kind::limited, i, 0});
    if (scene.labels && !hops[i].mpls().empty()) found.push_back({Kind::labels, i, 0});
    if (std::string where = place_of(scene, hops[i].address()); !where.empty())
      found.push_back({Kind::finding, i, 0, "  " + std::move(where)});
    for (const Finding& finding : findings) {
      if (finding.hop != i) continue;
      found.push_back({Kind::finding, i, 0, fmt::format("  {}: {}", to_string(finding.kind), finding.detail)});
    }
    for (std::size_t j = 0; j < hops[i].responders().size(); ++j)
      if (hops[i].responders()[j].address != hops[i].address()) found.push_back({Kind::responder, i, j});
  }
  for (std::string& words : directions(flow))
    found.push_back({Kind::direction, 0, 0, std::move(words)});
  return found;
}

std::size_t DetailView::rows_needed(const Scene& scene, const FlowRow* flow) {
  return flow == nullptr ? kHeads + 1 : kHeads + lines(scene, *flow).size();
}

void DetailView::move(std::ptrdiff_t by, const Scene& scene, const FlowRow* flow) {
  position_.move(by, flow == nullptr ? 0 : lines(scene, *flow).size());
}

void DetailView::draw(Pane pane, const Scene& scene, const FlowRow* flow, bool focused) {
  if (flow == nullptr) {
    pane.put(0, 0, "No flow is chosen", {.hue = Hue::muted});
    return;
  }
  put_head(pane, scene, *flow);
  const Columns columns = columns_for(widths_of(scene, *flow), pane.columns());
  const std::vector<PlacedColumn> placed = place(columns, pane.columns());
  put_titles(pane, 1, columns, placed, focused);
  const std::vector<Line> all = lines(scene, *flow);
  const std::size_t height = pane.rows() - std::min(pane.rows(), kHeads);
  position_.fit(all.size(), height);
  if (all.empty()) pane.put(kHeads, 0, "no hop has answered", {.hue = Hue::muted});
  for (std::size_t i = 0; i < height && position_.top + i < all.size(); ++i) {
    const Line& line = all[position_.top + i];
    if (line.kind == Kind::direction) {
      pane.put(i + kHeads, 0, line.words);
      if (focused && position_.top + i == position_.chosen)
        pane.restyle(i + kHeads, [](Style& style) { style = chosen_style(style); });
      continue;
    }
    const HopTally& hop = flow->tally.hops()[line.hop];
    HopLine drawn(pane, i + kHeads, scene, columns, hop);
    if (line.kind == Kind::hop) {
      for (const PlacedColumn& column : placed)
        drawn.draw_hop(column, line.hop + 1);
    } else if (line.kind == Kind::responder) {
      drawn.draw_responder(placed, hop.responders()[line.responder]);
    } else if (line.kind == Kind::labels) {
      drawn.draw_labels(placed);
    } else if (line.kind == Kind::finding) {
      drawn.draw_finding(placed, line.words);
    } else if (line.kind == Kind::limited) {
      drawn.draw_limited(placed);
    } else {
      drawn.draw_refusal(placed);
    }
    if (focused && position_.top + i == position_.chosen)
      pane.restyle(i + kHeads, [](Style& style) { style = chosen_style(style); });
  }
}

}  // namespace ecmp::tui
