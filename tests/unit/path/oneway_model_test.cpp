#include "path/oneway/oneway_model.hpp"

#include "catch.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

Instant at(Duration since) {
  return Instant(100h + since);
}

StreamReport report(Duration since, const stamp::OnewayCounts& counts) {
  StreamReport made;
  made.at = at(since);
  made.counts = counts;
  made.mode = stamp::ReflectorMode::stateful;
  return made;
}

/// Of a reflector whose clock is a day ahead.
StreamReport answered(Duration since, Duration forward, Duration reverse) {
  StreamReport made = report(since, {});
  made.answered = made.at;
  const Instant sent = made.at - forward - reverse;
  const WallTime there((sent + forward).time_since_epoch() + 24h);
  made.exchange =
      StreamExchange{.times = stamp::Exchange{.sent = sent, .arrived = there, .replied = there, .received = made.at},
                     .ttl_there = 250,
                     .ttl_back = 250,
                     .synchronised = false,
                     .delay = std::nullopt,
                     .back = std::nullopt};
  return made;
}

}  // namespace

TEST_CASE("What streams lose counts for the path that their flow is on", "[stamp]") {
  OnewayModel model(2, 5min, 1s, 2s);
  model.on_report(0, 7, report(0s, {.resolved = 10, .forward = 2}));
  model.on_report(1, 9, report(1s, {.resolved = 10, .reverse = 3}));
  model.on_report(0, 9, report(2s, {.resolved = 10, .forward = 1}));
  model.on_report(1, 0, report(3s, {.round_trips = 5, .unresolved = 5}));  // no path is known
  const auto snapshot = model.snapshot(at(4s));
  REQUIRE(snapshot->paths.size() == 2);
  CHECK(snapshot->paths[0].path == 7);
  CHECK(snapshot->paths[0].counts.forward == 2);
  CHECK(snapshot->paths[1].counts.resolved == 20);
  CHECK(snapshot->paths[1].counts.forward == 1);
  CHECK(snapshot->paths[1].window.reverse == 3);
  CHECK(snapshot->flows[0].counts.forward == 3);
  CHECK(snapshot->flows[1].counts.unresolved == 5);
  // The window is over, the counters stay.
  const auto later = model.snapshot(at(6min));
  CHECK(later->paths[1].window.resolved == 0);
  CHECK(later->paths[1].counts.resolved == 20);
}

TEST_CASE("A way back that the reflector names counts for itself", "[stamp]") {
  OnewayModel model(2, 5min, 1s, 2s);
  const auto named = [](Duration since, std::uint32_t back, std::uint8_t hops) {
    StreamReport made = answered(since, 5ms, 5ms);
    made.exchange->back = stamp::OwnTlv::Path{back, hops};
    return made;
  };
  model.on_report(0, 7, report(0s, {.resolved = 10, .reverse = 1}));
  model.on_report(0, 7, named(1s, 0xbac4, 4));
  model.on_report(0, 7, report(2s, {.resolved = 20, .forward = 2, .reverse = 3}));
  const auto snapshot = model.snapshot(at(3s));
  REQUIRE(snapshot->paths.size() == 2);
  const OnewayPathSnapshot& there = snapshot->paths[0];
  CHECK(there.path == 7);
  CHECK(there.counts.resolved == 30);
  CHECK(there.back.reverse == 1);  // before anything was known of the way back
  CHECK(there.forward.count == 1);
  CHECK(there.reverse.count == 0);
  const OnewayPathSnapshot& back = snapshot->paths[1];
  CHECK(back.path == 0xbac4);
  CHECK(back.counts == stamp::OnewayCounts{});
  CHECK(back.back.reached() == 18);
  CHECK(back.back.reverse == 3);
  CHECK(back.reverse.count == 1);
  CHECK(snapshot->flows[0].reverse_path == 0xbac4);
}

TEST_CASE("Routers of a way back are published once each was reported", "[stamp][reverse]") {
  OnewayModel model(2, 5min, 1s, 2s);
  const auto router = [](std::uint32_t number) { return IpAddress::v4(0x0a000000 + number); };
  Duration since = 0s;
  const auto say = [&](std::uint32_t id, std::uint8_t hops, std::uint8_t hop, const IpAddress& address) {
    since += 1s;
    StreamReport made = answered(since, 5ms, 5ms);
    made.exchange->back = stamp::OwnTlv::Path{.id = id, .hops = hops, .hop = hop, .address = address};
    model.on_report(0, 7, made);
    return model.snapshot(at(since))->flows[0].reverse_routers;
  };
  CHECK_FALSE(say(1, 3, 1, router(1)));
  CHECK_FALSE(say(1, 3, 3, router(3)));
  CHECK_FALSE(say(1, 3, 0, {}));        // a packet without room
  const auto known = say(1, 3, 2, {});  // it keeps quiet
  REQUIRE(known);
  CHECK(*known == std::vector{router(1), IpAddress(), router(3)});
  CHECK(say(1, 3, 1, router(1)) == known);
  // Another way is another list, and a number behind its end is none.
  CHECK_FALSE(say(2, 1, 2, router(9)));
  CHECK(*say(2, 1, 1, router(4)) == std::vector{router(4)});
  CHECK_FALSE(say(3, 255, 255, router(9)));
  CHECK_FALSE(say(4, 64, 64, router(9)));
  CHECK_FALSE(model.snapshot(at(since))->flows[1].reverse_routers);
}

