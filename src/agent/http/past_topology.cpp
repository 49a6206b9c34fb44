#include "agent/http/past_topology.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "path/model/destination_model.hpp"
#include "path/model/path_names.hpp"

namespace ecmp {
namespace {

/// What a round takes here: as a record, moved in time, and in the model's windows.
constexpr std::size_t kRoundBytes = 2048;

/// Rounds of this run have monotonic times and those from the disk civil ones: all get the latter.
Round in_civil_time(const RoundRecord& record) {
  Round round = record.round;
  round.started += record.wall_offset;
  round.finished += record.wall_offset;
  for (HopResult& hop : round.hops)
    if (hop.received != Instant{}) hop.received += record.wall_offset;
  return round;
}

/// What streams said, of rounds by time: what flows count is the sum over these rounds, all else as the newest has it.
std::shared_ptr<const OnewaySnapshot> oneway_of(const std::vector<std::shared_ptr<const RoundRecord>>& rounds,
                                                const DestinationFacts& facts) {
  auto made = std::make_shared<OnewaySnapshot>();
  made->flows.resize(facts.flows);
  std::map<std::uint32_t, const OnewayPathSnapshot*> paths;
  bool any = false;
  for (const auto& record : rounds) {
    if (record->oneway == nullptr || record->flow_index >= facts.flows) continue;
    any = true;
    const OnewayRound& round = *record->oneway;
    static_cast<ReflectorSnapshot&>(*made) = round.reflector;
    OnewayFlowSnapshot& flow = made->flows[record->flow_index];
    flow.counts += round.flow.counts;
    flow.duplicates_forward += round.flow.duplicates_forward;
    flow.duplicates_reverse += round.flow.duplicates_reverse;
    flow.reverse_path = round.flow.reverse_path;
    flow.reverse_routers = round.flow.reverse_routers;
    for (const auto& path : {round.there, round.back})
      if (path != nullptr) paths[path->path] = path.get();
  }
  if (!any) return nullptr;
  for (const auto& [id, path] : paths)
    made->paths.push_back(*path);
  return made;
}

}  // namespace

PastFan fan_of(std::vector<std::shared_ptr<const RoundRecord>> rounds, WallTime at, Duration window) {
  PastFan fan;
  std::erase_if(rounds, [&](const auto& record) { return record->wall(record->round.finished) > at; });
  if (rounds.empty()) return fan;
  std::ranges::stable_sort(rounds, {}, [](const auto& record) { return record->wall(record->round.finished); });
  const auto facts = rounds.back()->destination;
  PathNames names;
  std::map<std::uint32_t, std::shared_ptr<const RoundRecord>> newest;
  for (const auto& record : rounds)
    take_in(names, *record, at);
  const Instant now(at.time_since_epoch());
  ModelOptions options;
  options.window = window;
  options.max_paths = 1024;
  options.wait_for_hops = false;
  DestinationModel model(facts, options);
  model.begin(rounds.front()->wall(rounds.front()->round.started));
  if (const auto known = names.find(facts->name); known != names.end()) model.restore(known->second, now);
  for (const auto& record : rounds) {
    if (record->flow_index >= facts->flows || !is_steady(*facts, record->flow_index)) continue;
    auto& last = newest[record->flow_index];
    // Numbers begin anew after a restart.
    if (last != nullptr && record->round.number <= last->round.number) model.forget_rounds();
    last = record;
    model.set_source(record->flow_index, record->source);
    model.on_round(record->flow_index, in_civil_time(*record), record->wall(record->round.started));
  }
  for (const auto& [flow, record] : newest)
    fan.newest.push_back(record);
  model.set_oneway(oneway_of(rounds, *facts));
  fan.snapshot = model.snapshot(now);
  return fan;
}

std::optional<PastFan> past_fan(const PastSources& sources, const DestinationFacts& facts, WallTime at, Duration window,
                                AnswerCharge& charge) {
  const WallTime since = at - std::max<Duration>(window, 3 * facts.interval);
  const RoundFilter filter{.destination = facts.name, .since = since};
  std::vector<std::shared_ptr<const RoundRecord>> rounds;
  const auto charged = [&] { return charge.grow_to(rounds.size() * kRoundBytes); };
  const std::uint64_t first = sources.log->first();
  HistoryPlace place;
  for (bool done = sources.store == nullptr; !done;) {
    const auto step = sources.store->read_rounds(place, filter, first);
    done = step.done;
    for (const StoredRound& item : step.items) {
      if (item.record->wall(item.record->round.started) <= at) rounds.push_back(item.record);
      // They are written in the order in which they ended: behind one that began so late there is none of before.
      done = done || item.record->wall(item.record->round.started) > at + facts.interval;
    }
    if (!charged()) return std::nullopt;
  }
  const std::uint64_t end = sources.log->end();
  for (std::uint64_t next = first; next < end;) {
    const History::Page page = sources.log->read(filter, next, RoundLog::kPage);
    if (page.next == next) break;
    next = page.next;
    for (const auto& record : page.records)
      if (record->wall(record->round.started) <= at) rounds.push_back(record);
    if (!charged()) return std::nullopt;
  }
  return fan_of(std::move(rounds), at, window);
}

}  // namespace ecmp
