#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "path/localisation/localisation.hpp"
#include "path/localisation/localisation_time.hpp"

namespace ecmp {
namespace {

/// Of one destination, some minutes of a total outage of many flows: then the newer half is kept.
constexpr std::size_t kMostLosses = 8192;
/// Of one flow: doublings of the windows that are kept, on some paths.
constexpr std::size_t kMostPast = 12;
/// Losses of one path in one window that need no other window to be seen: with ten links that is what a verdict takes
/// (docs/reality.md, "Loss beside a limit").
constexpr std::uint32_t kSeenByItself = 5;
/// Losses by which a ratio is known somehow.
constexpr double kSomeLosses = 3;

}  // namespace

void Localisation::note_loss(Destination& destination, const LossMoment& loss) {
  auto& losses = destination.losses;
  if (losses.size() >= kMostLosses)
    losses.erase(losses.begin(), losses.begin() + static_cast<std::ptrdiff_t>(losses.size() / 2));
  losses.push_back(loss);
}

void Localisation::LossesByWindow::add(std::uint16_t in) {
  if (in != window) {
    before = of(static_cast<std::uint16_t>(in - 1));
    newest = 0;
    window = in;
  }
  ++newest;
}

std::uint32_t Localisation::LossesByWindow::of(std::uint16_t in) const {
  if (in == window) return newest;
  return in == static_cast<std::uint16_t>(window - 1) ? before : 0;
}

void Localisation::count_round(Destination& destination, const HeldRound& round, std::uint32_t path) const {
  Flow& flow = destination.flows[round.flow];
  if (!flow.cells.empty() && flow.cells.back().part != round.part) retire(destination, flow, destination.part);
  auto& cells = flow.cells;
  if (cells.empty() || cells.back().part != round.part || cells.back().path != path)
    cells.push_back({round.part, path, 0, 0});
  ++cells.back().probes;
  if (!round.lost) return;
  ++cells.back().losses;
  destination.paths[path].losses.add(static_cast<std::uint16_t>(round.part / WindowScale::kParts));
  note_loss(destination, {round.at, static_cast<std::uint16_t>(round.flow), static_cast<std::uint16_t>(path)});
}

/// What waited to be known belongs where the flow is now.
void Localisation::settle_held(Destination& destination, std::uint32_t flow, std::uint32_t path) const {
  for (const HeldRound& round : destination.held) {
    if (round.flow != flow) continue;
    take_round(destination, round, path);
    ++destination.paths[path].end.probes[0];
    destination.paths[path].end.answers[0] += round.lost ? 0u : 1u;
  }
  std::erase_if(destination.held, [flow](const HeldRound& round) { return round.flow == flow; });
}

/// Cells that have left the window become those of whole windows; two that are equally long and follow each other one
/// of twice the length, when there is another of that length already: so few stand for a long time. Those of a window
/// that showed a fault of their path by itself are dropped, and those of a fault that is over.
void Localisation::retire(const Destination& destination, Flow& flow, std::uint32_t part) const {
  const auto left = [&](const Cell& cell) { return !is_live(cell.part, part); };
  for (const Cell& cell : flow.cells) {
    if (!left(cell)) continue;
    const auto window = static_cast<std::uint16_t>(cell.part / WindowScale::kParts);
    const Path& of = destination.paths[cell.path];
    if (of.settled && age(*of.settled, part) <= age(cell.part, part)) continue;
    if (of.losses.of(window) >= kSeenByItself) continue;
    const auto path = static_cast<std::uint16_t>(cell.path);
    const auto add = [](std::uint16_t to, std::uint32_t more) {
      return static_cast<std::uint16_t>(std::min<std::uint32_t>(to + more, UINT16_MAX));
    };
    auto& past = flow.past;
    if (!past.empty() && past.back().window == window && past.back().path == path && past.back().windows == 1) {
      past.back().losses = add(past.back().losses, cell.losses);
      past.back().probes += cell.probes;
      continue;
    }
    past.push_back({window, 1, path, add(0, cell.losses), cell.probes});
    for (std::size_t end = past.size(); end >= 3; end -= 2) {
      PastCell& older = past[end - 3];
      const PastCell newer = past[end - 2];
      if (past[end - 1].windows != newer.windows || newer.windows != older.windows || newer.path != older.path) break;
      older.losses = add(older.losses, newer.losses);
      older.probes += newer.probes;
      older.windows = static_cast<std::uint16_t>(newer.window - older.window + older.windows);
      older.window = newer.window;
      past.erase(past.begin() + static_cast<std::ptrdiff_t>(end - 2));
    }
    if (past.size() > kMostPast) past.erase(past.begin());
  }
  std::erase_if(flow.cells, left);
  const auto window = static_cast<std::uint16_t>(part / WindowScale::kParts);
  std::erase_if(flow.past,
                [&](const PastCell& cell) { return static_cast<std::uint16_t>(window - cell.window) > kLongWindows; });
}

/// A fault that is over, and was seen: what it lost is no evidence of any other.
void Localisation::settle(const LinkVerdict& over, std::uint32_t part) {
  for (auto& [name, destination] : destinations_) {
    for (std::uint32_t i = 0; i < destination.paths.size(); ++i) {
      Path& path = destination.paths[i];
      const std::vector<IpAddress> nodes = nodes_of(destination, path, *path.responders);
      bool crosses = false;
      for (std::size_t n = 0; n + 1 < nodes.size(); ++n)
        crosses = crosses || std::ranges::find(over.links, LinkEnds{nodes[n], nodes[n + 1]}) != over.links.end();
      if (!crosses) continue;
      path.settled = part;
      for (Flow& flow : destination.flows)
        std::erase_if(flow.past, [i](const PastCell& cell) { return cell.path == i; });
    }
  }
}

/// The losses on these paths in their order. Within the window each has its moment; of windows before it is known how
/// many there were.
LossCourse Localisation::course_of(const std::vector<std::pair<const Destination*, std::uint32_t>>& paths,
                                   Reach reach) const {
  const double now = in_seconds(now_.time_since_epoch());
  const double length = in_seconds(scale_.part_length());
  const std::uint32_t part = scale_.part(now_);
  const double part_begin = std::floor(now / length) * length;
  constexpr std::size_t kPast = kLongWindows + 1;
  std::vector<double> by_window(kPast);  // the newest first
  std::vector<double> losses_by_window(kPast);
  std::vector<double> by_part(WindowScale::kParts);
  std::vector<double> moments;
  std::set<const Destination*> destinations;
  for (const auto& [destination, path] : paths)
    destinations.insert(destination);
  const auto window = static_cast<std::uint16_t>(part / WindowScale::kParts);
  for (const Destination* const destination : destinations) {
    std::vector<bool> over(destination->paths.size());
    for (const auto& [of, path] : paths)
      if (of == destination) over[path] = true;
    for (const Flow& flow : destination->flows) {
      for (const Cell& cell : flow.cells)
        if (over[cell.path] && age(cell.part, part) < WindowScale::kParts) by_part[age(cell.part, part)] += cell.probes;
      for (const PastCell& cell : flow.past) {
        if (!over[cell.path]) continue;
        for (std::size_t i = 0; i < cell.windows; ++i) {
          const auto behind = static_cast<std::uint16_t>(window - cell.window) + i;
          if (behind >= kPast) break;
          by_window[behind] += static_cast<double>(cell.probes) / cell.windows;
          losses_by_window[behind] += static_cast<double>(cell.losses) / cell.windows;
        }
      }
    }
    for (const LossMoment& loss : destination->losses)
      if (over[loss.path]) moments.push_back(now - static_cast<double>(hundredths(now_) - loss.at) / 100);
  }
  LossCourse course;
  const double window_begin = part_begin - (WindowScale::kParts - 1) * length;
  if (reach == Reach::all) {
    const double whole = WindowScale::kParts * length;
    for (std::size_t i = kPast; i-- > 0;) {
      // Windows are numbered from the epoch on; what has left the newest one lies before it, whatever its number.
      const double end = window_begin - static_cast<double>(i) * whole;
      course.add_probes(end - whole, end, by_window[i]);
      const auto losses = static_cast<std::size_t>(std::lround(losses_by_window[i]));
      for (std::size_t k = 0; k < losses; ++k)
        moments.push_back(end - whole * (static_cast<double>(k) + 0.5) / static_cast<double>(losses));
    }
  }
  for (std::size_t i = WindowScale::kParts; i-- > 0;) {
    const double begin = part_begin - static_cast<double>(i) * length;
    course.add_probes(begin, i == 0 ? now : begin + length, by_part[i]);
  }
  course.set_losses(std::move(moments));
  return course;
}

/// When a probe left whose round was lost at that moment, in seconds of our time.
WallTime Localisation::left_at(const Destination& destination, double moment) const {
  return WallTime(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(moment)) + wall_offset_ -
                  destination.patience);
}

