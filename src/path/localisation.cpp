#include "path/localisation.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

namespace ecmp {
namespace {

/// A part of the window is one tenth of it; half a window is what a hop is judged over at least.
constexpr std::uint32_t kHalf = WindowScale::kParts / 2;
/// Somebody else who answers so often at a hop of a path stands there as well.
constexpr std::uint32_t kOftenElse = 8;
constexpr std::uint32_t kOneInElse = 10;
/// Passes in a row that begin a verdict, and that end it: estimates sway, and nobody wants to hear of each time.
constexpr int kBeginPasses = 2;
constexpr int kEndPasses = 3;
/// Paths of one destination that are looked at.
constexpr std::size_t kMostPaths = 1024;
/// Explanations of one pass: hops may contradict one, then the next best is looked for.
constexpr int kMostExplanations = 4;

/// How far `part` is behind `now`. Numbers of parts wrap around.
std::uint32_t age(std::uint32_t part, std::uint32_t now) {
  return (now - part) & WindowScale::kPartMask;
}

bool is_live(std::uint32_t part, std::uint32_t now) {
  const std::uint32_t behind = age(part, now);
  return behind < WindowScale::kParts || behind > WindowScale::kPartMask / 2;
}

PathEvent finding(EventKind kind, WallTime time, WallTime begun, bool ended) {
  PathEvent event;
  event.kind = kind;
  event.time = time;
  event.settled = begun;
  event.ended = ended;
  return event;
}

}  // namespace

Localisation::Localisation(const LocalisationOptions& options)
    : options_(options), scale_(options.window), delays_({.period = options.window / 2}) {}

void Localisation::set_options(const LocalisationOptions& options) {
  if (options.window != options_.window) {
    // Parts are numbered by their length: what was counted would stand at another time.
    scale_ = WindowScale(options.window);
    destinations_.clear();
    delays_.set_options({.period = options.window / 2});
  }
  options_ = options;
}

void Localisation::keep_only(const std::set<std::string_view>& names) {
  std::erase_if(destinations_, [&](const auto& entry) { return !names.contains(entry.first); });
}

Localisation::Path* Localisation::path_of(Destination& destination, const RoundRecord& record, std::uint32_t& index) {
  const std::uint32_t id = record.verdict.path;
  const std::uint16_t port = id == 0 ? record.source_port : std::uint16_t{0};
  auto at = std::ranges::find_if(destination.paths,
                                 [&](const Path& path) { return path.id == id && path.source_port == port; });
  if (at == destination.paths.end()) {
    if (destination.paths.size() >= kMostPaths) return nullptr;
    destination.paths.emplace_back();
    at = destination.paths.end() - 1;
    at->id = id;
    at->source_port = port;
  }
  if (at->responders != record.verdict.responders) {
    at->responders = record.verdict.responders;
    at->hops.resize(at->responders->size());
  }
  at->source = record.source;
  at->complete = at->complete || record.round.distance > 0;
  index = static_cast<std::uint32_t>(at - destination.paths.begin());
  return &*at;
}

/// Whether somebody else answers than the path says. What such a round lost may be lost anywhere: the flow has moved
/// (which takes a second round to confirm), or its packets alternate.
bool Localisation::astray(const Path& path, const Round& round) {
  const auto& known = *path.responders;
  for (const HopResult& hop : round.hops) {
    if (hop.outcome != HopOutcome::replied || hop.ttl == 0 || hop.ttl > known.size()) continue;
    const IpAddress& expected = known[hop.ttl - 1u];
    if (!expected.is_unspecified() && hop.responder != expected &&
        path.hops[hop.ttl - 1u].others * kOneInElse < path.rounds)
      return true;
  }
  return false;
}

void Localisation::count_hops(Path& path, const Round& round) {
  ++path.end.probes[0];
  path.end.answers[0] += round.reached() ? 1u : 0u;
  const auto count = [](HopCount& at, bool answered) {
    ++at.probes[0];
    at.answers[0] += answered ? 1u : 0u;
  };
  for (const HopResult& hop : round.hops) {
    if (hop.ttl == 0 || hop.ttl > path.hops.size() || says_nothing(hop.outcome)) continue;
    count(path.hops[hop.ttl - 1u], hop.outcome == HopOutcome::replied);
  }
}

void Localisation::on_round(const RoundRecord& record) {
  const Round& round = record.round;
  if (record.verdict.responders == nullptr || !round.counts()) return;
  Destination& destination = destinations_[record.destination->name];
  if (destination.facts != record.destination) {
    const bool same = destination.facts != nullptr && destination.facts->address == record.destination->address &&
                      destination.facts->first_source_port == record.destination->first_source_port &&
                      destination.facts->protocol == record.destination->protocol;
    if (!same) destination = {};
    destination.facts = record.destination;
    destination.flows.resize(destination.facts->flows);
  }
  if (record.flow_index >= destination.flows.size()) return;
  const std::uint32_t part = scale_.part(round.finished);
  destination.part = part;
  std::uint32_t index = 0;
  Path* const found = path_of(destination, record, index);
  if (found == nullptr) return;
  Path& path = *found;
  path.part = part;
  ++path.rounds;
  if (const std::uint32_t half = part / kHalf; half != path.half) {
    for (HopCount& hop : path.hops)
      hop.age();
    path.end.age();
    path.half = half;
  }
  const bool counts = !astray(path, round);
  const auto& known = *path.responders;
  for (const HopResult& hop : round.hops) {
    if (hop.outcome != HopOutcome::replied || hop.ttl == 0 || hop.ttl > known.size()) continue;
    if (hop.responder != known[hop.ttl - 1u] && !known[hop.ttl - 1u].is_unspecified()) ++path.hops[hop.ttl - 1u].others;
  }
  if (!counts) {
    ++astray_;
    return;
  }
  count_hops(path, round);
  auto& cells = destination.flows[record.flow_index].cells;
  std::erase_if(cells, [&](const Cell& cell) { return !is_live(cell.part, part); });
  if (cells.empty() || cells.back().part != part || cells.back().path != index) cells.push_back({part, index, 0, 0});
  ++cells.back().probes;
  cells.back().losses += round.reached() ? 0u : 1u;
  add_delays(path, round);
}

/// Differences of RTTs to consecutive hops, and what is left to the destination from there.
void Localisation::add_delays(const Path& path, const Round& round) {
  if (!round.reached() || round.distance == 0 || round.distance > round.hops.size()) return;
  const HopResult& end = round.hops[round.distance - 1u];
  if (end.outcome != HopOutcome::replied) return;
  Duration near{};
  IpAddress from = path.source;
  bool known = true;
  for (std::size_t i = 0; i < round.distance; ++i) {
    const HopResult& hop = round.hops[i];
    const bool answered =
        hop.outcome == HopOutcome::replied && i < path.responders->size() && hop.responder == (*path.responders)[i];
    if (answered && known && from != hop.responder) delays_.add({from, hop.responder}, near, hop.rtt, end.rtt);
    known = answered;
    near = hop.rtt;
    from = hop.responder;
  }
}

/// The agent, the responders that are known for sure, and the destination at the end.
std::vector<IpAddress> Localisation::nodes_of(const Destination& destination, const Path& path) {
  std::vector<IpAddress> nodes{path.source};
  for (std::size_t i = 0; i < path.responders->size(); ++i) {
    const IpAddress& responder = (*path.responders)[i];
    const std::uint32_t others = path.hops[i].others;
    const bool shared = others >= kOftenElse && others * kOneInElse >= path.rounds;
    if (responder.is_unspecified() || shared || responder == nodes.back()) continue;
    nodes.push_back(responder);
  }
  if (!path.complete && nodes.back() != destination.facts->address) nodes.push_back(destination.facts->address);
  return nodes;
}

void Localisation::forget_old(std::uint32_t part) {
  std::erase_if(destinations_, [&](const auto& entry) { return !is_live(entry.second.part, part); });
  for (auto& [name, destination] : destinations_) {
    for (Flow& flow : destination.flows)
      std::erase_if(flow.cells, [&](const Cell& cell) { return !is_live(cell.part, part); });
    const auto old = [&](const Path& path) { return !is_live(path.part, part); };
    if (std::ranges::none_of(destination.paths, old)) continue;
    std::vector<std::uint32_t> moved(destination.paths.size());
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < destination.paths.size(); ++i) {
      moved[i] = kept;
      if (old(destination.paths[i])) continue;
      if (kept != i) destination.paths[kept] = std::move(destination.paths[i]);
      ++kept;
    }
    destination.paths.resize(kept);
    for (Flow& flow : destination.flows) {
      for (Cell& cell : flow.cells)
        cell.path = moved[cell.path];
    }
  }
}

