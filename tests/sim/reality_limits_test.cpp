// How hosts and routers limit what they answer: docs/reality.md, "Limits of ICMP answers". No limit may look like loss.
// ECMP_SIM_SEEDS=200 build/dev/tests/sim/sim_tests "[reality]" is the full size.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "localisation_run.hpp"
#include "sim/scenario.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

/// One limit as it is delivered, at the destination, or at the destination and all routers.
struct Row {
  std::string_view name;
  std::string_view limit;
  bool routers_too = false;
};

constexpr std::array<Row, 9> kRows{{
    // icmp.c, inetpeer.c: 1/s and burst 6 for each peer, time exceeded and port unreachable together.
    {"linux_v4", "rate = 1, burst = 6, concerns = [\"time_exceeded\", \"unreachable\"]", true},
    // Since 2026 100 ms for every peer; before it 1 s for a host route.
    {"linux_v6", "rate = 10, burst = 6, concerns = [\"time_exceeded\", \"unreachable\"]", true},
    // 1000/s and burst 50 of the whole box, each answer costs 0 to 2 tokens by chance.
    {"linux_global", "rate = 1000, burst = 50, random_cost = true, concerns = [\"time_exceeded\", \"unreachable\"]"},
    // subr_counter.c: 200 a second, give or take 16, in windows of a second, for each class.
    {"freebsd",
     "rate = 200, model = \"window\", jitter = 16, each = true, concerns = [\"unreachable\", \"echo\", \"tcp\"]"},
    // 100/s for the box, all errors.
    {"kame", "rate = 100, burst = 100, concerns = [\"time_exceeded\", \"unreachable\"]", true},
    // xnu: errors of one type that are queued together collapse into one.
    {"xnu", "model = \"collapse\", rate = 0, queue = \"5ms\", each = true, concerns = [\"unreachable\"]"},
    // One unreachable in 500 ms for the box.
    {"ios", "rate = 2, burst = 1, concerns = [\"unreachable\"]"},
    // 100 in 10 s on an interface, and others take a fifth of them.
    {"sr_os_shared", "rate = 10, burst = 100, others = 2, each = true, concerns = [\"time_exceeded\", \"unreachable\"]",
     true},
    // 100 tokens that are there again each second.
    {"fastpath", "rate = 100, model = \"window\", concerns = [\"time_exceeded\", \"unreachable\"]"},
}};

struct Load {
  Protocol protocol = Protocol::udp;
  std::uint16_t flows = 16;
  Duration interval = 10s;
  Duration time = 10min;
};

Scenario scenario_of(const Row& row, std::string_view more = "") {
  std::string text = "wires = [\"agent - r1 - (b1..b4) - r2 - dst\"]\n[link.\"*\"]\ndelay = \"1ms\"\n";
  const std::string limit = "icmp_limit = { " + std::string(row.limit) + " }\n";
  if (row.routers_too)
    for (const std::string_view router : {"r1", "b1", "b2", "b3", "b4", "r2"})
      text += "[router." + std::string(router) + "]\n" + limit;
  text += "[destination.dst]\n" + limit + std::string(more);
  auto parsed = parse_scenario(text, std::string(row.name));
  if (!parsed) throw std::runtime_error(parsed.error());
  return std::move(*parsed);
}

std::uint64_t seeds(std::uint64_t usual) {
  const char* const text = std::getenv("ECMP_SIM_SEEDS");
  return text == nullptr ? usual : std::strtoull(text, nullptr, 10);
}

TraceOptions options_of(const Load& load) {
  return {.protocol = load.protocol,
          .flows = load.flows,
          .interval = load.interval,
          .timeout = 2s,
          .adapt_to_responders = true};
}

void check(const Row& row, const Load& load, std::uint64_t seed) {
  LocalisationRun run(scenario_of(row), seed, options_of(load), {});
  run.run(load.time);
  const RoundTotals& totals = run.engine_run().totals("dst");
  const auto told = run.engine_run().snapshot("dst");
  CAPTURE(row.name, static_cast<int>(load.protocol), load.flows, seed, totals.rounds, totals.reached, totals.lost,
          totals.unjudged);
  CHECK(totals.lost == 0);
  CHECK(totals.reached > 0);
  CHECK(told->up);
  CHECK(run.events().empty());
  CHECK(run.engine_run().changes().empty());
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;
  for (const FlowSnapshot& flow : told->flows) {
    CHECK(flow.probes == flow.replies);
    CHECK(flow.path != 0);
    least = std::min(least, flow.probes);
    most = std::max(most, flow.probes);
  }
  // What is left out is left out evenly.
  CAPTURE(least, most);
  if (load.flows == 16) CHECK(least > 0);
  CHECK(most <= 3 * least + 6);
  if (row.routers_too) return;
  for (const PathSnapshot& path : told->paths)
    for (const HopSnapshot& hop : path.hops)
      if (hop.ttl < path.length) CHECK(hop.limiting == Limiting::none);
}

}  // namespace

TEST_CASE("no limit of a host looks like loss: flows that ask each ten seconds", "[reality][limits]") {
  for (const Row& row : kRows)
    for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp})
      for (std::uint64_t seed = 1; seed <= seeds(protocol == Protocol::udp ? 10 : 2); ++seed)
        check(row, {.protocol = protocol}, seed);
}

TEST_CASE("no limit of a host looks like loss: 64 flows that ask each second", "[reality][limits]") {
  for (const Row& row : kRows)
    for (std::uint64_t seed = 1; seed <= seeds(2); ++seed)
      check(row, {.flows = 64, .interval = 1s, .time = 4min}, seed);
}

TEST_CASE("all wanted is asked of a destination that answers all", "[reality][limits]") {
  const Row none{"none", "rate = 100000, burst = 1000"};
  for (const Load& load : {Load{}, Load{.flows = 64, .interval = 1s, .time = 5min}}) {
    LocalisationRun run(scenario_of(none), 1, options_of(load), {});
    run.run(load.time / 2);
    const auto before = run.engine_run().totals("dst");
    run.run(load.time / 2);
    const auto& after = run.engine_run().totals("dst");
    CAPTURE(load.flows, before.reached, before.unjudged, after.reached, after.unjudged);
    CHECK(after.lost == 0);
    CHECK(after.unjudged - before.unjudged <= (after.rounds - before.rounds) / 50);
  }
}
