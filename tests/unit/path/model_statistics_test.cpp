// Worked examples of what is counted of loss, RTT and jitter, by path and by hop.
#include <vector>

#include "catch.hpp"
#include "path/model/destination_model.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

using namespace std::chrono_literals;
using round_builder::Measured;

/// Rounds of one destination, with RTTs given in the rounds' text order: every answer of a round has the same one.
class Timed : public Measured {
 public:
  using Measured::Measured;

  PathVerdict one(std::string_view hops, Duration rtt, std::uint8_t distance = 0) {
    return flow(0, hops, rtt, distance, 10);
  }

  PathVerdict flow(std::uint32_t index, std::string_view hops, Duration rtt, std::uint8_t distance, double then) {
    Round round = round_builder::round(hops, now, distance);
    round.number = static_cast<std::uint32_t>(now / 10);
    for (HopResult& hop : round.hops)
      if (hop.outcome == HopOutcome::replied) hop.rtt = rtt;
    now += then;
    return model.on_round(index, round);
  }
};

bool near(Duration told, Duration exact) {
  return log_buckets::key_of(in_seconds(told)) == log_buckets::key_of(in_seconds(exact));
}

}  // namespace

TEST_CASE("jitter is the difference of consecutive answered rounds, and starts anew after a gap", "[path]") {
  Timed net(1);
  net.one("a b D", 10ms);
  net.one("a b D", 14ms);                           // 4 ms
  net.one("a * D", 11ms);                           // 3 ms, but not at b, which kept silent
  net.one("a b D", 12ms);                           // 1 ms, at b nothing to compare
  net.one("a b *", 20ms, 3);                        // lost: 8 ms at a and b only
  net.one("a b D", 21ms);                           // 1 ms at a and b, end to end nothing
  net.now += 10;                                    // a skipped round
  net.one("a b D", 50ms);                           // nothing at all
  const PathVerdict last = net.one("a b D", 52ms);  // 2 ms
  const auto told = net.told();
  const PathSnapshot& path = told->paths.at(0);
  CHECK(path.statistics->jitter().count() == 4);
  CHECK(path.statistics->jitter().sum() == Approx(0.004 + 0.003 + 0.001 + 0.002));
  CHECK(path.hops.at(0).statistics->jitter().sum() == Approx(0.004 + 0.003 + 0.001 + 0.008 + 0.001 + 0.002));
  CHECK(path.hops.at(1).statistics->jitter().sum() == Approx(0.004 + 0.008 + 0.001 + 0.002));
  CHECK(path.hops.at(2).statistics->jitter().count() == 4);
  CHECK(path.statistics->rtt().count() == path.replies);
  for (const HopSnapshot& hop : path.hops) {
    CHECK(hop.statistics->rtt().count() == hop.counters.replies);
    CHECK(hop.statistics->window.probes == hop.counters.probes);
    CHECK(hop.statistics->window.losses == hop.counters.losses);
  }
  // J: 4/16 ms, then by the formula; in sixteenths of a nanosecond as RFC 3550 appendix A.8 does it.
  std::int64_t smoothed = 0;
  for (const std::int64_t difference : {4'000'000, 3'000'000, 1'000'000, 2'000'000})
    smoothed += difference - ((smoothed + 8) >> 4);
  CHECK(last.smoothed_jitter.count() == smoothed >> 4);
  REQUIRE(last.window);
  CHECK(near(last.window->figures.jitter.p50, 2ms) != near(last.window->figures.jitter.p50, 1ms));
  CHECK(last.window->figures.losses == 1);
  CHECK(last.window->figures.probes == 8);
  CHECK(last.window->figures.least_rtt == 10ms);
  CHECK(std::chrono::abs(last.window->delay_variation.p99 - 42ms) < 4ms);
}

TEST_CASE("the RTTs of two flows are not compared with each other", "[path]") {
  Timed net(2);
  for (int i = 0; i < 3; ++i) {
    net.flow(0, "a b D", 10ms, 0, 5);
    net.flow(1, "a b D", 90ms, 0, 5);
  }
  const auto told = net.told();
  REQUIRE(told->paths.size() == 1);
  CHECK(told->paths[0].statistics->jitter().count() == 4);
  CHECK(told->paths[0].statistics->jitter().zero_count() == 4);
  CHECK(told->paths[0].statistics->rtt().count() == 6);
}

