#include "path/localisation/directed_localisation.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "path/localisation/localisation_time.hpp"

namespace ecmp {
namespace {

/// As of Localisation: passes in a row that begin a verdict, and that end it.
constexpr int kBeginPasses = 2;
constexpr int kEndPasses = 3;
/// Of one destination: whatever a reflector says, no more are remembered.
constexpr std::size_t kMostWays = 1024;
/// A link may be dated by flows that cross no other suspected one if they lost so much.
constexpr std::uint64_t kEnoughAlone = 5;
/// Of losses between two rounds of a flow.
constexpr std::uint32_t kMostMoments = 1024;
constexpr double kGoldenRatio = 0.6180339887498949;

std::uint32_t capped(std::uint64_t count) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, 1u << 30));
}

std::vector<IpAddress> joined(const IpAddress& first, const std::vector<IpAddress>& between, const IpAddress& last) {
  std::vector<IpAddress> nodes{first};
  nodes.insert(nodes.end(), between.begin(), between.end());
  if (nodes.back() != last) nodes.push_back(last);
  return nodes;
}

}  // namespace

DirectedLocalisation::DirectedLocalisation(const LocalisationOptions& options)
    : options_(options), scale_(options.window) {}

void DirectedLocalisation::set_options(const LocalisationOptions& options) {
  if (options.window != options_.window) {
    scale_ = WindowScale(options.window);
    destinations_.clear();
  }
  options_ = options;
}

void DirectedLocalisation::keep_only(const std::set<std::string_view>& names) {
  std::erase_if(destinations_, [&](const auto& entry) { return !names.contains(entry.first); });
}

void DirectedLocalisation::on_round(const RoundRecord& record) {
  if (record.oneway == nullptr || record.source.is_unspecified()) return;
  Destination& destination = destinations_[record.destination->name];
  destination.facts = record.destination;
  if (destination.flows.size() <= record.flow_index) destination.flows.resize(record.flow_index + 1u);
  const stamp::OnewayCounts& counts = record.oneway->flow.counts;
  if (counts.resolved == 0) return;
  const auto& responders = record.verdict.responders;
  // Which path a round of a flow that may be moving belongs to is known later: what it lost says nothing of links.
  if (responders != nullptr && record.verdict.path != 0 && !record.verdict.unconfirmed) {
    count(destination, record, joined(record.source, *responders, record.destination->address), OneWay::forward,
          counts.resolved, counts.forward);
  }
  if (const auto& back = record.oneway->flow.reverse_routers; back != nullptr && counts.reached() > 0) {
    count(destination, record, joined(record.destination->address, *back, record.source), OneWay::reverse,
          counts.reached(), counts.reverse);
  }
}

void DirectedLocalisation::count(Destination& destination, const RoundRecord& record, std::vector<IpAddress> nodes,
                                 OneWay direction, std::uint64_t packets, std::uint64_t losses) const {
  const Instant finished = record.round.finished;
  const std::uint32_t part = scale_.part(finished);
  auto way = std::ranges::find_if(
      destination.ways, [&](const Way& known) { return known.direction == direction && known.nodes == nodes; });
  if (way == destination.ways.end()) {
    if (destination.ways.size() >= kMostWays) forget_old(destination, part);
    if (destination.ways.size() >= kMostWays) return;
    destination.ways.push_back({.nodes = std::move(nodes), .direction = direction, .first = part, .part = part});
    way = destination.ways.end() - 1;
  }
  way->part = part;
  const auto number = static_cast<std::uint32_t>(way - destination.ways.begin());
  std::vector<Cell>& cells = destination.flows[record.flow_index];
  std::erase_if(cells, [&](const Cell& cell) { return !is_live(cell.part, part); });
  auto cell = std::ranges::find_if(cells, [&](const Cell& one) { return one.part == part && one.way == number; });
  if (cell == cells.end()) cell = cells.insert(cells.end(), {.part = part, .way = number});
  cell->packets = capped(cell->packets + packets);
  cell->losses = capped(cell->losses + losses);
  if (losses == 0) return;
  std::erase_if(destination.losses, [&](const Losses& known) { return finished - known.until > options_.window; });
  destination.losses.push_back({.until = finished, .way = number, .count = capped(losses)});
}

