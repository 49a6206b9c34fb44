#include "path/model/event_gathering.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace ecmp {
namespace {

/// An event's kind is that of the strongest change in it: where a responder is new, flows that were dealt out anew
/// among the old ones moved for the same reason.
EventKind stronger(EventKind a, EventKind b) {
  return std::min(a, b, [](EventKind x, EventKind y) {
    const auto rank = [](EventKind kind) {
      return kind == EventKind::reroute ? 0 : kind == EventKind::width ? 1 : kind == EventKind::remap ? 2 : 3;
    };
    return rank(x) < rank(y);
  });
}

EventKind kind_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::remap:
      return EventKind::remap;
    case ChangeKind::width:
      return EventKind::width;
    case ChangeKind::per_packet:
      return EventKind::per_packet;
    case ChangeKind::reroute:
    case ChangeKind::none:
    case ChangeKind::count_:
      break;
  }
  return EventKind::reroute;
}

bool has_flow(const PathEvent& event, std::uint16_t source_port) {
  return std::ranges::any_of(
      event.moves, [&](const EventMove& move) { return std::ranges::binary_search(move.flows, source_port); });
}

void add_move(PathEvent& event, const RoundRecord& record) {
  const ChangePlace& change = *record.verdict.change;
  const auto key = std::tie(change.before, change.after, record.verdict.previous, record.verdict.path);
  const auto key_of = [](const EventMove& move) {
    return std::tie(move.before, move.after, move.path_before, move.path_after);
  };
  auto at = std::ranges::lower_bound(event.moves, key, {}, key_of);
  if (at == event.moves.end() || key_of(*at) != key) {
    at = event.moves.insert(at, {change.before, change.after, record.verdict.previous, record.verdict.path, {}});
  }
  at->flows.insert(std::ranges::lower_bound(at->flows, record.source_port), record.source_port);
}

/// Verdicts on links are of all destinations.
bool matches_verdict(const RoundFilter& filter, const PathEvent& event) {
  if (filter.path) return false;
  if (!filter.destination && !filter.flow) return true;
  const auto* const verdict = event.get<LinkVerdict>();
  if (verdict == nullptr) return false;
  const auto reproduces = [&](const WitnessFlow& flow) {
    return (!filter.destination || flow.destination->name == *filter.destination) &&
           (!filter.flow || flow.source_port == *filter.flow);
  };
  return std::ranges::any_of(verdict->reproduced_by, reproduces);
}

}  // namespace

bool matches(const RoundFilter& filter, const PathEvent& event) {
  if (filter.since && event.time < *filter.since) return false;
  if (event.destination == nullptr) return matches_verdict(filter, event);
  if (filter.destination && event.destination->name != *filter.destination) return false;
  if (!filter.flow && !filter.path) return true;
  return std::ranges::any_of(event.moves, [&](const EventMove& move) {
    return (!filter.flow || std::ranges::binary_search(move.flows, *filter.flow)) &&
           (!filter.path || move.path_before == *filter.path || move.path_after == *filter.path);
  });
}

void EventGathering::on_round(const RoundRecord& record) {
  auto found = watched_.find(record.destination->name);
  if (found == watched_.end()) found = watched_.try_emplace(record.destination->name).first;
  Watched& watched = found->second;
  if (watched.facts != record.destination) set_facts(watched, record.destination);
  if (record.flow_index >= watched.flows.size()) return;
  Flow& flow = watched.flows[record.flow_index];
  if (!flow.steady) return;
  flow.started = std::max(flow.started, record.round.started);
  note_reached(watched, record);
  if (record.verdict.change != nullptr) note_change(watched, record);
  if (record.oneway != nullptr) watched.oneway.on_round(record, done_);
  if (!watched.open.empty()) close_if_over(watched);
}

void EventGathering::set_facts(Watched& watched, const std::shared_ptr<const DestinationFacts>& facts) {
  const bool same = watched.facts != nullptr && watched.facts->steady == facts->steady;
  watched.facts = facts;
  if (same && watched.flows.size() == facts->flows) return;
  watched.flows.resize(facts->flows);
  for (std::size_t i = 0; i < watched.flows.size(); ++i) {
    if (is_steady(*facts, static_cast<std::uint32_t>(i))) {
      watched.flows[i].steady = true;
    } else {
      watched.flows[i] = {.steady = false};  // nobody waits for it
    }
  }
  watched.steady = static_cast<std::uint32_t>(std::ranges::count_if(watched.flows, &Flow::steady));
  watched.measured = static_cast<std::uint32_t>(std::ranges::count_if(watched.flows, &Flow::measured));
  watched.reached = static_cast<std::uint32_t>(std::ranges::count_if(watched.flows, &Flow::reached));
}