/// Since when the link loses, and how much from then on: what was before does not dilute it.
void Localisation::date(const Map& map, const Crossings& collapsed, const Explanation& explanation,
                        const ExplainedLink& found, Reach reach, LinkVerdict& verdict) const {
  const auto other_loss = [&](std::uint32_t row) {
    double passes = 1;
    for (const ExplainedLink& other : explanation.links) {
      if (!other.blamed || other.link == found.link) continue;
      const auto crossed = collapsed.links_of(row);
      if (std::ranges::find(crossed, other.link) != crossed.end()) passes *= 1 - other.loss;
    }
    return 1 - passes;
  };
  // Paths that no other link is blamed for speak for themselves, if they say anything.
  std::vector<std::pair<const Destination*, std::uint32_t>> alone;
  std::vector<std::pair<const Destination*, std::uint32_t>> all;
  double losses_alone = 0;
  double probes = 0;
  double lost_elsewhere = 0;
  for (const std::uint32_t row : collapsed.rows_of(found.link)) {
    const RowOrigin& origin = map.origins[row];
    const double elsewhere = other_loss(row);
    const auto row_probes = static_cast<double>(collapsed.row(row).probes);
    probes += row_probes;
    lost_elsewhere += elsewhere * row_probes;
    all.emplace_back(origin.destination, origin.path);
    if (elsewhere > 0) continue;
    alone.emplace_back(origin.destination, origin.path);
    losses_alone += static_cast<double>(collapsed.row(row).losses);
  }
  const bool enough = losses_alone >= kSomeLosses;
  const LossPhase phase = newest_phase(course_of(enough ? alone : all, reach), options_.min_loss);
  if (phase.probes <= 0) return;
  const double elsewhere = enough || probes <= 0 ? 0 : lost_elsewhere / probes;
  const auto own = [&](double loss) {
    return std::clamp((loss - elsewhere) / (1 - std::min(elsewhere, 0.999)), 0.0, 1.0);
  };
  verdict.loss = own(phase.loss);
  verdict.interval = {own(phase.interval.low), own(phase.interval.high)};
  verdict.losses = static_cast<std::uint64_t>(std::lround(phase.losses));
  verdict.probes = static_cast<std::uint64_t>(std::lround(phase.probes));
  const auto wall = [&](double moment) { return left_at(*all.front().first, moment); };
  if (phase.lossy_began) verdict.began = wall(phase.lossy_since);
  if (!phase.ended) return;
  verdict.ended = wall(phase.end);
  verdict.blamed = false;
}

/// Links that the window alone does not blame, since too few probes cross them or too few are lost.
void Localisation::look_back(std::uint32_t part, LocalisationReport& report) {
  if (part != std::exchange(looked_back_, part)) {
    long_links_.clear();
    LocalisationReport back;
    const Map map = draw_map(Reach::all);
    if (map.losses > report.losses) explain(map, Reach::all, back);
    for (LinkVerdict& verdict : back.links)
      if (verdict.blamed) long_links_.push_back(std::move(verdict));
  }
  for (const LinkVerdict& verdict : long_links_) {
    const auto same = [&](const LinkVerdict& known) {
      return std::ranges::find_first_of(known.links, verdict.links) != known.links.end();
    };
    const auto known = std::ranges::find_if(report.links, same);
    // What the window says of a link is newer: it is blamed already, or no longer.
    if (known != report.links.end() && (known->blamed || known->ended != WallTime{})) continue;
    if (known != report.links.end()) report.links.erase(known);
    report.links.insert(report.links.begin(), verdict);
  }
  if (report.links.size() > options_.worst_links) report.links.resize(options_.worst_links);
}

}  // namespace ecmp
