#include <algorithm>

#include "catch.hpp"
#include "path/model/destination_model.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

using round_builder::address;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;

constexpr WallTime kStart{1'800'000'000s};

/// A round each 10 s, with the civil time at which it began.
struct Begun {
  explicit Begun(std::uint16_t flows, const ModelOptions& options = {}) : model(round_builder::facts(flows), options) {
    model.begin(kStart);
  }

  PathVerdict round(std::uint32_t flow, std::string_view hops, std::uint8_t distance = 0) {
    return model.on_round(flow, round_builder::round(hops, now, distance), wall(now));
  }
  [[nodiscard]] WallTime wall(double instant) const {
    return kStart + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(instant - 1000)) + set_by;
  }
  std::shared_ptr<const DestinationSnapshot> told() { return model.snapshot(round_builder::at(now)); }

  DestinationModel model;
  double now = 1000;
  Duration set_by{};  ///< how far somebody has set the clock
};

const HopSnapshot& hop(const PathSnapshot& path, std::string_view responder) {
  const auto found = std::ranges::find(path.hops, address(responder), &HopSnapshot::responder);
  REQUIRE(found != path.hops.end());
  return *found;
}

}  // namespace

TEST_CASE("flows begin with their destination, paths and hops with the round that shows them", "[path][begin]") {
  Begun net(2);
  CHECK(net.told()->began == kStart);
  CHECK(net.told()->flows.at(1).began == kStart);
  net.now += 10;
  net.round(0, "a b * D");
  net.now += 10;
  net.round(1, "a e * D");
  net.now += 10;
  net.round(0, "a b c D");
  const auto told = net.told();
  CHECK(told->began == kStart);
  CHECK(told->flows.at(0).began == kStart);
  REQUIRE(told->paths.size() == 2);
  CHECK(told->paths[0].began == kStart + 10s);
  CHECK(told->paths[1].began == kStart + 20s);
  CHECK(hop(told->paths[0], "b").began == kStart + 10s);
  CHECK(hop(told->paths[0], "c").began == kStart + 30s);
  CHECK(hop(told->paths[1], "e").began == kStart + 20s);
}

TEST_CASE("no begin moves, whoever comes, goes or sets the clock", "[path][begin]") {
  Begun net(2);
  net.now += 10;
  net.round(0, "a b D");
  const auto before = net.told();
  net.set_by = -24h;
  net.now += 10;
  net.round(0, "a b D");
  net.round(1, "a b D");
  net.round(1, "a !f D", 3);
  net.model.forget_paths();
  net.now += 10;
  net.round(1, "a b D");
  const auto after = net.told();
  REQUIRE(after->paths.size() == 1);
  CHECK(after->paths[0].began == before->paths.at(0).began);
  CHECK(after->paths[0].hops.at(1).began == before->paths.at(0).hops.at(1).began);
  CHECK(after->flows.at(0).began == before->flows.at(0).began);
  CHECK(after->began == before->began);
  // What begins now is told by the clock as it is now.
  CHECK(after->unreachables.at(0).began == kStart + 20s - 24h);
}

TEST_CASE("what is counted of refusals begins with the first", "[path][begin]") {
  Begun net(1);
  net.round(0, "a b D");
  for (int i = 0; i < 3; ++i) {
    net.now += 10;
    net.round(0, "a !f *", 3);
  }
  const auto told = net.told();
  REQUIRE(told->unreachables.size() == 1);
  CHECK(told->unreachables[0].count == 3);
  CHECK(told->unreachables[0].began == kStart + 10s);
}

