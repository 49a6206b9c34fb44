#include "tui/live_view.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <iterator>
#include <utility>
#include <vector>

#include "render/report/search_text.hpp"
#include "tui/figures.hpp"
#include "tui/glyphs.hpp"

namespace ecmp::tui {
namespace {

const render::NoNames kNoNames;

constexpr std::ptrdiff_t kAll = PTRDIFF_MAX;

constexpr std::size_t kLeastForBottom = 5;  ///< rows of a screen that has a line of keys
constexpr std::size_t kLeastForState = 10;  ///< rows of a screen whose title takes two lines
constexpr std::size_t kLeastForBoth = 14;   ///< rows for flows and hops at once
constexpr std::size_t kLeastForDetail = 5;  ///< of them, for the hops

std::string protocol_and_port(const DestinationFacts& facts) {
  const std::string name(traits(facts.protocol).upper_name);
  return has_ports(facts.protocol) ? fmt::format("{} port {}", name, facts.port) : name;
}

std::string counted(std::uint64_t number, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", number, number == 1 ? one : many);
}

}  // namespace

LiveView::LiveView(std::shared_ptr<const DestinationFacts> facts, Options options)
    : facts_(std::move(facts)),
      program_(std::move(options.program)),
      show_names_(options.names),
      replay_(options.replay) {}

void LiveView::take(const RoundRecord& record) {
  if (record.destination != nullptr) facts_ = record.destination;
  tally_.take(record);
}

void LiveView::forget(std::uint32_t flow_index) {
  tally_.forget(flow_index);
}

void LiveView::notice(std::string_view line) {
  notice_ = printable(line.substr(0, 512));
}

Scene LiveView::scene() const {
  return {.facts = *facts_,
          .tally = held_ != nullptr ? *held_ : tally_,
          .names = show_names_ && names_ != nullptr ? *names_ : static_cast<const render::HopNames&>(kNoNames),
          .as_numbers = as_numbers_.get(),
          .labels = show_labels_,
          .search = search_};
}

/// The chosen flow, or the first one while that one is not among those shown.
const FlowRow* LiveView::chosen_row(const Scene& scene) const {
  const FlowRow* const flow = scene.tally.flow(chosen_);
  if (flow != nullptr && matches(scene, *flow)) return flow;
  const std::vector<const FlowRow*> rows = summary_.rows(scene);
  return rows.empty() ? nullptr : rows.front();
}

LiveView::Request LiveView::on_key(const Key& key) {
  notice_.clear();
  if (typing_) {
    type(key);
    return Request::none;
  }
  return act(action_of(key));
}

/// What is typed narrows the flows at once. Enter keeps it, Escape gives all flows back.
void LiveView::type(const Key& key) {
  switch (key.kind) {
    case Key::Kind::enter:
      typing_ = false;
      break;
    case Key::Kind::escape:
      typing_ = false;
      search_.clear();
      break;
    case Key::Kind::backspace:
      while (!search_.empty() && (static_cast<unsigned char>(search_.back()) >> 6) == 2)
        search_.pop_back();
      if (!search_.empty()) search_.pop_back();
      break;
    case Key::Kind::character:
      if (key.code >= U' ' && search_.size() < kLongestSearch) append_utf8(search_, key.code);
      break;
    default:
      break;
  }
}

LiveView::Request LiveView::act(Action action) {
  if (replay_ && (is_of_time(action) || action == Action::pause || action == Action::reset)) {
    moves_.push_back(action);
    return Request::none;
  }
  switch (action) {
    case Action::up:
    case Action::down:
    case Action::page_up:
    case Action::page_down:
    case Action::first:
    case Action::last:
      scroll(action);
      break;
    case Action::previous_view:
      show(static_cast<View>((static_cast<int>(view_) + 2) % 3));
      break;
    case Action::next_view:
      show(static_cast<View>((static_cast<int>(view_) + 1) % 3));
      break;
    case Action::summary:
      show(View::summary);
      break;
    case Action::detail:
      show(View::detail);
      break;
    case Action::fan:
      show(View::fan);
      break;
    case Action::open:
      open();
      break;
    case Action::back:
      back();
      break;
    case Action::previous_flow:
      choose_next(-1);
      break;
    case Action::next_flow:
      choose_next(1);
      break;
    case Action::sort:
      summary_.sort_by_next();
      break;
    case Action::reverse:
      summary_.reverse();
      break;
    case Action::search:
      typing_ = true;
      show_help_ = false;
      search_.clear();
      break;
    case Action::names:
      show_names_ = !show_names_;
      break;
    case Action::labels:
      show_labels_ = !show_labels_;
      break;
    case Action::pause:
      pause();
      break;
    case Action::reset:
      tally_.reset();
      if (held_ != nullptr) held_ = std::make_unique<const DestinationTally>(tally_);
      break;
    case Action::help:
      show_help_ = !show_help_;
      break;
    case Action::redraw:
      return Request::redraw;
    case Action::suspend:
      return Request::suspend;
    case Action::quit:
      return Request::quit;
    default:
      break;
  }
  return Request::none;
}

void LiveView::scroll(Action action) {
  const auto page = static_cast<std::ptrdiff_t>(std::max<std::size_t>(page_, 1));
  const std::ptrdiff_t by = action == Action::up          ? -1
                            : action == Action::down      ? 1
                            : action == Action::page_up   ? -page
                            : action == Action::page_down ? page
                            : action == Action::first     ? -kAll
                                                          : kAll;
  show_help_ ? help_.move(by) : scroll_by(by);
}

void LiveView::scroll_by(std::ptrdiff_t by) {
  const Scene now = scene();
  switch (view_) {
    case View::summary:
      choose_next(by);
      break;
    case View::detail:
      detail_.move(by, now, chosen_row(now));
      break;
    case View::fan:
      fan_.move(by, now);
      chosen_ = fan_.flow(now).value_or(chosen_);
      break;
  }
}

/// Up or down in the order of the summary.
void LiveView::choose_next(std::ptrdiff_t by) {
  const Scene now = scene();
  const std::vector<const FlowRow*> rows = summary_.rows(now);
  if (rows.empty()) return;
  const auto found = std::find(rows.begin(), rows.end(), chosen_row(now));
  ListPosition position;
  position.chosen = found == rows.end() ? 0 : static_cast<std::size_t>(found - rows.begin());
  position.move(by, rows.size());
  chosen_ = rows[position.chosen]->index;
  detail_.to_top();
  if (view_ == View::fan) fan_.go_to(chosen_, now);
}

void LiveView::show(View view) {
  show_help_ = false;
  if (view == View::fan && view_ != View::fan) {
    const Scene now = scene();
    if (const FlowRow* flow = chosen_row(now)) fan_.go_to(flow->index, now);
  }
  view_ = view;
}

void LiveView::open() {
  if (show_help_) {
    show_help_ = false;
    return;
  }
  detail_.to_top();
  view_ = View::detail;
}

void LiveView::back() {
  if (show_help_) {
    show_help_ = false;
  } else if (!search_.empty()) {
    search_.clear();
  } else {
    view_ = View::summary;
  }
}

void LiveView::pause() {
  if (held_ != nullptr) {
    held_ = nullptr;
  } else {
    held_ = std::make_unique<const DestinationTally>(tally_);
  }
}

void LiveView::draw(Grid& grid, Duration elapsed) {
  grid.clear();
  const Scene now = scene();
  const Pane whole(grid);
  const std::size_t title = whole.rows() >= kLeastForState ? 2 : 1;
  const std::size_t bottom = whole.rows() >= kLeastForBottom ? 1 : 0;
  draw_title(whole.part(0, 0, title, whole.columns()), now, elapsed);
  const Pane body = whole.part(title, 0, whole.rows() - std::min(whole.rows(), title + bottom), whole.columns());
  if (show_help_) {
    page_ = body.rows() - std::min<std::size_t>(body.rows(), 2);
    help_.draw(body);
  } else {
    draw_views(body, now);
  }
  if (bottom > 0) {
    draw_bottom(whole, whole.rows() - 1);
  } else if (typing_ || !notice_.empty()) {
    whole.part(0, 0, 1, whole.columns()).fill(0, {});
    draw_bottom(whole, 0);
  }
}

void LiveView::draw_title(Pane pane, const Scene& scene, Duration elapsed) const {
  const DestinationFacts& facts = scene.facts;
  const std::string address = facts.address.to_string();
  const std::string host = printable(facts.host.empty() ? facts.name : facts.host);
  const bool two = pane.rows() > 1;
  std::size_t at = pane.put(0, 0, host, {.hue = Hue::accent, .bold = true});
  if (!two) return draw_state(pane, scene, at + 2, elapsed);
  if (!facts.address.is_unspecified() && host != address) at += pane.put(0, at, fmt::format(" ({})", address));
  at += pane.put(0, at, "  " + protocol_and_port(facts));
  const IpAddress source = scene.tally.flows().empty() ? IpAddress() : scene.tally.flows().front().source;
  const std::string from = source.is_unspecified() ? "" : "  from " + source.to_string();
  if (at + from.size() <= pane.columns()) at += pane.put(0, at, from, {.hue = Hue::muted});
  if (at + 2 + width_of(program_) <= pane.columns())
    pane.put_right(0, 0, pane.columns(), program_, {.hue = Hue::muted});
  draw_state(pane.part(1, 0, 1, pane.columns()), scene, 0, elapsed);
}

/// What goes on, what matters most first: at 20 columns the end is cut.
void LiveView::draw_state(Pane pane, const Scene& scene, std::size_t at, Duration elapsed) const {
  const auto put = [&](std::string_view words, Style style = {}) {
    if (at > 0 && at + width_of(words) > pane.columns()) return;
    at += pane.put(0, at, words, style) + 2;
  };
  if (paused()) put("PAUSED", {.hue = Hue::warning, .bold = true, .reverse = true});
  if (!moment_.empty()) put(moment_, {.hue = Hue::accent, .bold = true});
  put(clock(elapsed));
  put(counted(scene.tally.flows().size(), "flow", "flows"));
  put(counted(scene.tally.paths(), "path", "paths"));
  put(counted(scene.tally.rounds(), "round", "rounds"));
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;
  std::uint64_t unsent = 0;
  std::uint64_t unjudged = 0;
  for (const FlowRow& flow : scene.tally.flows()) {
    sent += flow.tally.end_to_end().sent();
    lost += flow.tally.end_to_end().losses();
    unsent += flow.tally.end_to_end().send_failures();
    unjudged += flow.tally.end_to_end().unjudged();
  }
  const double ratio = sent == 0 ? 0 : static_cast<double>(lost) / static_cast<double>(sent);
  if (sent > 0) put(fmt::format("loss {} %", percent(ratio)), loss_style(ratio));
  stamp::OnewayCounts oneway;
  for (const FlowRow& flow : scene.tally.flows())
    if (flow.tally.oneway() != nullptr) oneway += flow.tally.oneway()->counts;
  const auto put_direction = [&](std::string_view name, std::uint64_t of, std::uint64_t packets) {
    if (packets == 0) return;
    const double share = static_cast<double>(of) / static_cast<double>(packets);
    put(fmt::format("{} {} %", name, percent(share)), loss_style(share));
  };
  put_direction("forward", oneway.forward, oneway.resolved);
  put_direction("reverse", oneway.reverse, oneway.reached());
  put_direction("unresolved", oneway.unresolved, oneway.round_trips);
  if (unjudged > 0) put(fmt::format("{} not judged", count(unjudged)), {.hue = Hue::muted});
  if (unsent > 0) put(fmt::format("{} not sent", count(unsent)), {.hue = Hue::warning, .bold = true});
  if (const auto& search = scene.tally.search()) {
    const bool first = search->searching && search->finished == 0;
    put(first                   ? render::search_text(*search)
        : search->coverage >= 0 ? fmt::format("coverage {:.1f} %", std::floor(1000 * search->coverage) / 10)
                                : std::string("coverage unknown"),
        {.hue = first ? Hue::accent : Hue::muted});
    if (!search->per_packet.empty()) put("balanced per packet", {.hue = Hue::warning});
  }
  if (scene.tally.left_out() > 0) put("more flows than are shown", {.hue = Hue::warning});
  if (!search_.empty() && !typing_) {
    put(fmt::format("only \"{}\": {}", search_, counted(matching_flows(scene).size(), "flow", "flows")),
        {.hue = Hue::accent, .bold = true});
  }
  constexpr std::string_view kUnit = "times in ms";
  if (at + kUnit.size() <= pane.columns()) pane.put_right(0, 0, pane.columns(), kUnit, {.hue = Hue::muted});
}

void LiveView::draw_views(Pane pane, const Scene& scene) {
  const std::size_t rows = pane.rows();
  page_ = rows - std::min<std::size_t>(rows, 2);
  if (view_ == View::fan) return fan_.draw(pane, scene);
  const std::vector<const FlowRow*> flows = summary_.rows(scene);
  const FlowRow* const flow = chosen_row(scene);
  const std::uint32_t chosen = flow == nullptr ? chosen_ : flow->index;
  if (rows < kLeastForBoth) {
    view_ == View::summary ? summary_.draw(pane, scene, flows, chosen, true) : detail_.draw(pane, scene, flow, true);
    return;
  }
  // Each gets what it needs; if that is too much, the hops what they need up to half of the screen, or two thirds while
  // keys go to them.
  const std::size_t needed_above = 1 + std::max<std::size_t>(flows.size(), 1);
  const std::size_t needed_below = DetailView::rows_needed(scene, flow);
  const std::size_t share = view_ == View::detail ? rows * 2 / 3 : rows / 2;
  std::size_t above = needed_above;
  if (needed_above + 1 + needed_below > rows) {
    const std::size_t below =
        std::max({std::min(needed_below, share), rows - std::min(rows, needed_above + 1), kLeastForDetail});
    above = rows - std::min(rows, below + 1);
  }
  const std::size_t below = rows - std::min(rows, above + 1);
  summary_.draw(pane.part(0, 0, above, pane.columns()), scene, flows, chosen, view_ == View::summary);
  detail_.draw(pane.part(above + 1, 0, below, pane.columns()), scene, flow, view_ == View::detail);
  if (flows.size() + 1 > above)
    pane.put(above, 0, "  " + counted(flows.size() + 1 - above, "more flow", "more flows"), {.hue = Hue::muted});
  page_ = (view_ == View::summary ? above : below) - 2;
}

void LiveView::draw_bottom(Pane pane, std::size_t row) const {
  if (typing_) {
    std::size_t at = pane.put(row, 0, "search: ", {.hue = Hue::accent, .bold = true});
    at += pane.put(row, at, search_);
    pane.put(row, at, "_", {.reverse = true});
    pane.put(row, at + 3, "port, path, address or name; Enter keeps, Esc ends", {.hue = Hue::muted});
  } else if (!notice_.empty()) {
    pane.put(row, 0, notice_, {.hue = Hue::warning, .bold = true});
  } else {
    draw_hints(pane, row, replay_);
  }
}

}  // namespace ecmp::tui
