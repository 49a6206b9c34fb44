// What few rounds say of hosts and routers that limit their answers, whoever has used these up before: ecmp_trace,
// /probe, and an exporter that has just started (docs/reality.md, "Limits of ICMP answers"). ECMP_SIM_SEEDS=200
// build/dev/tests/sim/sim_tests "[short_trace]" is the full size.
#include <array>
#include <stdexcept>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "engine_fixture.hpp"
#include "sim/scenario.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

Scenario limited(std::string_view destination, std::string_view routers, std::string_view more = "") {
  std::string text = "wires = [\"agent - r1 - r2 - dst\"]\n[link.\"*\"]\ndelay = \"1ms\"\n";
  for (const std::string_view router : {"r1", "r2"})
    if (!routers.empty())
      text += "[router." + std::string(router) + "]\nicmp_limit = { " + std::string(routers) + " }\n";
  text += "[destination.dst]\n" + std::string(more);
  if (!destination.empty()) text += "icmp_limit = { " + std::string(destination) + " }\n";
  auto parsed = parse_scenario(text, "limited");
  if (!parsed) throw std::runtime_error(parsed.error());
  return std::move(*parsed);
}

constexpr std::string_view kErrors = ", concerns = [\"time_exceeded\", \"unreachable\"]";

/// A bucket that others have emptied gives one answer after another, as one that holds no more than one does.
constexpr std::array<std::string_view, 6> kLimits{
    "rate = 1, burst = 1",   // Linux, IPv4, right after another trace; Junos
    "rate = 1, burst = 6",   // Linux, IPv4
    "rate = 10, burst = 1",  // Linux, IPv6, right after another trace
    "rate = 10, burst = 6",  // Linux, IPv6
    "rate = 2, burst = 1",   // IOS
    "rate = 10, burst = 10"  // Comware
};

TraceOptions as_ecmp_trace(std::uint16_t flows, std::uint32_t rounds) {
  return {.flows = flows,
          .interval = 1s,
          .timeout = 1s,
          .rounds = rounds,
          .adapt_to_responders = true,
          .ask_until_limited = true};
}

}  // namespace

TEST_CASE("a short trace takes no silence of a limited host for loss", "[reality][short_trace]") {
  for (const std::string_view limit : kLimits)
    for (const std::uint16_t flows : {std::uint16_t{1}, std::uint16_t{5}, std::uint16_t{16}})
      for (const std::uint32_t rounds : {1u, 2u, 3u, 10u})
        for (std::uint64_t seed = 1; seed <= seeds(2); ++seed) {
          EngineRun run(limited(std::string(limit) + std::string(kErrors), ""), seed, as_ecmp_trace(flows, rounds));
          run.run(std::chrono::seconds(rounds + 15));
          const RoundTotals& totals = run.totals("dst");
          CAPTURE(limit, flows, rounds, seed, totals.reached, totals.lost, totals.unjudged);
          CHECK(totals.rounds == std::uint64_t{flows} * rounds);
          CHECK(totals.lost == 0);
        }
}

TEST_CASE("a short trace of a dead host reports every round as lost", "[reality][short_trace]") {
  for (const std::uint16_t flows : {std::uint16_t{1}, std::uint16_t{5}})
    for (const std::uint32_t rounds : {1u, 3u}) {
      EngineRun run(limited("", "", "silent = true\n"), 1, as_ecmp_trace(flows, rounds));
      run.run(std::chrono::seconds(rounds + 25));
      const RoundTotals& totals = run.totals("dst");
      CAPTURE(flows, rounds, totals.reached, totals.unjudged);
      CHECK(totals.rounds == std::uint64_t{flows} * rounds);
      CHECK(totals.lost == totals.rounds);
    }
}

TEST_CASE("an exporter that finds a host's answers used up reports no loss", "[reality][short_trace]") {
  for (const std::string_view limit : kLimits)
    for (const std::uint32_t rounds : {1u, 3u})
      for (std::uint64_t seed = 1; seed <= seeds(3); ++seed) {
        EngineRun run(limited(std::string(limit) + std::string(kErrors), ""), seed,
                      {.flows = 64, .interval = 300ms, .timeout = 1s, .rounds = rounds, .adapt_to_responders = true});
        run.run(8s);
        const RoundTotals& totals = run.totals("dst");
        CAPTURE(limit, rounds, seed, totals.reached, totals.lost, totals.unjudged);
        CHECK(totals.lost == 0);
        CHECK(totals.rounds > 0);
        CHECK(run.snapshot("dst")->up);
      }
}

TEST_CASE("what a destination keeps quiet at while its limit may be used up is not judged", "[reality][short_trace]") {
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp}) {
    EngineRun run(limited("", "", "[link.\"r2-dst\"]\nloss = 0.3\n"), 3,
                  {.protocol = protocol, .flows = 16, .interval = 1s, .timeout = 500ms, .adapt_to_responders = true});
    run.run(9s);
    CAPTURE(static_cast<int>(protocol));
    CHECK((run.totals("dst").lost == 0) == (protocol == Protocol::udp));
    run.run(60s);
    CHECK(run.totals("dst").lost > 0);
  }
}

TEST_CASE("an exporter reports a host that never answers as down within ten seconds", "[reality][short_trace]") {
  EngineRun run(limited("", "", "silent = true\n"), 1,
                {.flows = 16, .interval = 10s, .timeout = 1s, .adapt_to_responders = true});
  run.run(10s);
  CHECK(run.snapshot("dst")->measured);
  CHECK_FALSE(run.snapshot("dst")->up);
  CHECK(run.totals("dst").lost > 0);
}

TEST_CASE("routers that limit their answers hold up no first round", "[reality][short_trace]") {
  for (const Protocol protocol : {Protocol::tcp, Protocol::icmp})
    for (std::uint64_t seed = 1; seed <= seeds(3); ++seed) {
      EngineRun run(limited("", "rate = 1, burst = 6" + std::string(kErrors)), seed,
                    {.protocol = protocol,
                     .flows = 16,
                     .interval = 300ms,
                     .timeout = 2s,
                     .rounds = 3,
                     .adapt_to_responders = true});
      run.run(6s);
      const RoundTotals& totals = run.totals("dst");
      CAPTURE(static_cast<int>(protocol), seed, totals.reached, totals.lost, totals.unjudged);
      CHECK(totals.reached == 48);
    }
}
