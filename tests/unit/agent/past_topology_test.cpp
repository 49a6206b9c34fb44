#include "agent/http/past_topology.hpp"

#include <memory>
#include <vector>

#include "catch.hpp"
#include "path/oneway/oneway_snapshot.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kThere = 7;
constexpr std::uint32_t kBack = 9;

std::shared_ptr<const OnewayPathSnapshot> path(std::uint32_t id, std::uint64_t resolved) {
  OnewayPathSnapshot made;
  made.path = id;
  made.counts.resolved = resolved;
  return std::make_shared<const OnewayPathSnapshot>(made);
}

/// A round of a flow that ended so many seconds after 100 hours of the wall clock.
std::shared_ptr<const RoundRecord> record(const std::shared_ptr<const DestinationFacts>& facts, std::uint32_t flow,
                                          int second, const std::shared_ptr<const OnewayRound>& oneway) {
  auto made = std::make_shared<RoundRecord>();
  made->destination = facts;
  made->flow_index = flow;
  made->source_port = static_cast<std::uint16_t>(40000 + flow);
  made->source = IpAddress::v4(0x0a000001);
  made->round.number = static_cast<std::uint32_t>(second);
  made->round.started = Instant(100h + std::chrono::seconds(second) - 1s);
  made->round.finished = Instant(100h + std::chrono::seconds(second));
  made->round.end_to_end = EndToEnd::lost;
  made->round.hops.push_back({.ttl = 1});
  made->oneway = oneway;
  return made;
}

std::shared_ptr<const OnewayRound> streams(const stamp::OnewayCounts& counts, std::uint64_t restarts,
                                           std::uint64_t there, std::uint64_t back) {
  auto made = std::make_shared<OnewayRound>();
  made->flow.counts = counts;
  made->flow.reverse_path = kBack;
  made->flow.reverse_routers = std::make_shared<const std::vector<IpAddress>>(1, IpAddress::v4(0x0a000009));
  made->reflector = {.up = true, .mode = stamp::ReflectorMode::stateful, .synchronised = false, .restarts = restarts};
  made->there = path(kThere, there);
  made->back = path(kBack, back);
  return made;
}

}  // namespace

TEST_CASE("A fan of the past has what streams said until then", "[past]") {
  DestinationFacts made;
  made.name = "far";
  made.stamp = true;
  made.address = IpAddress::v4(0xc0000201);
  made.source_ports = 40000;
  made.flows = 2;
  made.interval = 10s;
  const auto facts = std::make_shared<const DestinationFacts>(made);
  const std::vector rounds = {record(facts, 0, 10, streams({.resolved = 10, .forward = 1}, 0, 100, 60)),
                              record(facts, 1, 11, streams({.resolved = 10, .reverse = 2}, 0, 110, 70)),
                              record(facts, 0, 20, streams({.resolved = 9, .forward = 3}, 1, 120, 80)),
                              record(facts, 0, 30, streams({.resolved = 9, .forward = 5}, 2, 130, 90))};
  const auto fan = fan_of(rounds, WallTime(100h + 25s), 5min);
  REQUIRE(fan.snapshot != nullptr);
  REQUIRE(fan.snapshot->oneway != nullptr);
  const OnewaySnapshot& oneway = *fan.snapshot->oneway;
  CHECK(oneway.restarts == 1);
  REQUIRE(oneway.flows.size() == 2);
  CHECK(oneway.flows[0].counts.resolved == 19);
  CHECK(oneway.flows[0].counts.forward == 4);
  CHECK(oneway.flows[1].counts.reverse == 2);
  CHECK(oneway.flows[1].reverse_path == kBack);
  REQUIRE(oneway.flows[0].reverse_routers != nullptr);
  REQUIRE(oneway.paths.size() == 2);
  CHECK(oneway.paths[0].path == kThere);
  CHECK(oneway.paths[0].counts.resolved == 120);
  CHECK(oneway.paths[1].counts.resolved == 80);
}

TEST_CASE("A fan of the past without streams has nothing of them", "[past]") {
  DestinationFacts made;
  made.name = "far";
  made.source_ports = 40000;
  made.flows = 1;
  made.interval = 10s;
  const auto facts = std::make_shared<const DestinationFacts>(made);
  const auto fan = fan_of({record(facts, 0, 10, nullptr)}, WallTime(100h + 20s), 5min);
  REQUIRE(fan.snapshot != nullptr);
  CHECK(fan.snapshot->oneway == nullptr);
}
