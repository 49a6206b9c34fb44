// Which link loses, and on which way: streams of many flows over a fan of two tiers each way, whose ways there and back
// are hashed apart. One link of one way loses. ECMP_SIM_SEEDS=200 build/check/tests/sim/sim_tests "[directed]" is the
// full size.
#include "path/localisation/directed_localisation.hpp"

#include <array>
#include <cstdlib>

#include "catch.hpp"
#include "sim/random.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kDestinations = 4;
constexpr std::uint32_t kFlows = 16;
constexpr std::uint32_t kBranches = 4;

std::uint64_t seeds() {
  const char* const text = std::getenv("ECMP_SIM_SEEDS");
  return text == nullptr ? 10 : std::strtoull(text, nullptr, 10);
}

IpAddress node(std::uint32_t number) {
  return IpAddress::v4(0x0a000000 + number);
}

/// Routers of one way: an edge, one of four spines, one of four leaves of the destination, in this order; the others
/// of the way back are other interfaces of the same routers, as a traceroute sees them.
struct Way {
  std::vector<IpAddress> routers;
  std::vector<LinkEnds> links;  ///< with both ends
};

Way way(const IpAddress& from, const IpAddress& to, std::uint32_t destination, OneWay direction, Random& random) {
  const std::uint32_t base = direction == OneWay::forward ? 1000 : 5000;
  const auto spine = static_cast<std::uint32_t>(random.below(kBranches));
  const auto leaf = static_cast<std::uint32_t>(random.below(kBranches));
  Way made;
  made.routers = {node(base), node(base + 10 + spine), node(base + 100 + 10 * destination + leaf)};
  if (direction == OneWay::reverse) std::swap(made.routers[0], made.routers[2]);
  IpAddress before = from;
  for (const IpAddress& router : made.routers) {
    made.links.push_back({before, router});
    before = router;
  }
  made.links.push_back({before, to});
  return made;
}

struct Flow {
  std::uint32_t destination = 0;
  Way there, back;
};

/// Packets of `count` that a link with this loss takes.
std::uint64_t lost(std::uint64_t count, const Way& on, const LinkEnds& bad, double ratio, Random& random) {
  if (std::ranges::find(on.links, bad) == on.links.end()) return 0;
  const Probability chance = Probability::of(ratio);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i)
    sum += random.happens(chance) ? 1u : 0u;
  return sum;
}

}  // namespace

TEST_CASE("The right link is blamed for what is lost on the way there or back", "[sim][directed][localisation]") {
  int right = 0;
  int runs = 0;
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    const IpAddress agent = node(1);
    std::vector<std::shared_ptr<const DestinationFacts>> facts;
    std::vector<Flow> flows;
    for (std::uint32_t i = 0; i < kDestinations; ++i) {
      DestinationFacts made;
      made.name = "d" + std::to_string(i);
      made.address = node(100 + i);
      made.source_ports = static_cast<std::uint16_t>(40000 + 100 * i);
      made.flows = kFlows;
      made.interval = 10s;
      facts.push_back(std::make_shared<const DestinationFacts>(made));
      for (std::uint32_t flow = 0; flow < kFlows; ++flow)
        flows.push_back({i, way(agent, made.address, i, OneWay::forward, random),
                         way(made.address, agent, i, OneWay::reverse, random)});
    }
    const Flow& chosen = flows[random.below(flows.size())];
    const OneWay direction = random.below(2) == 0 ? OneWay::forward : OneWay::reverse;
    const Way& on = direction == OneWay::forward ? chosen.there : chosen.back;
    // The link from or to a spine, which flows distinguish.
    const LinkEnds bad = on.links[1 + random.below(2)];
    DirectedLocalisation localisation({.window = 5min});
    const Duration offset = 1767225600s;
    std::vector<LinkVerdict> verdicts;
    std::vector<std::shared_ptr<const PathEvent>> events;
    for (int round = 0; round < 30; ++round) {
      for (std::uint32_t i = 0; i < flows.size(); ++i) {
        const Flow& flow = flows[i];
        OnewayRound oneway;
        stamp::OnewayCounts& counts = oneway.flow.counts;
        counts.resolved = 10;
        counts.forward = lost(10, flow.there, bad, 0.02, random);
        counts.reverse = lost(counts.reached(), flow.back, bad, 0.02, random);
        oneway.flow.reverse_routers = std::make_shared<const std::vector<IpAddress>>(flow.back.routers);
        RoundRecord record;
        record.destination = facts[flow.destination];
        record.flow_index = i % kFlows;
        record.source = agent;
        record.wall_offset = offset;
        record.round.finished = Instant(1h + round * 10s);
        record.verdict.path = 1 + i;
        record.verdict.responders = std::make_shared<const std::vector<IpAddress>>(flow.there.routers);
        record.oneway = std::make_shared<const OnewayRound>(oneway);
        localisation.on_round(record);
      }
      const Instant now(1h + round * 10s + 9s);
      verdicts = localisation.pass(now, WallTime(now.time_since_epoch() + offset));
      for (auto& event : localisation.take_events())
        events.push_back(std::move(event));
    }
    // What the last pass found is an event with the next.
    verdicts = localisation.pass(Instant(1h + 300s), WallTime(1h + 300s + offset));
    for (auto& event : localisation.take_events())
      events.push_back(std::move(event));
    ++runs;
    bool found = false;
    for (const LinkVerdict& verdict : verdicts) {
      if (!verdict.blamed) continue;
      CHECK(std::ranges::find(verdict.links, bad) != verdict.links.end());
      CHECK(verdict.direction == direction);
      CHECK_FALSE(verdict.reproduced_by.empty());
      found = true;
    }
    right += found ? 1 : 0;
    if (!found) continue;
    REQUIRE_FALSE(events.empty());
    CHECK(events.front()->kind == EventKind::loss_verdict);
    CHECK(events.front()->get<LinkVerdict>()->direction == direction);
  }
  CHECK(right >= runs * 19 / 20);
}