TEST_CASE("a path takes the begin of its sketch along, but keeps one that was told", "[path][begin]") {
  SECTION("nobody else knew it") {
    Begun net(1);
    net.round(0, "a * D");
    net.now += 10;
    net.round(0, "a b D");
    const auto told = net.told();
    REQUIRE(told->paths.size() == 1);
    CHECK(told->paths[0].probes == 2);
    CHECK(told->paths[0].began == kStart);
    CHECK(hop(told->paths[0], "a").began == kStart);
  }
  SECTION("others did: its counters grow by what the sketch had") {
    Begun net(3);
    net.round(2, "a * c D");
    net.now += 10;
    net.round(0, "a b1 c D");
    net.round(1, "a b2 c D");
    const auto before = net.told();
    REQUIRE(before->paths.size() >= 2);
    const auto known = std::ranges::find_if(before->paths, [](const PathSnapshot& path) {
      return std::ranges::find(path.hops, address("b2"), &HopSnapshot::responder) != path.hops.end();
    });
    REQUIRE(known != before->paths.end());
    net.now += 10;
    net.round(2, "a b2 c D");
    const auto told = net.told();
    const auto same = std::ranges::find(told->paths, known->id, &PathSnapshot::id);
    REQUIRE(same != told->paths.end());
    CHECK(same->probes > known->probes);
    CHECK(same->began == known->began);
  }
}

TEST_CASE("a path that comes back after its retention goes on counting, and its begin stays", "[path][begin]") {
  ModelOptions options;
  options.path_retention = 60s;
  Begun net(1, options);
  const std::uint32_t id = net.round(0, "a b D").path;
  net.now += 10;
  net.round(0, "a x D");  // not confirmed yet: it counts for no path
  const PathSnapshot before = net.told()->paths.at(0);
  CHECK(before.probes == 1);
  for (int i = 0; i < 8; ++i) {
    net.now += 10;
    net.round(0, "a x D");
  }
  REQUIRE(net.told()->paths.size() == 1);
  for (int i = 0; i < 2; ++i) {
    net.now += 10;
    net.round(0, "a b D");
  }
  const auto told = net.told();
  const auto back = std::ranges::find(told->paths, id, &PathSnapshot::id);
  REQUIRE(back != told->paths.end());
  CHECK(back->probes == before.probes + 2);  // the first was its own as well, once the second had confirmed it
  CHECK(back->began == before.began);
}

TEST_CASE("a path whose name was restored begins when a flow is found on it", "[path][begin]") {
  Begun first(1);
  const PathVerdict verdict = first.round(0, "a b D");
  PathNames names;
  REQUIRE(take_in(names, *first.told(), kStart));
  DestinationPathNames& known = names.begin()->second;
  known.paths.at(0).ordinal = known.last_ordinal = 7;
  Begun net(1);
  net.model.restore(known, round_builder::at(net.now));
  net.now += 10;
  net.round(0, "a b D");
  const auto told = net.told();
  REQUIRE(told->paths.size() == 1);
  CHECK(told->paths[0].id == verdict.path);
  CHECK(told->paths[0].ordinal == 7);
  CHECK(told->paths[0].probes == 1);
  CHECK(told->paths[0].began == kStart + 10s);
}

TEST_CASE("flows begin when they are steady for the first time, other flows anew", "[path][begin]") {
  auto facts = std::make_shared<DestinationFacts>(*round_builder::facts(3));
  facts->steady = std::make_shared<const std::vector<std::uint16_t>>(std::vector<std::uint16_t>{0});
  DestinationModel model(facts, {});
  model.begin(kStart);
  const auto steady = [&](std::vector<std::uint16_t> kept, WallTime now) {
    auto next = std::make_shared<DestinationFacts>(*facts);
    next->steady = std::make_shared<const std::vector<std::uint16_t>>(std::move(kept));
    model.set_facts(next, now);
    return model.snapshot(round_builder::at(1000));
  };
  auto told = steady({0, 2}, kStart + 10s);
  REQUIRE(told->flows.size() == 2);
  CHECK(told->flows[0].began == kStart);
  CHECK(told->flows[1].began == kStart + 10s);
  told = steady({0}, kStart + 20s);
  CHECK(told->flows.size() == 1);
  told = steady({0, 1, 2}, kStart + 30s);
  REQUIRE(told->flows.size() == 3);
  CHECK(told->flows[1].began == kStart + 30s);
  CHECK(told->flows[2].began == kStart + 10s);  // what it counted was kept
  auto others = std::make_shared<DestinationFacts>(*facts);
  others->source_ports = 40000;
  model.set_facts(others, kStart + 40s);
  told = model.snapshot(round_builder::at(1000));
  REQUIRE(told->flows.size() == 1);
  CHECK(told->flows[0].began == kStart + 40s);
  CHECK(told->began == kStart);
}

}  // namespace ecmp
