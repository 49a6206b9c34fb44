#include "path/localisation/localisation.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "path/localisation/localisation_time.hpp"

namespace ecmp {
namespace {

/// A part of the window is one tenth of it; half a window is what a hop is judged over at least.
constexpr std::uint32_t kHalf = WindowScale::kParts / 2;
/// Paths of one destination that are looked at.
constexpr std::size_t kMostPaths = 1024;
/// Explanations of one pass: hops may contradict one, then the next best is looked for.
constexpr int kMostExplanations = 4;
/// Paths of a destination that were not taken within the window, as long as there are no more of them.
constexpr std::ptrdiff_t kMostIdlePaths = 64;
/// Of one destination.
constexpr std::size_t kMostHeld = 4096;

}  // namespace

Localisation::Localisation(const LocalisationOptions& options)
    : options_(options), scale_(options.window), delays_({.period = options.window / 2}) {}

void Localisation::set_options(const LocalisationOptions& options) {
  if (options.window != options_.window) {
    // Parts are numbered by their length: what was counted would stand at another time.
    scale_ = WindowScale(options.window);
    for (auto& [name, destination] : destinations_) {
      Destination kept;
      kept.facts = std::move(destination.facts);
      kept.flows.resize(destination.flows.size());
      kept.part = scale_.part(now_);
      kept.answered = destination.answered;
      kept.run = destination.run;
      destination = std::move(kept);
    }
    delays_.set_options({.period = options.window / 2});
    long_links_.clear();
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
  const std::uint32_t lost = round.reached() ? 0 : 1;
  const auto count = [lost](HopCount& at, bool answered) {
    ++at.probes[0];
    at.answers[0] += answered ? 1u : 0u;
    at.lost_probes[0] += lost;
    at.lost_answers[0] += answered ? lost : 0;
  };
  for (const HopResult& hop : round.hops) {
    if (hop.ttl == 0 || hop.ttl > path.hops.size() || says_nothing(hop.outcome)) continue;
    count(path.hops[hop.ttl - 1u], hop.outcome == HopOutcome::replied && !hop.again);
  }
}

void Localisation::on_round(const RoundRecord& record) {
  const Round& round = record.round;
  if (record.verdict.responders == nullptr) return;
  if (!round.counts()) {
    on_unjudged(record);
    return;
  }
  Destination& destination = destinations_[record.destination->name];
  if (destination.facts != record.destination) {
    const bool same = destination.facts != nullptr && destination.facts->address == record.destination->address &&
                      destination.facts->source_ports.agrees(record.destination->source_ports) &&
                      destination.facts->protocol == record.destination->protocol;
    if (!same) destination = {};
    destination.facts = record.destination;
    destination.flows.resize(destination.facts->flows);
  }
  if (record.flow_index >= destination.flows.size()) return;
  const std::uint32_t part = scale_.part(round.finished);
  destination.part = part;
  destination.answered = destination.answered || round.reached();
  if (!round.reached() && round.started < destination.explained) return;
  note_answer(destination, record.flow_index, round);
  look_at_hops(destination, record);
  const HeldRound counted{record.flow_index, part, hundredths(round.finished), !round.reached()};
  if (!round.reached()) destination.patience = round.finished - round.started;
  if (record.verdict.unconfirmed) {
    note_quiet(destination, destination.flows[record.flow_index], round);
    if (destination.answered && destination.held.size() < kMostHeld) destination.held.push_back(counted);
    return;
  }
  std::uint32_t index = 0;
  Path* const found = path_of(destination, record, index);
  if (found == nullptr) return;
  if (!destination.held.empty()) settle_held(destination, record.flow_index, index);
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
  note_heard(destination, destination.flows[record.flow_index], index, round);
  if (!destination.answered) return;
  count_hops(path, round);
  take_round(destination, counted, index);
  add_delays(path, round);
}

/// A round that says nothing of the destination's loss. Answers are answers all the same.
void Localisation::on_unjudged(const RoundRecord& record) {
  const auto found = destinations_.find(record.destination->name);
  if (found == destinations_.end() || found->second.facts != record.destination) return;
  Destination& destination = found->second;
  if (record.flow_index >= destination.flows.size()) return;
  if (record.round.reached()) {
    note_answer(destination, record.flow_index, record.round);
  } else {
    look_at_hops(destination, record);
  }
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

void Localisation::forget_old(std::uint32_t part) {
  std::erase_if(destinations_, [&](const auto& entry) { return !is_live(entry.second.part, part); });
  for (auto& [name, destination] : destinations_) {
    for (Flow& flow : destination.flows)
      retire(destination, flow, part);
    std::erase_if(destination.held, [&](const HeldRound& round) { return !is_live(round.part, part); });
    const std::uint32_t now = hundredths(now_);
    const auto window = static_cast<std::uint32_t>(options_.window / kHundredth);
    std::erase_if(destination.losses,
                  [&](const LossMoment& loss) { return now - loss.at > window && now - loss.at < kHalfOfTime; });
    forget_paths(destination, part);
  }
}

/// Paths that nothing kept refers to, and when idle ones are many all of these with what is kept of them.
void Localisation::forget_paths(Destination& destination, std::uint32_t part) const {
  constexpr std::uint32_t kLong = WindowScale::kParts * (kLongWindows + 1);
  const auto idle = [&](const Path& path) { return !is_live(path.part, part); };
  const bool many = std::ranges::count_if(destination.paths, idle) > kMostIdlePaths;
  const auto old = [&](const Path& path) {
    const std::uint32_t behind = age(path.part, part);
    return idle(path) && (many || (behind >= kLong && behind <= WindowScale::kPartMask / 2));
  };
  if (std::ranges::none_of(destination.paths, old)) return;
  constexpr std::uint32_t kGone = ~std::uint32_t{0};
  std::vector<std::uint32_t> moved(destination.paths.size(), kGone);
  std::uint32_t kept = 0;
  for (std::uint32_t i = 0; i < destination.paths.size(); ++i) {
    if (old(destination.paths[i])) continue;
    if (kept != i) destination.paths[kept] = std::move(destination.paths[i]);
    moved[i] = kept++;
  }
  destination.paths.resize(kept);
  const auto move = [&](auto& items) {
    std::erase_if(items, [&](const auto& item) { return moved[item.path] == kGone; });
    for (auto& item : items)
      item.path = static_cast<decltype(item.path)>(moved[item.path]);
  };
  for (Flow& flow : destination.flows) {
    move(flow.cells);
    move(flow.past);
    move(flow.heard);
  }
  move(destination.losses);
  move(destination.outage.losses);
}

std::shared_ptr<const LocalisationReport> Localisation::pass(Instant now, Duration wall_offset) {
  const std::uint32_t part = scale_.part(now);
  now_ = now;
  wall_offset_ = wall_offset;
  forget_old(part);
  auto report = std::make_shared<LocalisationReport>();
  report->time = WallTime(now.time_since_epoch() + wall_offset);
  const Map map = draw_map(Reach::window);
  report->flows = map.flows;
  report->probes = map.probes;
  report->losses = map.losses;
  report->links_known = static_cast<std::uint32_t>(map.ends.size());
  if (map.losses > 0) explain(map, Reach::window, *report);
  keep_outages(*report);
  for (const LinkVerdict& verdict : report->links)
    if (verdict.ended != WallTime{}) settle(verdict, part);
  look_back(part, *report);
  report->delays = delays_.pass(now);
  if (report->delays.size() > options_.worst_links) report->delays.resize(options_.worst_links);
  watch_losses(*report);
  watch_delays(*report);
  return report;
}

void Localisation::explain(const Map& map, Reach reach, LocalisationReport& report) const {
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
      if (!verdict.blamed) continue;
      if (date_outage(map, collapsed, found, verdict)) continue;
      if (far_end_clears(map, collapsed, found, verdict) ||
          near_end_loses(map, collapsed, found, verdict.links.front().from)) {
        verdict.blamed = false;
        again = options.cleared[found.link] = true;
        continue;
      }
      if (far_end_doubts(map, collapsed, found, verdict)) {
        verdict.blamed = false;
        continue;
      }
      date(map, collapsed, explanation, found, reach, verdict);
    }
    if (!again || turn == kMostExplanations) break;
  }
  std::ranges::stable_partition(report.links, &LinkVerdict::blamed);
}

LinkVerdict figures_of(const ExplainedLink& found) {
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
  return verdict;
}

LinkVerdict Localisation::tell(const Map& map, const std::vector<std::uint32_t>& members, const Crossings& collapsed,
                               const ExplainedLink& found) const {
  LinkVerdict verdict = figures_of(found);
  // In the order of a path that crosses them: that of the rows' links.
  for (const std::uint32_t link : map.crossings.links_of(collapsed.rows_of(found.link).front())) {
    if (std::ranges::find(members, link) != members.end()) verdict.links.push_back(map.ends[link]);
  }
  if (!found.blamed) return verdict;
  weigh_hops(map, collapsed, found, verdict);
  add_witnesses(map, collapsed, found, verdict);
  return verdict;
}

}  // namespace ecmp