TEST_CASE("A reflector that names another way back with each reply takes no more memory", "[stamp]") {
  OnewayModel model(2, 5min, 1s, 2s);
  for (std::uint32_t i = 1; i <= 1000; ++i) {
    StreamReport made = answered(i * 1s, 5ms, 5ms);
    made.exchange->back = stamp::OwnTlv::Path{1000 + i, 3};
    made.counts = {.resolved = 1};
    model.on_report(i % 2, 7, made);
  }
  const auto snapshot = model.snapshot(at(1000s));
  CHECK(snapshot->paths.size() <= (1 + OnewayModel::kReversePathsPerFlow) * 2 + 8);
  std::uint64_t packets = 0;
  for (const OnewayPathSnapshot& path : snapshot->paths)
    packets += path.back.reached();
  CHECK(packets >= 1000 - 700);  // of the last ten minutes at least: paths out of use go
  std::uint64_t there = 0;
  for (const OnewayPathSnapshot& path : snapshot->paths)
    there += path.counts.resolved;
  CHECK(there == 1000);
}

TEST_CASE("Rounds of a flow say in sum what its stream has counted", "[stamp]") {
  OnewayModel model(1, 5min, 1s, 2s);
  stamp::OnewayCounts sum;
  for (std::uint64_t i = 0; i < 5; ++i) {
    model.on_report(0, 7, report(std::chrono::seconds(10 * i), {.resolved = 10, .forward = i, .reverse = 1}));
    const auto round = model.round(0, 7, at(std::chrono::seconds(10 * i + 1)));
    REQUIRE(round);
    CHECK(round->flow.counts.forward == i);
    CHECK(round->reflector.mode == stamp::ReflectorMode::stateful);
    REQUIRE(round->there);
    CHECK(round->there == round->back);
    CHECK(round->there->counts.resolved == 10 * (i + 1));
    sum += round->flow.counts;
  }
  CHECK(sum == model.snapshot(at(50s))->flows[0].counts);
  CHECK(model.round(0, 7, at(51s))->flow.counts == stamp::OnewayCounts{});
}

TEST_CASE("A restart that every stream sees is one", "[stamp]") {
  OnewayModel model(3, 5min, 1s, 2s);
  for (std::uint32_t flow = 0; flow < 3; ++flow)
    model.on_report(flow, 7, report(flow * 300ms, {.restarts = 1}));
  CHECK(model.snapshot(at(2s))->restarts == 1);
  model.on_report(0, 7, report(10min, {.restarts = 1}));
  CHECK(model.snapshot(at(10min))->restarts == 2);
}

TEST_CASE("A reflector is up while it answers, and nothing is said before it could have", "[stamp]") {
  OnewayModel model(1, 5min, 1s, 2s);
  CHECK_FALSE(model.snapshot(at(0s))->up);
  model.on_report(0, 7, report(0s, {}));
  CHECK_FALSE(model.snapshot(at(1s))->up);
  CHECK(model.snapshot(at(6s))->up == false);
  model.on_report(0, 7, answered(7s, 5ms, 5ms));
  CHECK(model.snapshot(at(8s))->up == true);
  CHECK(model.snapshot(at(13s))->up == false);
}

TEST_CASE("Paths to one reflector are ranked in each direction though its clock is off", "[stamp]") {
  OnewayModel model(2, 5min, 1s, 2s);
  for (int second = 0; second < 11; ++second) {
    model.on_report(0, 7, answered(std::chrono::seconds(second), 10ms, 30ms));
    model.on_report(1, 9, answered(std::chrono::seconds(second) + 1ms, 14ms, 29ms));
  }
  const auto snapshot = model.snapshot(at(11s));
  REQUIRE(snapshot->paths.size() == 2);
  CHECK(snapshot->paths[0].relative_forward == Duration(0));
  CHECK(snapshot->paths[1].relative_forward == Duration(4ms));
  CHECK(snapshot->paths[0].relative_reverse == Duration(1ms));
  CHECK(snapshot->paths[1].relative_reverse == Duration(0));
  CHECK(snapshot->paths[0].forward.count == 11);
  CHECK(snapshot->paths[0].forward.seconds == 0.0);
}

