#include <algorithm>

#include "agent/tracing/tracing_state.hpp"

// Which flows of a destination with `flows = "auto"` are probed: a few from the start; others are asked for their paths
// by a PathSearch, a round or some more each; and then those that go over every path.

namespace ecmp {
namespace {

/// Flows that are probed from the start: a destination is watched before its paths are known.
constexpr std::uint16_t kFirstFlows = 6;
/// Rounds of one search begin at least so far apart: the hops that all its flows share see no burst. 50 rounds a second
/// may still be more than a router has ICMP errors for; the search bears a hop that does not answer every time.
constexpr Duration kApart = std::chrono::milliseconds(20);
/// The rounds of one flow that is asked several times.
constexpr Duration kRepeatApart = std::chrono::milliseconds(200);
/// So long before a round is due it is handed to the engine, whose queue of probes is ordered by time.
constexpr Duration kAhead = std::chrono::milliseconds(200);
/// Searches at a time, and destinations looked at in one turn of the probing loop.
constexpr std::size_t kMostRunning = 16;
constexpr std::size_t kLooks = 64;
/// A search that nobody answered is tried again after so long.
constexpr Duration kRetry = std::chrono::minutes(1);
/// Paths that change all the time are not searched for all the time.
constexpr Duration kLeastPause = std::chrono::seconds(30);

/// What is known of a steady flow: its newest round, and the path it is on where that was not answered.
Round known_round(const RoundRecord& record) {
  Round round = record.round;
  const auto& responders = *record.verdict.responders;
  for (std::size_t i = 0; i < std::min(round.hops.size(), responders.size()); ++i) {
    HopResult& hop = round.hops[i];
    if (!hop.responder.is_unspecified() || responders[i].is_unspecified()) continue;
    hop.responder = responders[i];
    hop.outcome = HopOutcome::replied;
  }
  if (round.distance != 0 && round.distance == responders.size()) round.end_to_end = EndToEnd::reached;
  return round;
}

}  // namespace

std::shared_ptr<const std::vector<std::uint16_t>> first_steady(const config::Destination& destination) {
  if (!destination.auto_flows) return nullptr;
  auto steady = std::make_shared<std::vector<std::uint16_t>>();
  for (std::uint16_t index = 0; index < std::min(kFirstFlows, destination.flows); ++index)
    steady->push_back(index);
  return steady;
}

void Tracing::begin_searching(Traced& traced, Instant now) {
  const config::Destination& destination = traced.configured.destination;
  traced.searching = std::make_unique<Searching>();
  traced.searching->due = now;
  traced.searching->newest.resize(destination.flows);
  traced.searching->progress = std::make_shared<const SearchProgress>(SearchProgress{.searching = true});
  traced.model.set_search(traced.searching->progress);
  automatic_.push_back(&traced);
  traced.searching->kept = kept_ports(destination);
  routes_.keep_ports(traced.searching->kept);
}

/// The configuration may be another by now: the ports are still those that it began with.
void Tracing::end_searching(Traced& traced) {
  if (traced.searching == nullptr) return;
  routes_.drop_ports(traced.searching->kept);
  std::erase(automatic_, &traced);
  std::erase(running_, &traced);
  traced.searching.reset();
  traced.model.set_search(nullptr);
}

void Tracing::follow_route(Traced& traced, std::uint32_t index) {
  if (traced.routed[index]) return;
  traced.routed[index] = true;
  const config::Destination& destination = traced.configured.destination;
  const RouteWish wish = wish_of(destination);
  const std::uint32_t flow = *traced.first_flow + index;
  on_source(flow, routes_.add_flow(flow, engine_.tuple(flow), wish));
}

void Tracing::search(Instant now) {
  look_for_due_searches(now);
  for (Traced* const traced : std::vector(running_)) {
    Searching& searching = *traced->searching;
    if (searching.next < searching.asks.size()) {
      hand_over_asks(*traced, now);
      continue;
    }
    if (searching.search->awaiting()) {
      if (now < searching.wait_until) continue;
      searching.search->stop_waiting();
    }
    searching.asks = searching.search->plan();
    searching.next = 0;
    if (searching.search->over()) {
      finish_search(*traced, now);
      continue;
    }
    SearchProgress progress = searching.search->progress();
    progress.finished = searching.progress->finished;
    searching.progress = std::make_shared<const SearchProgress>(std::move(progress));
    traced->model.set_search(searching.progress);
    traced->changed = true;
    hand_over_asks(*traced, now);
  }
}

void Tracing::look_for_due_searches(Instant now) {
  for (std::size_t looks = std::min(kLooks, automatic_.size()); looks > 0 && running_.size() < kMostRunning; --looks) {
    next_automatic_ = (next_automatic_ + 1) % automatic_.size();
    Traced& traced = *automatic_[next_automatic_];
    if (traced.searching->search == nullptr && traced.searching->due <= now) start_search(traced, now);
  }
}

void Tracing::start_search(Traced& traced, Instant now) {
  Searching& searching = *traced.searching;
  const config::AutoFlows& terms = *traced.configured.destination.auto_flows;
  const SearchRules rules{.aim = {.confidence = terms.confidence, .p_min = terms.p_min},
                          .max_flows = static_cast<std::uint32_t>(traced.routed.size()),
                          .min_flows_per_path = terms.min_flows_per_path};
  const std::vector<std::uint16_t>& steady = *traced.facts->steady;
  searching.search = std::make_unique<PathSearch>(rules, std::vector<std::uint32_t>(steady.begin(), steady.end()));
  for (const std::uint16_t index : steady)
    if (searching.newest[index] != nullptr) searching.search->on_round(index, known_round(*searching.newest[index]));
  searching.asks.clear();
  searching.next = 0;
  searching.ask_at = now;
  searching.again = false;
  running_.push_back(&traced);
}

/// Gives the engine what is due soon. All searches together ask a quarter of what one responder may be probed with at
/// most: they share their first hops with the steady flows, which are not to wait for them.
void Tracing::hand_over_asks(Traced& traced, Instant now) {
  Searching& searching = *traced.searching;
  const double rate = std::min(limits_.probes_per_second_per_responder / 4, limits_.probes_per_second / 100);
  const auto apart_of_all = Duration(static_cast<Duration::rep>(1e9 / std::max(rate, 0.001)));
  const config::Destination& destination = traced.configured.destination;
  while (searching.next < searching.asks.size()) {
    const Instant at = std::max({now, searching.ask_at, ask_at_});
    if (at > now + kAhead) return;
    const PathSearch::Ask& ask = searching.asks[searching.next++];
    follow_route(traced, ask.flow);
    engine_.ask(*traced.first_flow + ask.flow, ask.rounds, at, std::max(kRepeatApart, kApart));
    searching.ask_at = at + kApart * static_cast<Duration::rep>(ask.rounds);
    ask_at_ = at + apart_of_all * static_cast<Duration::rep>(ask.rounds);
    // A first round asks hops without an answer up to twice again.
    constexpr Duration kSlack = std::chrono::seconds(10);
    const Duration sweep = std::min<Duration>(destination.interval, std::chrono::seconds(5));
    searching.wait_until =
        at + kRepeatApart * static_cast<Duration::rep>(ask.rounds) + 3 * (destination.timeout + sweep) + kSlack;
  }
}

void Tracing::finish_search(Traced& traced, Instant now) {
  Searching& searching = *traced.searching;
  const std::vector<std::uint16_t> kept = searching.search->keep();
  SearchProgress progress = searching.search->progress();
  progress.finished = searching.progress->finished + 1;
  if (kept.empty()) progress.flows_kept = static_cast<std::uint32_t>(traced.facts->steady->size());
  searching.progress = std::make_shared<const SearchProgress>(std::move(progress));
  traced.model.set_search(searching.progress);
  const bool reached = searching.search->reached();
  const Duration every = traced.configured.destination.auto_flows->rediscover;
  searching.search.reset();
  searching.asks.clear();
  searching.next = 0;
  searching.ended = now;
  searching.due = now + (reached ? every : std::min(every, kRetry));
  if (searching.again) searching.due = std::min(searching.due, now + kLeastPause);
  std::erase(running_, &traced);
  if (!kept.empty()) set_steady(traced, kept, now);
  traced.changed = true;
  traced.published = {};
}

/// Other flows are probed all the time from now on. Those that were and still are notice nothing.
void Tracing::set_steady(Traced& traced, const std::vector<std::uint16_t>& kept, Instant now) {
  const std::vector<std::uint16_t> before = *traced.facts->steady;
  std::vector<std::uint16_t> fresh;
  std::ranges::set_difference(kept, before, std::back_inserter(fresh));
  const Duration interval = traced.facts->interval;
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    follow_route(traced, fresh[i]);
    const auto count = static_cast<Duration::rep>(2 * fresh.size());
    engine_.wake(*traced.first_flow + fresh[i], now + interval * static_cast<Duration::rep>(2 * i + 1) / count);
  }
  for (const std::uint16_t index : before) {
    if (std::ranges::binary_search(kept, index)) continue;
    engine_.rest(*traced.first_flow + index);
    traced.searching->newest[index] = nullptr;
  }
  for (std::uint32_t index = 0; index < traced.routed.size(); ++index) {
    // Those that have only now gone to rest may have probes to send.
    const auto steady = static_cast<std::uint16_t>(index);
    if (!traced.routed[index] || std::ranges::binary_search(kept, steady) || std::ranges::binary_search(before, steady))
      continue;
    routes_.remove_flow(*traced.first_flow + index);
    traced.routed[index] = false;
  }
  if (kept == before) return;
  auto facts = std::make_shared<DestinationFacts>(*traced.facts);
  facts->steady = std::make_shared<const std::vector<std::uint16_t>>(kept);
  traced.facts = std::move(facts);
  traced.model.set_facts(traced.facts, wall(now));
}

/// A steady flow has finished a round. When its path changed, what is known of the others may not hold any more.
void Tracing::note_search(Traced& traced, const std::shared_ptr<const RoundRecord>& record) {
  Searching& searching = *traced.searching;
  searching.newest[record->flow_index] = record;
  const ChangeKind changed = record->verdict.changed;
  if (changed == ChangeKind::none || changed == ChangeKind::per_packet) return;
  searching.again = searching.search != nullptr;
  // When all have seen it: what they said last is what a search begins with.
  const Instant settled = record->round.finished + 2 * traced.facts->interval;
  const Instant least = searching.ended == Instant::min() ? settled : searching.ended + kLeastPause;
  searching.due = std::min(searching.due, std::max(settled, least));
}

}  // namespace ecmp