void Localisation::add_rows(Map& map, const Destination& destination) {
  struct Sum {
    std::uint64_t probes = 0;
    std::uint64_t losses = 0;
    std::uint32_t flows = 0;
  };
  std::vector<std::vector<std::uint32_t>> links(destination.paths.size());
  const auto links_of = [&](std::uint32_t number) -> const std::vector<std::uint32_t>& {
    auto& of = links[number];
    if (!of.empty()) return of;
    const auto nodes = nodes_of(destination, destination.paths[number]);
    for (std::size_t i = 0; i + 1 < nodes.size(); ++i) {
      const LinkEnds ends{nodes[i], nodes[i + 1]};
      const auto [at, is_new] = map.numbers.try_emplace(ends, static_cast<std::uint32_t>(map.ends.size()));
      if (is_new) map.ends.push_back(ends);
      if (std::ranges::find(of, at->second) == of.end()) of.push_back(at->second);
    }
    return of;
  };
  std::vector<Sum> clean(destination.paths.size());
  for (std::uint32_t number = 0; number < destination.flows.size(); ++number) {
    std::map<std::uint32_t, Sum> by_path;
    for (const Cell& cell : destination.flows[number].cells) {
      Sum& sum = by_path[cell.path];
      sum.probes += cell.probes;
      sum.losses += cell.losses;
    }
    if (!by_path.empty()) ++map.flows;
    for (const auto& [path, sum] : by_path) {
      map.probes += sum.probes;
      map.losses += sum.losses;
      if (sum.losses == 0) {
        clean[path].probes += sum.probes;
        ++clean[path].flows;
        continue;
      }
      map.crossings.add({.probes = sum.probes, .losses = sum.losses, .flows = 1}, links_of(path));
      map.origins.push_back({&destination, number, path});
    }
  }
  for (std::uint32_t path = 0; path < clean.size(); ++path) {
    if (clean[path].probes == 0) continue;
    map.crossings.add({.probes = clean[path].probes, .losses = 0, .flows = clean[path].flows}, links_of(path));
    map.origins.push_back({&destination, 0, path});
  }
}