TEST_CASE("loss is told as the ratio of each interval over all flows", "[path]") {
  Timed net(4);
  // Lost of four flows in five intervals of 10 s: 0, 1, 2, 4, 0.
  const std::vector<unsigned> lost = {0, 1, 2, 4, 0};
  for (const unsigned count : lost)
    for (unsigned flow = 0; flow < 4; ++flow)
      net.flow(flow, flow < count ? "a b *" : "a b D", 10ms, 3, 2.5);
  net.now += 20;  // until the last one is over
  const auto told = net.told();
  const PathSnapshot& path = told->paths.at(0);
  for (const HistogramView& loss : {path.statistics->loss(), path.hops.at(2).statistics->loss()}) {
    CHECK(loss.count() == 5);
    CHECK(loss.zero_count() == 2);
    CHECK(loss.sum() == Approx(0.25 + 0.5 + 1));
    std::vector<std::uint64_t> counts(4);
    ClassicBounds({0.25, 0.5, 1}).count(loss, {}, counts);
    CHECK(counts == std::vector<std::uint64_t>{3, 4, 5, 5});
  }
  CHECK(path.hops.at(0).statistics->loss().count() == 5);
  CHECK(path.hops.at(0).statistics->loss().zero_count() == 5);
  CHECK(path.statistics->window.loss_ratio() == Approx(7.0 / 20));
}

TEST_CASE("what could not be sent is in no loss ratio", "[path]") {
  Timed net(1);
  for (int i = 0; i < 3; ++i)
    net.one("a b D", 10ms);
  for (int i = 0; i < 3; ++i)
    net.one("a - -", 10ms, 3);
  net.now += 30;
  const auto told = net.told();
  CHECK(told->paths.at(0).statistics->loss().count() == 3);
  CHECK(told->paths.at(0).statistics->window.probes == 3);
  CHECK(told->paths.at(0).hops.at(0).statistics->loss().count() == 6);
  CHECK(told->paths.at(0).hops.at(1).statistics->loss().count() == 3);
}

TEST_CASE("a destination that goes quiet ages out of its window, not out of its histograms", "[path]") {
  Timed net(1);
  for (int i = 0; i < 10; ++i)
    net.one("a b D", 10ms);
  const auto busy = net.told();
  CHECK(busy->paths.at(0).statistics->window.rtts == 10);
  net.now += 300;
  const auto quiet = net.told();
  CHECK(quiet->paths.at(0).statistics->window == WindowFigures());
  CHECK(quiet->paths.at(0).hops.at(1).statistics->window == WindowFigures());
  CHECK(quiet->paths.at(0).statistics->rtt().count() == 10);
  // What was told before did not change behind its readers' backs.
  CHECK(busy->paths.at(0).statistics->window.rtts == 10);
}

TEST_CASE("a snapshot shares what has not changed and keeps what has", "[path]") {
  Timed net(2);
  net.flow(0, "a b1 D", 10ms, 0, 5);
  net.flow(1, "a b2 D", 10ms, 0, 5);
  const auto first = net.told();
  CHECK(net.told()->paths.at(1).hops.at(0).statistics == first->paths.at(1).hops.at(0).statistics);
  net.flow(0, "a b1 D", 10ms, 0, 5);
  const auto second = net.told();
  CHECK(second->paths.at(1).statistics == first->paths.at(1).statistics);
  CHECK(second->paths.at(0).statistics != first->paths.at(0).statistics);
  CHECK(first->paths.at(0).statistics->rtt().count() == 1);
  CHECK(second->paths.at(0).statistics->rtt().count() == 2);
}

