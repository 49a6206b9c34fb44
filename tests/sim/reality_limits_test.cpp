// How hosts and routers limit what they answer: docs/reality.md, "Limits of ICMP answers". No limit may look like loss.
// ECMP_SIM_SEEDS=200 build/dev/tests/sim/sim_tests "[reality]" is the full size.
#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "localisation_run.hpp"
#include "sim/scenario.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

/// Where a limit is.
enum class At : std::uint8_t {
  destination,
  everywhere,  ///< each router has one of its own as well
  /// A policer of one machine: the last router, by whichever of its four addresses it answers, and two addresses behind
  /// it that are traced and are the machine's own.
  machine,
};

/// One limit as it is delivered.
struct Row {
  std::string_view name;
  std::string_view limit;
  At at = At::destination;
};

constexpr std::array<Row, 12> kRows{{
    // icmp.c, inetpeer.c: 1/s and burst 6 for each peer, time exceeded and port unreachable together.
    {"linux_v4", "rate = 1, burst = 6, concerns = [\"time_exceeded\", \"unreachable\"]", At::everywhere},
    // Since 2026 100 ms for every peer; before it 1 s for a host route.
    {"linux_v6", "rate = 10, burst = 6, concerns = [\"time_exceeded\", \"unreachable\"]", At::everywhere},
    // 1000/s and burst 50 of the whole box, each answer costs 0 to 2 tokens by chance.
    {"linux_global", "rate = 1000, burst = 50, random_cost = true, concerns = [\"time_exceeded\", \"unreachable\"]"},
    // subr_counter.c: 200 a second, give or take 16, in windows of a second, for each class.
    {"freebsd",
     "rate = 200, model = \"window\", jitter = 16, each = true, concerns = [\"unreachable\", \"echo\", \"tcp\"]"},
    // 100/s for the box, all errors.
    {"kame", "rate = 100, burst = 100, concerns = [\"time_exceeded\", \"unreachable\"]", At::everywhere},
    // xnu: errors of one type that are queued together collapse into one.
    {"xnu", "model = \"collapse\", rate = 0, queue = \"5ms\", each = true, concerns = [\"unreachable\"]"},
    // One unreachable in 500 ms for the box.
    {"ios", "rate = 2, burst = 1, concerns = [\"unreachable\"]"},
    // 100 in 10 s on an interface, and others take a fifth of them.
    {"sr_os_shared", "rate = 10, burst = 100, others = 2, each = true, concerns = [\"time_exceeded\", \"unreachable\"]",
     At::everywhere},
    // 100 tokens that are there again each second.
    {"fastpath", "rate = 100, model = \"window\", concerns = [\"time_exceeded\", \"unreachable\"]"},
    // ASR 9000: all that is punted, of which others take some, once the trap of punted flows has tripped.
    {"asr9000_machine",
     "rate = 10, burst = 10, others = 2, concerns = [\"time_exceeded\", \"unreachable\", \"echo\", \"tcp\"]",
     At::machine},
    // 100/s for the box, all errors; fixed at 150/s.
    {"kame_machine", "rate = 100, burst = 100, concerns = [\"time_exceeded\", \"unreachable\"]", At::machine},
    {"icx_machine", "rate = 150, burst = 150, concerns = [\"time_exceeded\", \"unreachable\", \"echo\", \"tcp\"]",
     At::machine},
}};

struct Load {
  Protocol protocol = Protocol::udp;
  std::uint16_t flows = 16;
  Duration interval = 10s;
  Duration time = 10min;
};

Scenario scenario_of(const Row& row, std::string_view more = "") {
  const bool machine = row.at == At::machine;
  std::string text = "wires = [\"agent - r1 - (b1..b4) - r2 - " + std::string(machine ? "(dst dst2)" : "dst") +
                     "\"]\n[link.\"*\"]\ndelay = \"1ms\"\n";
  const std::string limit =
      "icmp_limit = { " + std::string(row.limit) + " }\n" + std::string(machine ? "box = \"machine\"\n" : "");
  if (machine) {
    text += "[router.r2]\n" + limit + "[destination.dst2]\n" + limit;
    for (const std::string_view branch : {"1", "2", "3", "4"})
      text += "[link.\"b" + std::string(branch) + "-r2\"]\naddresses = [\"10.9.0." + std::string(branch) + "\"]\n";
  }
  if (row.at == At::everywhere)
    for (const std::string_view router : {"r1", "b1", "b2", "b3", "b4", "r2"})
      text += "[router." + std::string(router) + "]\n" + limit;
  text += "[destination.dst]\n" + limit + std::string(more);
  auto parsed = parse_scenario(text, std::string(row.name));
  if (!parsed) throw std::runtime_error(parsed.error());
  return std::move(*parsed);
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
  if (row.at == At::machine) CHECK(run.engine_run().totals("dst2").lost == 0);
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
  if (row.at != At::destination) return;
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
    // A machine's one limit for addresses that are asked more than it answers together: docs/reality.md, what cannot be
    // known.
    for (std::uint64_t seed = 1; row.at != At::machine && seed <= seeds(2); ++seed)
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

TEST_CASE("the last router before a destination over TCP is asked in turns as well", "[reality][limits]") {
  for (std::uint64_t seed = 1; seed <= seeds(5); ++seed) {
    auto parsed = parse_scenario(
        "convergence = \"200ms\"\nwires = [\"agent - r1 - r2 - dst\", \"r1 - dst\"]\n[link.\"*\"]\ndelay = "
        "\"1ms\"\n[router.r2]\n"
        "icmp_limit = { rate = 1, burst = 6, concerns = [\"time_exceeded\", \"unreachable\"] }\n"
        "[link.\"r1-dst\"]\ndown = true\n[destination.dst]\n"
        "[[change]]\nat = \"180s\"\nwhat = \"shorter\"\nlink = \"r1-dst\"\ndown = false\n",
        "last_router");
    if (!parsed) throw std::runtime_error(parsed.error());
    EngineRun run(
        *parsed, seed,
        {.protocol = Protocol::tcp, .flows = 16, .interval = 1s, .timeout = 500ms, .adapt_to_responders = true});
    std::uint64_t silent = 0;
    run.watch = [&](std::uint32_t, const Round& round, const PathVerdict&) {
      for (const HopResult& hop : round.hops)
        silent += hop.ttl == 2 && hop.outcome == HopOutcome::silent ? 1u : 0u;
    };
    run.run(60s);
    silent = 0;
    run.run(119s);
    CAPTURE(seed, silent);
    // Of 1,904 probes that are not asked all the time; trials at the double rate may meet the limit once a minute.
    CHECK(silent <= 40);
    // A path that becomes shorter is noticed by whoever has a turn.
    run.run(3min);
    for (std::uint32_t flow = 0; flow < 16; ++flow)
      CHECK(run.found_path("dst", flow).size() == 2);
    CHECK(run.totals("dst").lost == 0);
  }
}