TEST_CASE("A link that loses for a minute is dated, and its verdict has the loss of that minute",
          "[sim][directed][localisation]") {
  const IpAddress agent = node(1);
  const std::array spines = {node(10), node(11)};
  DestinationFacts made;
  made.name = "d";
  made.address = node(100);
  made.source_ports = 40000;
  made.flows = kFlows;
  made.interval = 10s;
  const auto facts = std::make_shared<const DestinationFacts>(made);
  for (const OneWay direction : {OneWay::forward, OneWay::reverse}) {
    DirectedLocalisation localisation({.window = 5min});
    Random random(11);
    const Probability chance = Probability::of(0.2);
    const Duration offset = 1767225600s;
    std::vector<LinkVerdict> verdicts;
    std::vector<std::shared_ptr<const PathEvent>> events;
    const auto wall = [&](int seconds) { return WallTime(1h + std::chrono::seconds(seconds) + offset); };
    // Loss between the rounds of 60 and of 120 seconds.
    for (int second = 0; second <= 270; second += 10) {
      for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
        const IpAddress spine = spines[flow % 2];
        OnewayRound oneway;
        stamp::OnewayCounts& counts = oneway.flow.counts;
        counts.resolved = 10;
        for (int i = 0; i < 10 && flow % 2 == 0 && second > 60 && second <= 120; ++i)
          (direction == OneWay::forward ? counts.forward : counts.reverse) += random.happens(chance) ? 1u : 0u;
        oneway.flow.reverse_routers = std::make_shared<const std::vector<IpAddress>>(std::vector{spine, node(5)});
        RoundRecord record;
        record.destination = facts;
        record.flow_index = flow;
        record.source = agent;
        record.wall_offset = offset;
        record.round.finished = Instant(1h + std::chrono::seconds(second));
        record.verdict.path = 1 + flow % 2;
        record.verdict.responders = std::make_shared<const std::vector<IpAddress>>(std::vector{node(2), spine});
        record.oneway = std::make_shared<const OnewayRound>(oneway);
        localisation.on_round(record);
      }
      verdicts = localisation.pass(Instant(1h + std::chrono::seconds(second)), wall(second));
      for (auto& event : localisation.take_events())
        events.push_back(std::move(event));
      if (second != 120) continue;
      REQUIRE_FALSE(verdicts.empty());
      CHECK(verdicts[0].blamed);
      CHECK(verdicts[0].began >= wall(60));
      CHECK(verdicts[0].began <= wall(80));
      CHECK(verdicts[0].ended == WallTime{});
      CHECK(verdicts[0].interval.low <= 0.2);
      CHECK(verdicts[0].interval.high >= 0.2);
    }
    REQUIRE_FALSE(verdicts.empty());
    CHECK_FALSE(verdicts[0].blamed);
    CHECK(verdicts[0].direction == direction);
    CHECK(verdicts[0].began >= wall(60));
    CHECK(verdicts[0].began <= wall(80));
    CHECK(verdicts[0].ended >= wall(100));
    CHECK(verdicts[0].ended <= wall(120));
    REQUIRE(events.size() == 2);
    CHECK_FALSE(events[0]->ended);
    CHECK(events[1]->ended);
    CHECK(events[1]->get<LinkVerdict>()->ended == verdicts[0].ended);
    CHECK(events[1]->get<LinkVerdict>()->interval.low <= 0.2);
    CHECK(events[1]->get<LinkVerdict>()->interval.high >= 0.2);
  }
}

TEST_CASE("A hop that is not known yet blames no link, and neither does loss without a direction",
          "[sim][directed][localisation]") {
  DirectedLocalisation localisation({.window = 5min});
  DestinationFacts made;
  made.name = "d";
  made.address = node(100);
  made.source_ports = 40000;
  made.flows = 2;
  const auto facts = std::make_shared<const DestinationFacts>(made);
  for (int round = 0; round < 12; ++round) {
    for (std::uint32_t flow = 0; flow < 2; ++flow) {
      OnewayRound oneway;
      oneway.flow.counts = {.resolved = 10, .forward = flow == 0 ? 3u : 0u, .round_trips = 10, .unresolved = 9};
      RoundRecord record;
      record.destination = facts;
      record.flow_index = flow;
      record.source = node(1);
      record.round.finished = Instant(1h + round * 10s);
      record.verdict.path = 1 + flow;
      record.verdict.responders = std::make_shared<const std::vector<IpAddress>>(
          std::vector<IpAddress>{node(2), flow == 0 ? IpAddress() : node(4)});
      record.oneway = std::make_shared<const OnewayRound>(oneway);
      localisation.on_round(record);
    }
    CHECK(localisation.pass(Instant(1h + round * 10s), WallTime()).empty());
  }
}