TEST_CASE("counters and histograms only grow, also over a path flap", "[path]") {
  Timed net(1);
  std::uint64_t before = 0;
  for (int i = 0; i < 60; ++i) {
    // Away for six rounds, back for six.
    const bool away = i / 6 % 2 == 1;
    net.one(away ? "a c D" : "a b D", away ? 30ms : 10ms);
    const auto told = net.told();
    std::uint64_t all = 0;
    for (const PathSnapshot& path : told->paths) {
      CHECK(path.statistics->rtt().count() == path.replies);
      all += path.statistics->rtt().count() + path.statistics->jitter().count() + path.statistics->loss().count();
      for (const HopSnapshot& hop : path.hops)
        all += hop.statistics->rtt().count() + hop.statistics->jitter().count();
    }
    CAPTURE(i);
    CHECK(all > before);
    before = all;
  }
  const auto told = net.told();
  REQUIRE(told->paths.size() == 2);
  // A change is no jitter: 20 ms more or less is seen nowhere.
  for (const PathSnapshot& path : told->paths) {
    CHECK(path.statistics->jitter().count() > 10);
    CHECK(path.statistics->jitter().sum() == 0);
  }
}

TEST_CASE("what is counted on the sketch of a path goes on with the path", "[path]") {
  Timed net(1);
  net.one("a b", 10ms);
  net.one("a b", 12ms);
  net.one("a b c D", 13ms);
  const auto told = net.told();
  REQUIRE(told->paths.size() == 1);
  CHECK(told->paths[0].hops.at(0).statistics->rtt().count() == 3);
  CHECK(told->paths[0].hops.at(0).statistics->window.rtts == 3);
}

TEST_CASE("without hop histograms hops still have their window", "[path]") {
  ModelOptions options;
  options.hop_histograms = false;
  Timed net(1, options);
  for (int i = 0; i < 4; ++i)
    net.one("a b D", 10ms);
  const auto told = net.told();
  const HopSnapshot& hop = told->paths.at(0).hops.at(0);
  CHECK(hop.statistics->rtt().empty());
  CHECK(hop.statistics->jitter().empty());
  CHECK(hop.statistics->loss().empty());
  CHECK(hop.statistics->window.rtts == 4);
  CHECK(told->paths.at(0).statistics->rtt().count() == 4);
}

TEST_CASE("another interval closes the loss of the old ones", "[path]") {
  Timed net(1);
  for (int i = 0; i < 3; ++i)
    net.one("a b D", 10ms);
  auto slower = std::make_shared<DestinationFacts>(*round_builder::facts(1));
  slower->interval = 100s;
  net.model.set_facts(slower);
  CHECK(net.told()->paths.at(0).statistics->loss().count() == 3);
  net.one("a b *", 10ms, 3);
  net.now += 300;
  CHECK(net.told()->paths.at(0).statistics->loss().count() == 4);
  CHECK(net.told()->paths.at(0).statistics->loss().sum() == 1);
}

TEST_CASE("classic buckets of paths and hops are exact at the bounds of the configuration", "[path]") {
  using Kind = Statistics::Kind;
  auto bounds = std::make_shared<Statistics::Bounds>();
  (*bounds)[static_cast<std::size_t>(Kind::rtt)].add(std::vector<double>{0.01});
  (*bounds)[static_cast<std::size_t>(Kind::jitter)].add(std::vector<double>{0.0005});
  (*bounds)[static_cast<std::size_t>(Kind::loss)].add(std::vector<double>{0.1});
  Timed net(1, ModelOptions{.bounds = bounds});
  // RTTs 9.5 ms and 10 ms in turn: all within le="0.01", and differences of 0.5 ms within le="0.0005".
  for (int i = 0; i < 400; ++i) {
    net.one("a b D", i % 2 == 0 ? 9'500'000ns : 10'000'000ns);
    if (i % 50 == 0) net.told();
  }
  net.one("a b D", 10'000'001ns);
  const auto told = net.told();
  const PathSnapshot& path = told->paths.at(0);
  const auto within = [&](const Statistics& statistics, Kind kind, double bound) {
    std::vector<std::uint64_t> counts(2);
    ClassicBounds({bound}, &(*bounds)[static_cast<std::size_t>(kind)])
        .count(statistics.view(kind), statistics.beside(kind), counts);
    return counts;
  };
  for (const Statistics* const statistics : {path.statistics.get(), path.hops.at(1).statistics.get()}) {
    CHECK(within(*statistics, Kind::rtt, 0.01) == std::vector<std::uint64_t>{400, 401});
    CHECK(within(*statistics, Kind::jitter, 0.0005) == std::vector<std::uint64_t>{400, 400});
  }
}

}  // namespace ecmp