/// Ways that no live cell is of.
void DirectedLocalisation::forget_old(Destination& destination, std::uint32_t part) const {
  constexpr std::uint32_t kGone = ~std::uint32_t{0};
  std::vector<std::uint32_t> moved(destination.ways.size(), kGone);
  std::uint32_t kept = 0;
  for (std::uint32_t i = 0; i < destination.ways.size(); ++i) {
    if (!is_live(destination.ways[i].part, part)) continue;
    if (kept != i) destination.ways[kept] = std::move(destination.ways[i]);
    moved[i] = kept++;
  }
  destination.ways.resize(kept);
  for (std::vector<Cell>& cells : destination.flows) {
    std::erase_if(cells, [&](const Cell& cell) { return !is_live(cell.part, part) || moved[cell.way] == kGone; });
    for (Cell& cell : cells)
      cell.way = moved[cell.way];
  }
  std::erase_if(destination.losses, [&](const Losses& known) { return moved[known.way] == kGone; });
  for (Losses& known : destination.losses)
    known.way = moved[known.way];
}

/// Where routers are asked in turn, hops become known one by one: as long as one is missing where others are known,
/// there is no saying which links packets cross. One that is missing for a window is a router that never answers.
bool DirectedLocalisation::is_known(const Destination& destination, const Way& way, std::uint32_t part) {
  if (age(way.first, part) >= WindowScale::kParts) return true;
  for (std::size_t i = 0; i < way.nodes.size(); ++i) {
    if (!way.nodes[i].is_unspecified()) continue;
    const bool elsewhere = std::ranges::any_of(destination.ways, [&](const Way& other) {
      return other.direction == way.direction && is_live(other.part, part) && other.nodes.size() > i &&
             !other.nodes[i].is_unspecified();
    });
    if (elsewhere) return false;
  }
  return true;
}

DirectedLocalisation::Map DirectedLocalisation::draw_map(std::uint32_t part) const {
  Map map;
  const auto links_of = [&map](const Way& way) {
    std::vector<std::uint32_t> links;
    for (std::size_t from = 0, to = 1; to < way.nodes.size(); ++to) {
      if (way.nodes[to].is_unspecified() || way.nodes[to] == way.nodes[from]) continue;
      const LinkEnds ends{way.nodes[from], way.nodes[to]};
      from = to;
      const auto [at, is_new] = map.numbers.try_emplace(ends, static_cast<std::uint32_t>(map.ends.size()));
      if (is_new) {
        map.ends.push_back(ends);
        map.directions.push_back(way.direction);
      }
      if (std::ranges::find(links, at->second) == links.end()) links.push_back(at->second);
    }
    return links;
  };
  struct Sum {
    std::uint64_t packets = 0;
    std::uint64_t losses = 0;
    std::uint32_t flows = 0;
  };
  for (const auto& [name, destination] : destinations_) {
    std::vector<bool> known;
    known.reserve(destination.ways.size());
    for (const Way& way : destination.ways)
      known.push_back(is_known(destination, way, part));
    std::map<std::uint32_t, Sum> clean;  // by way
    for (std::uint32_t flow = 0; flow < destination.flows.size(); ++flow) {
      std::map<std::uint32_t, Sum> by_way;
      for (const Cell& cell : destination.flows[flow]) {
        if (!is_live(cell.part, part) || !known[cell.way]) continue;
        by_way[cell.way].packets += cell.packets;
        by_way[cell.way].losses += cell.losses;
      }
      for (const auto& [way, sum] : by_way) {
        map.losses += sum.losses;
        if (sum.losses == 0) {
          clean[way].packets += sum.packets;
          ++clean[way].flows;
          continue;
        }
        map.crossings.add({.probes = sum.packets, .losses = sum.losses, .flows = 1}, links_of(destination.ways[way]));
        map.rows.push_back({&destination, flow, way});
      }
    }
    for (const auto& [way, sum] : clean) {
      map.crossings.add({.probes = sum.packets, .losses = 0, .flows = sum.flows}, links_of(destination.ways[way]));
      map.rows.push_back({&destination, 0, way});
    }
  }
  map.crossings.index();
  return map;
}