/// Up as ecmp_destination_up is: any flow reached it in its newest round. Down when none did, and that is no chance. A
/// round that was not judged, such as one that could not be sent, changes nothing.
/// One that is down from the start is not told before every flow has had its try.
void EventGathering::note_reached(Watched& watched, const RoundRecord& record) {
  Flow& flow = watched.flows[record.flow_index];
  const bool reached = record.round.reached();
  if (is_unjudged(record.round.end_to_end) && !reached) return;
  if (!flow.measured) ++watched.measured;
  flow.measured = true;
  if (!record.round.counts()) return;
  if (flow.reached != reached) watched.reached += reached ? 1u : ~0u;
  flow.reached = reached;
  watched.losses.take(reached);
  const bool up = watched.reached > 0;
  if (!up && !watched.losses.beyond_chance()) return;
  if (!watched.known && !up && watched.measured < watched.steady) return;
  const bool tell = watched.known ? watched.up != up : !up;
  watched.known = true;
  watched.up = up;
  if (!tell) return;
  PathEvent event;
  event.destination = watched.facts;
  event.kind = up ? EventKind::up : EventKind::down;
  event.time = event.settled = record.wall(record.round.finished);
  done_.push_back(std::make_shared<const PathEvent>(std::move(event)));
}

void EventGathering::note_change(Watched& watched, const RoundRecord& record) {
  const EventKind kind = kind_of(record.verdict.changed);
  const bool per_packet = kind == EventKind::per_packet;
  const std::uint8_t ttl = record.verdict.change->ttl;
  const auto find = [&] {
    return std::ranges::find_if(
        watched.open, [&](const Open& open) { return open.event.ttl == ttl && open.per_packet == per_packet; });
  };
  auto at = find();
  if (at != watched.open.end() && has_flow(at->event, record.source_port)) {
    // The same flow again: that is the next event.
    close(watched, static_cast<std::size_t>(at - watched.open.begin()));
    at = watched.open.end();
  }
  const WallTime finished = record.wall(record.round.finished);
  if (at == watched.open.end()) {
    if (watched.open.empty()) with_open_.push_back(&watched);
    Open& made = watched.open.emplace_back();
    made.event.destination = watched.facts;
    made.event.kind = kind;
    made.event.time = finished;
    made.event.ttl = ttl;
    made.newest = record.round.started;
    made.deadline = record.round.finished + 3 * watched.facts->interval + std::chrono::seconds(5);
    made.per_packet = per_packet;
    at = watched.open.end() - 1;
  }
  at->event.kind = stronger(at->event.kind, kind);
  at->event.settled = std::max(at->event.settled, finished);
  at->newest = std::max(at->newest, record.round.started);
  add_move(at->event, record);
}

bool EventGathering::over(const Watched& watched, const Open& open) {
  return std::ranges::all_of(watched.flows,
                             [&](const Flow& flow) { return !flow.steady || flow.started >= open.newest; });
}

void EventGathering::close(Watched& watched, std::size_t index) {
  done_.push_back(std::make_shared<const PathEvent>(std::move(watched.open[index].event)));
  watched.open.erase(watched.open.begin() + static_cast<std::ptrdiff_t>(index));
  if (watched.open.empty()) std::erase(with_open_, &watched);
}

void EventGathering::close_if_over(Watched& watched) {
  for (std::size_t i = 0; i < watched.open.size();) {
    if (over(watched, watched.open[i])) {
      close(watched, i);
    } else {
      ++i;
    }
  }
}

std::vector<EventGathering::Event> EventGathering::take(Instant now) {
  for (Watched* const watched : std::vector(with_open_)) {
    for (std::size_t i = 0; i < watched->open.size();) {
      if (watched->open[i].deadline <= now) {
        close(*watched, i);
      } else {
        ++i;
      }
    }
  }
  return std::exchange(done_, {});
}

void EventGathering::drop_destination(const std::string& name) {
  const auto found = watched_.find(name);
  if (found == watched_.end()) return;
  while (!found->second.open.empty())
    close(found->second, 0);
  watched_.erase(found);
}

}  // namespace ecmp
