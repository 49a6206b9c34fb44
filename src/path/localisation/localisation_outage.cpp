#include "path/localisation/localisation_outage.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "path/localisation/localisation_time.hpp"

namespace ecmp {
namespace {

/// Of one destination.
constexpr std::size_t kMostOutageLosses = 8192;
/// As ecmp_destination_up: so many rounds in a row, or a quarter of the flows, if these are more.
constexpr std::uint64_t kManyRounds = 16;
/// How unlikely a run of losses is of a flow that only goes on losing as before: as of LossRun.
constexpr double kOneIn = 1e8;
constexpr double kLeastShare = 1e-3;
/// The chance that all answers of a hop come by luck, on a link that loses as much as the destination's rounds.
constexpr double kLuck = 0.05;
/// How much of its usual answers a hop has stopped to give, where it has fallen silent.
constexpr double kAsMuch = 0.75;
constexpr double kLeastSilences = 3;

}  // namespace

bool Localisation::Destination::gone() const {
  if (outage.rounds == 0 || !run.beyond_chance()) return false;
  return outage.flows >= facts->flows || outage.rounds >= std::max<std::uint64_t>(kManyRounds, facts->flows / 4u);
}

/// Whether a flow loses everything, for longer than what it lost before explains.
bool Localisation::loses_all(const Flow& flow) {
  if (flow.lost < 2) return false;
  double probes = 2;
  double losses = 0.6;
  for (const Cell& cell : flow.cells) {
    probes += cell.probes;
    losses += cell.losses;
  }
  const double before = std::max(probes - flow.lost, 2.0);
  const double share = std::clamp((losses - flow.lost) / before, kLeastShare, 1.0);
  return flow.lost * -std::log(share) >= std::log(kOneIn);
}

/// What is known of the destination by this round, whatever path its flow is on.
void Localisation::note_answer(Destination& destination, std::uint32_t flow_index, const Round& round) const {
  Flow& flow = destination.flows[flow_index];
  Outage& outage = destination.outage;
  if (round.reached()) {
    end_outage(destination, round.finished);
    destination.run.take(true);
    flow.lost = 0;
    return;
  }
  if (!destination.answered) return;
  const std::uint32_t at = hundredths(round.finished);
  destination.run.take(false);
  if (flow.lost++ == 0) flow.lost_since = at;
  if (outage.rounds++ == 0) {
    const std::uint32_t number = outage.number + 1;
    outage = {.number = number, .started = round.started, .first = at, .losses = {}, .rounds = 1};
  }
  if (std::exchange(flow.outage, outage.number) != outage.number) ++outage.flows;
}

/// What was lost is evidence like any other loss, but not what an outage explains.
void Localisation::end_outage(Destination& destination, Instant answered) const {
  Outage& outage = destination.outage;
  if (outage.rounds == 0) return;
  const bool explained = destination.gone();
  outage.rounds = 0;
  const std::vector<OutageLoss> losses = std::exchange(outage.losses, {});
  if (explained) {
    destination.explained = answered;
    std::erase_if(destination.held, [&](const HeldRound& held) { return held.at - outage.first < kHalfOfTime; });
    return;
  }
  for (const OutageLoss& loss : losses) {
    if (is_live(loss.round.part, destination.part)) count_round(destination, loss.round, loss.path);
  }
}

/// Counts a round for its path, or keeps it until it is known whether the destination is gone.
void Localisation::take_round(Destination& destination, const HeldRound& round, std::uint32_t path) const {
  Outage& outage = destination.outage;
  if (!round.lost || outage.rounds == 0 || round.at - outage.first >= kHalfOfTime) {
    count_round(destination, round, path);
    return;
  }
  auto& losses = outage.losses;
  if (losses.size() >= kMostOutageLosses)
    losses.erase(losses.begin(), losses.begin() + static_cast<std::ptrdiff_t>(losses.size() / 2));
  losses.push_back({round, path});
}

/// What the hops of a round say while the destination keeps quiet. Answers count, whether or not the round does; what
/// a hop kept quiet in one that does not may be due to a limit.
void Localisation::look_at_hops(Destination& destination, const RoundRecord& record) {
  Outage& outage = destination.outage;
  const Round& round = record.round;
  if (outage.rounds == 0 || round.started < outage.started) return;
  const auto& known = *record.verdict.responders;
  const auto path = std::ranges::find_if(destination.paths, [&](const Path& of) {
    return of.id == record.verdict.path && (of.id != 0 || of.source_port == record.source_port);
  });
  const bool complete = path != destination.paths.end() && path->complete;
  std::vector<IpAddress> passed = known;
  if (complete && !passed.empty()) passed.pop_back();
  for (const HopResult& hop : round.hops) {
    if (hop.ttl == 0 || hop.outcome != HopOutcome::replied || hop.responder == destination.facts->address) continue;
    if (passed.size() < hop.ttl) passed.resize(hop.ttl);
    passed[hop.ttl - 1u] = hop.responder;
  }
  for (std::size_t i = 2; i < passed.size() && !outage.circles; ++i) {
    const auto end = passed.begin() + static_cast<std::ptrdiff_t>(i) - 1;
    outage.circles = !passed[i].is_unspecified() && std::find(passed.begin(), end, passed[i]) != end;
  }
  if (path == destination.paths.end() || record.verdict.unconfirmed) return;
  for (const HopResult& hop : round.hops) {
    if (hop.ttl == 0 || hop.ttl > path->hops.size() || hop.ttl > known.size() || says_nothing(hop.outcome)) continue;
    const bool answered = hop.outcome == HopOutcome::replied && hop.responder == known[hop.ttl - 1u];
    if (!answered && !round.counts()) continue;
    HopCount& count = path->hops[hop.ttl - 1u];
    if (std::exchange(count.outage, outage.number) != outage.number) count.outage_probes = count.outage_answers = 0;
    if (count.outage_probes == UINT16_MAX) continue;
    ++count.outage_probes;
    if (answered) ++count.outage_answers;
  }
}

/// The link right behind the last hop that answers is where a destination is lost that is gone. Its loss is that since
/// then. False: what was lost over the link is not that, or not mainly.
bool Localisation::date_outage(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                               LinkVerdict& verdict) const {
  std::uint64_t losses = 0;
  std::uint64_t probes = 0;
  std::uint64_t gone = 0;
  bool silent_behind = true;
  const Destination* first = nullptr;
  const auto since = [this](const Destination& of) { return hundredths(now_) - of.outage.first; };
  for (const std::uint32_t row : collapsed.rows_of(found.link)) {
    const Crossings::Row& of = collapsed.row(row);
    if (of.losses == 0) continue;
    losses += of.losses;
    probes += of.probes;
    const RowOrigin& origin = map.origins[row];
    if (!origin.gone) continue;
    gone += of.losses;
    silent_behind = silent_behind && origin.silent_behind;
    if (first == nullptr || since(*origin.destination) > since(*first)) first = origin.destination;
  }
  if (first == nullptr || gone * 2 < losses) return false;
  verdict.loss = static_cast<double>(losses) / static_cast<double>(probes);
  verdict.interval = exact_binomial(static_cast<double>(losses), static_cast<double>(probes));
  verdict.losses = losses;
  verdict.probes = probes;
  verdict.forward_consistent = silent_behind;
  verdict.outage = true;
  verdict.began = left_at(*first, in_seconds(now_.time_since_epoch()) - static_cast<double>(since(*first)) / 100);
  return true;
}

/// An outage that is over stays in the report, with its end, as long as the window has it.
void Localisation::keep_outages(LocalisationReport& report) {
  const auto meets = [](const LinkVerdict& a, const LinkVerdict& b) {
    return std::ranges::find_first_of(a.links, b.links) != a.links.end();
  };
  for (const LinkVerdict& verdict : report.links) {
    if (!verdict.outage) continue;
    std::erase_if(outages_, [&](const SeenOutage& seen) { return meets(seen.verdict, verdict); });
    outages_.push_back({verdict, report.time});
  }
  std::erase_if(outages_, [&](SeenOutage& seen) {
    if (seen.at == report.time) return false;
    const bool known = std::ranges::any_of(
        report.links, [&](const LinkVerdict& verdict) { return verdict.blamed && meets(verdict, seen.verdict); });
    if (known || report.time - seen.at > options_.window) return true;
    std::erase_if(report.links, [&](const LinkVerdict& verdict) { return meets(verdict, seen.verdict); });
    seen.verdict.blamed = false;
    seen.verdict.outage = false;
    seen.verdict.ended = seen.at;
    report.links.push_back(seen.verdict);
    return false;
  });
}

Localisation::Frontier::Frontier(const Destination& destination, const Hops& varying)
    : circles_(destination.outage.circles) {
  if (circles_) return;
  std::vector<double> lost(destination.paths.size());
  for (const OutageLoss& loss : destination.outage.losses)
    lost[loss.path] += 1;
  std::vector<IpAddress> nodes;
  for (std::size_t i = 0; i < destination.paths.size(); ++i) {
    const Path& path = destination.paths[i];
    add_nodes(destination, path, *path.responders, varying, nodes);
    add(destination, path, nodes, lost[i]);
  }
}

void Localisation::Frontier::add(const Destination& destination, const Path& path, const std::vector<IpAddress>& nodes,
                                 double lost) {
  const auto& responders = *path.responders;
  double answers = 0;
  double probes = 0;
  for (std::size_t i = nodes.size(); i-- > 1;) {
    Evidence& link = links_[{nodes[i - 1], nodes[i]}];
    link.lost += lost;
    const auto hop = static_cast<std::size_t>(std::ranges::find(responders, nodes[i]) - responders.begin());
    // The last node is the destination, whatever address it answers with.
    if (i + 1 < nodes.size() && hop < path.hops.size()) {
      const HopCount& count = path.hops[hop];
      const bool asked = count.outage == destination.outage.number;
      const double here = asked ? count.outage_answers : 0;
      if (here > answers) {
        answers = here;
        probes = count.outage_probes;
      }
      if (asked)
        link.far.add({static_cast<double>(count.outage_probes) - here, static_cast<double>(count.outage_probes)});
      link.usual.add(count.unanswered_when_reached());
    }
    link.answers += answers;
    link.probes += probes;
  }
}

/// Of rounds that were lost, and probes of a hop behind the link, only the latter had answers: by luck, if the link
/// itself lost what the destination did not answer.
bool Localisation::Frontier::Evidence::lets_through() const {
  return answers > 0 && std::pow(probes / (probes + lost), answers) <= kLuck;
}

bool Localisation::Frontier::Evidence::far_is_silent() const {
  const double before = usual.ratio();
  return far.probes >= kLeastSilences && far.ratio() - before >= kAsMuch * (1 - before) &&
         wilson(far.unanswered, far.probes).low > before;
}

std::optional<Localisation::Frontier::Place> Localisation::Frontier::find(const std::vector<IpAddress>& nodes) const {
  if (circles_ || nodes.size() < 2) return std::nullopt;
  const auto evidence = [&](std::size_t link) -> const Evidence* {
    const auto found = links_.find({nodes[link], nodes[link + 1]});
    return found != links_.end() ? &found->second : nullptr;
  };
  std::size_t answers = 0;  // the last node that does
  for (std::size_t i = 0; i + 2 < nodes.size(); ++i) {
    const Evidence* const of = evidence(i);
    if (of != nullptr && of->lets_through()) answers = i + 1;
  }
  if (answers + 2 == nodes.size()) return Place{.link = answers};
  const Evidence* const of = evidence(answers);
  if (of == nullptr || !of->far_is_silent()) return std::nullopt;
  return Place{.link = answers, .silent_behind = true};
}

}  // namespace ecmp