LinkVerdict DirectedLocalisation::verdict_of(const Map& map, const std::vector<std::uint32_t>& members,
                                             const Crossings& collapsed, const ExplainedLink& found) {
  LinkVerdict verdict = figures_of(found);
  verdict.direction = map.directions[members.front()];
  verdict.forward_consistent = verdict.direction == OneWay::forward;
  const auto rows = collapsed.rows_of(found.link);
  for (const std::uint32_t link : map.crossings.links_of(rows.front()))
    if (std::ranges::find(members, link) != members.end()) verdict.links.push_back(map.ends[link]);
  std::vector<std::uint32_t> lossy;
  for (const std::uint32_t row : rows)
    if (map.crossings.row(row).losses > 0) lossy.push_back(row);
  std::ranges::stable_sort(lossy, std::ranges::greater(),
                           [&](std::uint32_t row) { return map.crossings.row(row).losses; });
  if (lossy.size() > LinkVerdict::kMostWitnesses) lossy.resize(LinkVerdict::kMostWitnesses);
  for (const std::uint32_t row : lossy) {
    const Row& from = map.rows[row];
    verdict.reproduced_by.push_back({from.destination->facts, from.destination->facts->source_ports[from.flow],
                                     map.crossings.row(row).probes, map.crossings.row(row).losses});
  }
  return verdict;
}

/// Packets and losses on the ways of these rows, by time. Rows without losses stand for all flows on their way.
LossCourse DirectedLocalisation::course_of(const Map& map, std::span<const std::uint32_t> rows, Instant now) const {
  std::map<const Destination*, std::set<std::uint32_t>> ways;
  for (const std::uint32_t row : rows)
    ways[map.rows[row].destination].insert(map.rows[row].way);
  const std::uint32_t part = scale_.part(now);
  const double length = in_seconds(scale_.part_length());
  const double end = in_seconds(now.time_since_epoch());
  const double part_begin = std::floor(end / length) * length;
  std::vector<double> by_part(WindowScale::kParts);
  std::vector<double> moments;
  double place = 0;
  for (const auto& [destination, over] : ways) {
    for (const std::vector<Cell>& cells : destination->flows) {
      for (const Cell& cell : cells) {
        if (over.contains(cell.way) && age(cell.part, part) < WindowScale::kParts)
          by_part[age(cell.part, part)] += cell.packets;
      }
    }
    const double interval = in_seconds(destination->facts->interval);
    for (const Losses& lost : destination->losses) {
      if (!over.contains(lost.way)) continue;
      for (std::uint32_t i = 0; i < std::min(lost.count, kMostMoments); ++i) {
        // Any moment between two rounds, evenly over all losses: those of many flows at once would look like a burst.
        place = std::fmod(place + kGoldenRatio, 1);
        moments.push_back(in_seconds(lost.until.time_since_epoch()) - interval * place);
      }
    }
  }
  // Packets were sent before the round that they are counted with ended, half an interval on average.
  double before = 0;
  for (const auto& [destination, over] : ways)
    before = std::max(before, in_seconds(destination->facts->interval) / 2);
  LossCourse course;
  for (std::size_t i = WindowScale::kParts; i-- > 0;) {
    const double begin = part_begin - static_cast<double>(i) * length - before;
    course.add_probes(begin, i == 0 ? end : begin + length, by_part[i]);
  }
  course.set_losses(std::move(moments));
  return course;
}

/// Since when the link loses, and how much from then on: what was before does not dilute it. Flows that another link is
/// blamed for as well say nothing of when, where others speak for this one alone.
void DirectedLocalisation::date(const Map& map, const Crossings& collapsed, const Explanation& explanation,
                                const ExplainedLink& found, Instant now, LinkVerdict& verdict, WallTime wall) const {
  std::vector<std::uint32_t> alone;
  std::uint64_t losses_alone = 0;
  const auto rows = collapsed.rows_of(found.link);
  for (const std::uint32_t row : rows) {
    const auto crossed = collapsed.links_of(row);
    const bool shared = std::ranges::any_of(explanation.links, [&](const ExplainedLink& other) {
      return other.blamed && other.link != found.link && std::ranges::find(crossed, other.link) != crossed.end();
    });
    if (shared) continue;
    alone.push_back(row);
    losses_alone += collapsed.row(row).losses;
  }
  const bool is_alone = alone.size() == rows.size();
  if (!is_alone && losses_alone < kEnoughAlone) return;
  const LossPhase phase = newest_phase(course_of(map, alone, now), options_.min_loss);
  if (phase.probes <= 0) return;
  verdict.loss = phase.loss;
  verdict.interval = phase.interval;
  verdict.losses = static_cast<std::uint64_t>(std::lround(phase.losses));
  verdict.probes = static_cast<std::uint64_t>(std::lround(phase.probes));
  const double end = in_seconds(now.time_since_epoch());
  const auto at = [&](double moment) {
    return wall - std::chrono::duration_cast<Duration>(std::chrono::duration<double>(end - moment));
  };
  if (phase.lossy_began) verdict.began = at(phase.lossy_since);
  if (!phase.ended) return;
  verdict.ended = at(phase.end);
  verdict.blamed = false;
}