TEST_CASE("Seconds count by when packets left, for the path of their direction", "[stamp]") {
  OnewayModel model(1, 5min, 1s, 2s);
  StreamReport named = answered(0s, 5ms, 5ms);
  named.exchange->back = stamp::OwnTlv::Path{0xbac4, 4};
  model.on_report(0, 7, named);
  const auto settle = [&](Duration since, const std::vector<stamp::SettledPacket>& packets) {
    StreamReport made = report(since, {.resolved = packets.size()});
    made.packets = packets;
    model.on_report(0, 7, made);
  };
  using enum stamp::PacketFate;
  // Twelve seconds without a packet that came there, then three whose replies were lost.
  for (int i = 0; i < 40; ++i) {
    const bool outage = i >= 10 && i < 22;
    settle(std::chrono::seconds(i + 3), {{at(std::chrono::seconds(i)), outage              ? lost_forward
                                                                       : i >= 30 && i < 33 ? lost_reverse
                                                                                           : returned}});
  }
  const auto seconds = [&](std::size_t path) { return model.snapshot(at(2min))->paths.at(path); };
  CHECK(seconds(0).forward_seconds == LossSecondsSum{});  // packets of these seconds may still be under way
  settle(3min, {{at(177s), returned}});
  REQUIRE(model.snapshot(at(3min))->paths.size() == 2);
  CHECK(seconds(0).path == 7);
  CHECK(seconds(0).forward_seconds == LossSecondsSum{0, 12});
  CHECK(seconds(0).reverse_seconds == LossSecondsSum{});
  CHECK(seconds(1).path == 0xbac4);
  CHECK(seconds(1).forward_seconds == LossSecondsSum{});
  CHECK(seconds(1).reverse_seconds == LossSecondsSum{3, 0});
  // Nothing says where these were lost.
  for (int i = 180; i < 200; ++i)
    settle(std::chrono::seconds(i + 3), {{at(std::chrono::seconds(i)), i == 190 ? lost_anywhere : round_trip}});
  settle(5min, {{at(297s), returned}});
  CHECK(seconds(0).unresolved_seconds == LossSecondsSum{1, 0});
}

TEST_CASE("A reflector is down after five seconds at least, however often it is asked", "[stamp]") {
  OnewayModel model(1, 5min, 30ms, 900ms);
  model.on_report(0, 7, answered(0s, 5ms, 5ms));
  CHECK(model.snapshot(at(4900ms))->up == true);
  CHECK(model.snapshot(at(5100ms))->up == false);
  OnewayModel rare(1, 5min, 10s, 2s);
  rare.on_report(0, 7, answered(0s, 5ms, 5ms));
  CHECK(rare.snapshot(at(31s))->up == true);
  CHECK(rare.snapshot(at(33s))->up == false);
}

TEST_CASE("Delays by synchronised clocks count for the paths of each direction, with what the clocks claim",
          "[stamp]") {
  OnewayModel model(1, 5min, 1s, 2s);
  CHECK_FALSE(model.snapshot(at(0s))->clock_error);
  auto first = answered(0s, 10ms, 20ms);
  first.exchange->delay = stamp::AbsoluteDelay{.forward = 10ms, .reverse = 20ms, .error = 3ms};
  model.on_report(0, 7, first);
  auto second = answered(1s, 30ms, 20ms);
  second.exchange->delay = stamp::AbsoluteDelay{.forward = 30ms, .reverse = 20ms, .error = 4ms};
  model.on_report(0, 7, second);
  auto snapshot = model.snapshot(at(2s));
  CHECK(snapshot->clock_error == 4ms);
  REQUIRE(snapshot->paths.size() == 1);
  const DelaySum& forward = snapshot->paths[0].forward_delay;
  CHECK(forward.sum.count == 2);
  CHECK(forward.sum.seconds == Approx(0.04));
  CHECK(forward.window == 2);
  CHECK(forward.quantiles.p99 > 27ms);
  CHECK(forward.quantiles.p99 < 33ms);
  CHECK(snapshot->paths[0].reverse_delay.sum.seconds == Approx(0.04));
  // A clock that claims nothing any more: what was measured stays.
  model.on_report(0, 7, answered(3s, 10ms, 20ms));
  snapshot = model.snapshot(at(4s));
  CHECK_FALSE(snapshot->clock_error);
  CHECK(snapshot->paths[0].forward_delay.sum.count == 2);
  CHECK(model.snapshot(at(10min))->paths[0].forward_delay.window == 0);
}

TEST_CASE("A restart that all streams see is one, and the next one is another", "[stamp]") {
  OnewayModel model(2, 5min, 100ms, 2s);
  model.on_report(0, 7, report(0s, {.resolved = 1, .restarts = 1}));
  model.on_report(1, 7, report(2s, {.resolved = 1, .restarts = 1}));
  CHECK(model.snapshot(at(3s))->restarts == 1);
  model.on_report(0, 7, report(8s, {.resolved = 1, .restarts = 1}));
  model.on_report(1, 7, report(9s, {.resolved = 1, .restarts = 1}));
  CHECK(model.snapshot(at(10s))->restarts == 2);
}
