#include "path/oneway/oneway_watch.hpp"

#include "catch.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

using Events = std::vector<std::shared_ptr<const PathEvent>>;

constexpr Duration kBegin = 1767225600s;  // 2026-01-01T00:00:00Z

/// Rounds of a destination whose streams send a packet a second on one path, and what comes of them.
struct Streams {
  OnewayWatch watch;
  Events events;
  ReflectorSnapshot reflector{.up = true, .mode = stamp::ReflectorMode::stateful, .synchronised = false, .restarts = 0};
  std::shared_ptr<const DestinationFacts> facts = std::make_shared<const DestinationFacts>();
  stamp::OnewayCounts all;
  std::vector<stamp::OnewayCounts> minutes;  ///< counts by round of 10 s, for the window of five minutes
  std::int64_t now = 0;                      ///< seconds

  void round(const stamp::OnewayCounts& counts, std::uint32_t path = 7, std::uint16_t port = 50000) {
    now += 10;
    all += counts;
    minutes.push_back(counts);
    auto way = std::make_shared<OnewayPathSnapshot>();
    way->path = path;
    way->counts = way->back = all;
    for (std::size_t i = minutes.size() - std::min<std::size_t>(minutes.size(), 30); i < minutes.size(); ++i)
      way->window += minutes[i];
    way->back_window = way->window;
    auto oneway = std::make_shared<OnewayRound>();
    oneway->reflector = reflector;
    oneway->there = oneway->back = way;
    RoundRecord record;
    record.destination = facts;
    record.source_port = port;
    record.wall_offset = kBegin;
    record.round.started = record.round.finished = Instant(std::chrono::seconds(now));
    record.oneway = oneway;
    watch.on_round(record, events);
  }
};

}  // namespace

TEST_CASE("A path that loses on the way back is an event that begins and ends", "[stamp][events]") {
  Streams streams;
  for (int i = 0; i < 30; ++i)
    streams.round({.resolved = 40});
  CHECK(streams.events.empty());
  for (int i = 0; i < 12; ++i)
    streams.round({.resolved = 40, .reverse = 2}, 7, i % 2 == 0 ? 50000 : 50001);
  REQUIRE(streams.events.size() == 1);
  const PathEvent& begun = *streams.events[0];
  CHECK(begun.kind == EventKind::oneway_loss);
  CHECK_FALSE(begun.ended);
  REQUIRE(begun.get<OnewayVerdict>() != nullptr);
  CHECK(begun.get<OnewayVerdict>()->direction == OneWay::reverse);
  CHECK(begun.get<OnewayVerdict>()->path == 7);
  CHECK(begun.get<OnewayVerdict>()->losses >= OnewayWatch::kLeastLosses);
  CHECK(begun.get<OnewayVerdict>()->interval.low > OnewayWatch::kLeastLoss);
  CHECK(begun.get<OnewayVerdict>()->interval.high >= begun.get<OnewayVerdict>()->loss);
  REQUIRE(begun.moves.size() == 1);
  CHECK(begun.moves[0].flows == std::vector<std::uint16_t>{50000, 50001});

  // At least 24 of 1,700 packets were lost in the window: seven would take 500 more, and no more than 1,700.
  for (int i = 0; i < 42; ++i)
    streams.round({.resolved = 40});
  REQUIRE(streams.events.size() == 2);
  CHECK(streams.events[1]->ended);
  CHECK(streams.events[1]->settled == begun.time);
  CHECK(streams.events[1]->time > begun.time + 120s);
}

TEST_CASE("Few losses are no event, and neither are those of the round trip", "[stamp][events]") {
  Streams streams;
  for (int i = 0; i < 100; ++i)
    streams.round({.resolved = 400, .forward = i % 10 == 0 ? 1u : 0u, .round_trips = 40, .unresolved = 20});
  CHECK(streams.events.empty());
}

TEST_CASE("A restart of the reflector is an event, and so is another mode", "[stamp][events]") {
  Streams streams;
  streams.reflector.mode = stamp::ReflectorMode::unknown;
  streams.round({});
  streams.reflector.mode = stamp::ReflectorMode::stateful;
  streams.round({.resolved = 10});
  CHECK(streams.events.empty());  // it has only shown what it is
  streams.reflector.restarts = 1;
  streams.reflector.mode = stamp::ReflectorMode::unknown;
  streams.round({.resolved = 10});
  REQUIRE(streams.events.size() == 1);
  CHECK(streams.events[0]->kind == EventKind::reflector_restart);
  REQUIRE(streams.events[0]->get<ReflectorChange>());
  CHECK(streams.events[0]->get<ReflectorChange>()->before.restarts == 0);
  CHECK(streams.events[0]->get<ReflectorChange>()->after.restarts == 1);
  streams.reflector.mode = stamp::ReflectorMode::stateless;
  streams.round({.round_trips = 10});
  REQUIRE(streams.events.size() == 2);
  CHECK(streams.events[1]->kind == EventKind::reflector_mode);
  CHECK(streams.events[1]->get<ReflectorChange>()->before.mode == stamp::ReflectorMode::stateful);
  CHECK(streams.events[1]->get<ReflectorChange>()->after.mode == stamp::ReflectorMode::stateless);
  streams.round({.round_trips = 10});
  CHECK(streams.events.size() == 2);
}

TEST_CASE("A loss on a path that no stream is on any more is over", "[stamp][events]") {
  Streams streams;
  for (int i = 0; i < 10; ++i)
    streams.round({.resolved = 40, .forward = 4});
  REQUIRE(streams.events.size() == 1);
  streams.minutes.clear();
  streams.all = {};
  for (int i = 0; i < 40; ++i)
    streams.round({.resolved = 40}, 9);
  REQUIRE(streams.events.size() == 2);
  CHECK(streams.events[1]->ended);
  CHECK(streams.events[1]->get<OnewayVerdict>()->path == 7);
}