Localisation::Map Localisation::draw_map() const {
  Map map;
  for (const auto& [name, destination] : destinations_)
    add_rows(map, destination);
  map.crossings.index();
  return map;
}

std::shared_ptr<const LocalisationReport> Localisation::pass(Instant now, Duration wall_offset) {
  const std::uint32_t part = scale_.part(now);
  forget_old(part);
  auto report = std::make_shared<LocalisationReport>();
  report->time = WallTime(now.time_since_epoch() + wall_offset);
  const Map map = draw_map();
  report->flows = map.flows;
  report->probes = map.probes;
  report->losses = map.losses;
  report->links_known = static_cast<std::uint32_t>(map.ends.size());
  if (map.losses > 0) {
    explain(map, *report);
  }
  report->delays = delays_.pass(now);
  if (report->delays.size() > options_.worst_links) report->delays.resize(options_.worst_links);
  watch_losses(*report);
  watch_delays(*report);
  return report;
}

void Localisation::explain(const Map& map, LocalisationReport& report) const {
  const LinkGroups groups = group_links(map.crossings);
  const Crossings collapsed = collapse(map.crossings, groups);
  ExplanationOptions options{.tolerated_loss = options_.min_loss, .most_links = options_.worst_links};
  options.cleared.resize(groups.members.size());
  for (int turn = 1;; ++turn) {
    const Explanation explanation = explain_losses(collapsed, options);
    report.background = explanation.background;
    report.links.clear();
    bool again = false;
    for (const ExplainedLink& found : explanation.links) {
      if (report.links.size() == options_.worst_links) break;
      if (!found.blamed && found.loss < options_.min_loss) continue;
      report.links.push_back(tell(map, groups.members[found.link], collapsed, found));
      LinkVerdict& verdict = report.links.back();
      if (!verdict.blamed || !far_end_clears(map, collapsed, found, verdict)) continue;
      verdict.blamed = false;
      again = options.cleared[found.link] = true;
    }
    if (!again || turn == kMostExplanations) return;
  }
}

LinkVerdict Localisation::tell(const Map& map, const std::vector<std::uint32_t>& members, const Crossings& collapsed,
                               const ExplainedLink& found) const {
  LinkVerdict verdict;
  verdict.loss = found.loss;
  verdict.interval = found.interval;
  verdict.suspicion = found.suspicion;
  verdict.blamed = found.blamed;
  verdict.uneven = found.uneven;
  verdict.probes = found.probes;
  verdict.losses = found.losses;
  verdict.lossy_flows = found.lossy_flows;
  verdict.clean_flows = found.clean_flows;
  // In the order of a path that crosses them: that of the rows' links.
  for (const std::uint32_t link : map.crossings.links_of(collapsed.rows_of(found.link).front())) {
    if (std::ranges::find(members, link) != members.end()) verdict.links.push_back(map.ends[link]);
  }
  if (!found.blamed) return verdict;
  weigh_hops(map, collapsed, found, verdict);
  add_witnesses(map, collapsed, found, verdict);
  return verdict;
}