std::vector<LinkVerdict> DirectedLocalisation::pass(Instant now, WallTime wall) {
  const std::uint32_t part = scale_.part(now);
  std::vector<LinkVerdict> verdicts;
  if (const Map map = draw_map(part); map.losses > 0) {
    const LinkGroups groups = group_links(map.crossings);
    const Crossings collapsed = collapse(map.crossings, groups);
    const Explanation explanation =
        explain_losses(collapsed, {.tolerated_loss = options_.min_loss, .most_links = options_.worst_links});
    for (const ExplainedLink& found : explanation.links) {
      if (verdicts.size() == options_.worst_links) break;
      if (!found.blamed && found.loss < options_.min_loss) continue;
      verdicts.push_back(verdict_of(map, groups.members[found.link], collapsed, found));
      if (found.blamed) date(map, collapsed, explanation, found, now, verdicts.back(), wall);
    }
    std::ranges::stable_sort(verdicts, std::ranges::greater(), &LinkVerdict::blamed);
  }
  watch(verdicts, wall);
  return verdicts;
}

/// A link that loses no more is among the verdicts with the end of it.
void DirectedLocalisation::note_end(Watched& watched, const std::vector<LinkVerdict>& verdicts) {
  const auto over = std::ranges::find_if(verdicts, [&](const LinkVerdict& verdict) {
    return verdict.ended != WallTime{} && verdict.direction == watched.verdict->direction &&
           std::ranges::find_first_of(verdict.links, watched.verdict->links) != verdict.links.end();
  });
  if (over == verdicts.end()) return;
  LinkVerdict ended = *over;
  if (watched.verdict->began != WallTime{}) ended.began = watched.verdict->began;
  watched.verdict = std::make_shared<const LinkVerdict>(std::move(ended));
}

void DirectedLocalisation::watch(std::vector<LinkVerdict>& verdicts, WallTime wall) {
  std::vector<bool> met(verdicts.size());
  for (Watched& watched : watched_) {
    std::size_t at = 0;
    while (at < verdicts.size() &&
           (met[at] || !verdicts[at].blamed || verdicts[at].direction != watched.verdict->direction ||
            std::ranges::find_first_of(verdicts[at].links, watched.verdict->links) == verdicts[at].links.end()))
      ++at;
    if (at == verdicts.size()) {
      ++watched.missed;
      note_end(watched, verdicts);
      continue;
    }
    met[at] = true;
    // It began when it was first seen to, although that has left the window by now.
    const WallTime known = watched.verdict->began;
    if (known != WallTime{} && (verdicts[at].began == WallTime{} || known < verdicts[at].began))
      verdicts[at].began = known;
    watched.missed = 0;
    ++watched.seen;
    watched.verdict = std::make_shared<const LinkVerdict>(verdicts[at]);
  }
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    if (!met[i] && verdicts[i].blamed)
      watched_.push_back({std::make_shared<const LinkVerdict>(verdicts[i]), wall, 1, 0, false});
  }
  std::erase_if(watched_, [&](Watched& watched) {
    const bool over = watched.missed >= (watched.reported ? kEndPasses : 1);
    if (watched.reported ? over : watched.seen >= kBeginPasses && watched.missed == 0) {
      PathEvent event;
      event.kind = EventKind::loss_verdict;
      event.time = wall;
      event.settled = watched.begun;
      event.ended = watched.reported;
      event.detail = detail_of(*watched.verdict);
      events_.push_back(std::make_shared<const PathEvent>(std::move(event)));
      watched.reported = true;
    }
    return over;
  });
}

}  // namespace ecmp
