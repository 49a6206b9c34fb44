#include "path/oneway/oneway_watch.hpp"

#include <algorithm>
#include <utility>

namespace ecmp {
namespace {

constexpr double kCertain = 0.001;
/// A path that no stream is on loses nothing more. The model forgets it after ten minutes.
constexpr Duration kUnused = std::chrono::minutes(5);

using Events = std::vector<std::shared_ptr<const PathEvent>>;

PathEvent event_of(const RoundRecord& record, EventKind kind) {
  PathEvent event;
  event.destination = record.destination;
  event.kind = kind;
  event.time = event.settled = record.wall(record.round.finished);
  return event;
}

}  // namespace

void OnewayWatch::on_round(const RoundRecord& record, Events& events) {
  const OnewayRound& oneway = *record.oneway;
  note_reflector(record, events);
  if (const auto& there = oneway.there; there != nullptr) {
    note_way(record, there->path, OneWay::forward,
             {there->counts.resolved, there->counts.forward, there->window.resolved, there->window.forward}, events);
  }
  if (const auto& back = oneway.back; back != nullptr) {
    note_way(record, back->path, OneWay::reverse,
             {back->back.reached(), back->back.reverse, back->back_window.reached(), back->back_window.reverse},
             events);
  }
  end_unused(record, events);
}

/// That a mode is known for the first time, or not any more, changes nothing.
void OnewayWatch::note_reflector(const RoundRecord& record, Events& events) {
  const ReflectorSnapshot now = record.oneway->reflector;
  const bool known = reflector_.has_value();
  const ReflectorSnapshot before = std::exchange(reflector_, now).value_or(now);
  const auto report = [&](EventKind kind) {
    PathEvent event = event_of(record, kind);
    event.detail = detail_of(ReflectorChange{before, now});
    events.push_back(std::make_shared<const PathEvent>(std::move(event)));
  };
  if (!known) return;
  if (now.restarts > before.restarts) report(EventKind::reflector_restart);
  if (now.mode == stamp::ReflectorMode::unknown) {
    reflector_->mode = before.mode;
  } else if (before.mode != stamp::ReflectorMode::unknown && now.mode != before.mode) {
    report(EventKind::reflector_mode);
  }
}

OnewayWatch::Way& OnewayWatch::way_of(std::uint32_t path, OneWay direction) {
  const auto found =
      std::ranges::find_if(ways_, [&](const Way& way) { return way.path == path && way.direction == direction; });
  if (found != ways_.end()) return *found;
  Way& made = ways_.emplace_back();
  made.path = path;
  made.direction = direction;
  return made;
}

void OnewayWatch::note_way(const RoundRecord& record, std::uint32_t path, OneWay direction, const Figures& figures,
                           Events& events) {
  for (Way& other : ways_) {
    if (other.direction == direction && other.path != path) std::erase(other.flows, record.source_port);
  }
  Way& way = way_of(path, direction);
  way.seen = record.wall(record.round.finished);
  const auto place = std::ranges::lower_bound(way.flows, record.source_port);
  if (place == way.flows.end() || *place != record.source_port) way.flows.insert(place, record.source_port);
  const auto packets = static_cast<double>(figures.window_packets);
  const auto losses = static_cast<double>(figures.window_losses);
  if (figures.losses != way.losses || figures.packets < way.packets_at_loss) {
    way.losses = figures.losses;
    way.packets_at_loss = figures.packets;
    const double ratio = packets > 0 ? losses / packets : 0;
    way.loss = way.losing ? std::max(way.loss, ratio) : ratio;
  }
  const auto report = [&](bool ended) {
    PathEvent event = event_of(record, EventKind::oneway_loss);
    event.ended = ended;
    event.settled = way.begun;
    event.moves.push_back({{}, {}, path, path, way.flows});
    OnewayVerdict verdict{
        .path = path, .direction = direction, .packets = figures.window_packets, .losses = figures.window_losses};
    verdict.interval = exact_binomial(static_cast<double>(verdict.losses), static_cast<double>(verdict.packets));
    if (verdict.packets > 0) verdict.loss = static_cast<double>(verdict.losses) / static_cast<double>(verdict.packets);
    event.detail = detail_of(verdict);
    events.push_back(std::make_shared<const PathEvent>(std::move(event)));
  };
  const bool quiet = static_cast<double>(figures.packets - way.packets_at_loss) * way.loss >= kQuietLosses;
  if (!way.losing) {
    if (figures.window_losses < kLeastLosses) return;
    if (quiet) return;  // the window holds what is over
    if (exact_binomial(losses, packets, 2 * kCertain).low <= kLeastLoss) return;
    way.losing = true;
    way.begun = way.seen;
    report(false);
  } else if (quiet) {
    way.losing = false;
    report(true);
  }
}

void OnewayWatch::end_unused(const RoundRecord& record, Events& events) {
  const WallTime now = record.wall(record.round.finished);
  for (const Way& way : ways_) {
    if (now - way.seen <= kUnused || !way.losing) continue;
    PathEvent event = event_of(record, EventKind::oneway_loss);
    event.ended = true;
    event.settled = way.begun;
    event.moves.push_back({{}, {}, way.path, way.path, way.flows});
    event.detail =
        detail_of(OnewayVerdict{.path = way.path, .direction = way.direction, .loss = 0, .interval = {0, 1}});
    events.push_back(std::make_shared<const PathEvent>(std::move(event)));
  }
  std::erase_if(ways_, [&](const Way& way) { return now - way.seen > kUnused; });
}

}  // namespace ecmp