/// The flows that lose most over the link; and those of the same destinations that do not cross it and lose nothing.
void Localisation::add_witnesses(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                                 LinkVerdict& verdict) {
  const auto witness = [&](std::uint32_t row) {
    const RowOrigin& origin = map.origins[row];
    const auto port = static_cast<std::uint16_t>(origin.destination->facts->first_source_port + origin.flow);
    return WitnessFlow{origin.destination->facts, port, collapsed.row(row).probes, collapsed.row(row).losses};
  };
  std::set<std::uint32_t> over;
  std::set<const Destination*> destinations;
  for (const std::uint32_t row : collapsed.rows_of(found.link)) {
    over.insert(row);
    if (collapsed.row(row).losses == 0) continue;
    verdict.reproduced_by.push_back(witness(row));
    destinations.insert(map.origins[row].destination);
  }
  std::ranges::stable_sort(verdict.reproduced_by, std::greater{}, [](const WitnessFlow& flow) {
    return static_cast<double>(flow.losses) / static_cast<double>(flow.probes);
  });
  if (verdict.reproduced_by.size() > LinkVerdict::kMostWitnesses)
    verdict.reproduced_by.resize(LinkVerdict::kMostWitnesses);
  for (const Destination* const destination : destinations) {
    if (verdict.not_reproduced_by.size() == LinkVerdict::kMostWitnesses) break;
    std::set<std::uint32_t> paths_over;
    for (const std::uint32_t row : over)
      if (map.origins[row].destination == destination) paths_over.insert(map.origins[row].path);
    for (std::uint32_t flow = 0; flow < destination->flows.size(); ++flow) {
      const auto& cells = destination->flows[flow].cells;
      const bool clean = !cells.empty() && std::ranges::all_of(cells, [&](const Cell& cell) {
        return cell.losses == 0 && !paths_over.contains(cell.path);
      });
      if (!clean) continue;
      std::uint64_t probes = 0;
      for (const Cell& cell : cells)
        probes += cell.probes;
      const auto port = static_cast<std::uint16_t>(destination->facts->first_source_port + flow);
      verdict.not_reproduced_by.push_back({destination->facts, port, probes, 0});
      break;
    }
  }
}

/// A verdict goes on as long as one of its links is blamed: what flows can tell apart changes with their paths.
void Localisation::watch_losses(const LocalisationReport& report) {
  std::vector<bool> met(report.links.size());
  for (WatchedLoss& watched : watched_losses_) {
    std::size_t at = 0;
    while (at < report.links.size() &&
           (met[at] || !report.links[at].blamed ||
            std::ranges::find_first_of(report.links[at].links, watched.verdict->links) == report.links[at].links.end()))
      ++at;
    if (at == report.links.size()) {
      ++watched.missed;
      continue;
    }
    met[at] = true;
    watched.missed = 0;
    ++watched.seen;
    watched.verdict = std::make_shared<const LinkVerdict>(report.links[at]);
  }
  for (std::size_t i = 0; i < report.links.size(); ++i) {
    if (met[i] || !report.links[i].blamed) continue;
    watched_losses_.push_back({std::make_shared<const LinkVerdict>(report.links[i]), report.time, 1, 0, false});
  }
  std::erase_if(watched_losses_, [&](WatchedLoss& watched) {
    const bool over = watched.missed >= (watched.told ? kEndPasses : 1);
    if (watched.told ? over : watched.seen >= kBeginPasses && watched.missed == 0) {
      PathEvent event = finding(EventKind::loss_verdict, report.time, watched.begun, watched.told);
      event.loss = watched.verdict;
      events_.push_back(std::make_shared<const PathEvent>(std::move(event)));
      watched.told = true;
    }
    return over;
  });
}

/// These change with each period only: nothing to sway.
void Localisation::watch_delays(const LocalisationReport& report) {
  const auto find = [](auto& among, const LinkEnds& link) {
    return std::ranges::find(among, link, [](const DelayVerdict& verdict) { return verdict.link; });
  };
  const auto tell_event = [&](const DelayVerdict& verdict, WallTime begun, bool ended) {
    PathEvent event = finding(EventKind::delay_verdict, report.time, begun, ended);
    event.delay = std::make_shared<const DelayVerdict>(verdict);
    events_.push_back(std::make_shared<const PathEvent>(std::move(event)));
  };
  std::erase_if(watched_delays_, [&](const WatchedDelay& watched) {
    if (find(report.delays, watched.verdict.link) != report.delays.end()) return false;
    tell_event(watched.verdict, watched.begun, true);
    return true;
  });
  for (const DelayVerdict& verdict : report.delays) {
    const auto known = std::ranges::find(watched_delays_, verdict.link,
                                         [](const WatchedDelay& watched) { return watched.verdict.link; });
    if (known != watched_delays_.end()) {
      known->verdict = verdict;
      continue;
    }
    watched_delays_.push_back({verdict, report.time});
    tell_event(verdict, report.time, false);
  }
}

}  // namespace ecmp
