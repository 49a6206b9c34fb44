// A firewall that rejects SYNs or echo requests has the host answer with ICMP errors, which it limits as it does for
// closed UDP ports (docs/reality.md, "Limits of ICMP answers"). iptables' and nftables' `reject` says port unreachable,
// firewalld's administratively prohibited. ECMP_SIM_SEEDS=200 build/dev/tests/sim/sim_tests "[reject]" is the full
// size.
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

constexpr std::string_view kLimits[] = {
    "rate = 1, burst = 6",     // Linux, IPv4
    "rate = 10, burst = 6",    // Linux, IPv6
    "rate = 2, burst = 1",     // IOS
    "rate = 100, burst = 100"  // KAME
};
constexpr std::string_view kRejections[] = {"port_unreachable", "admin_prohibited"};
constexpr Protocol kRejected[] = {Protocol::tcp, Protocol::icmp};

Scenario rejecting(std::string_view limit, std::string_view rejection, std::string_view more = "") {
  const std::string text =
      "convergence = \"200ms\"\nwires = [\"agent - r1 - (b1..b2) - r2 - dst\"]\n[link.\"*\"]\ndelay = "
      "\"1ms\"\n[destination.dst]\ntcp = \"open\"\nicmp_limit = { " +
      std::string(limit) + ", concerns = [\"time_exceeded\", \"unreachable\"] }\n" +
      (rejection.empty() ? "" : "reject = \"" + std::string(rejection) + "\"\n") + std::string(more);
  auto parsed = parse_scenario(text, "rejecting");
  if (!parsed) throw std::runtime_error(parsed.error());
  return std::move(*parsed);
}

TraceOptions as_exporter(Protocol protocol) {
  return {.protocol = protocol, .flows = 16, .interval = 10s, .timeout = 2s, .adapt_to_responders = true};
}

}  // namespace

TEST_CASE("no limit of a host that rejects what it is asked with looks like loss", "[reality][reject]") {
  for (const std::string_view limit : kLimits)
    for (const std::string_view rejection : kRejections)
      for (const Protocol protocol : kRejected)
        for (std::uint64_t seed = 1; seed <= seeds(2); ++seed) {
          LocalisationRun run(rejecting(limit, rejection), seed, as_exporter(protocol), {});
          run.run(6min);
          const RoundTotals& totals = run.engine_run().totals("dst");
          const auto snapshot = run.engine_run().snapshot("dst");
          CAPTURE(limit, rejection, static_cast<int>(protocol), seed, totals.reached, totals.lost, totals.unjudged);
          CHECK(totals.lost == 0);
          CHECK(totals.reached > 16);
          CHECK(snapshot->up);
          CHECK(snapshot->paths.size() == 2);
          CHECK(run.events().empty());
          CHECK(run.engine_run().changes().empty());
          for (const FlowSnapshot& flow : snapshot->flows) {
            CHECK(flow.probes > 0);
            CHECK(flow.probes == flow.replies);
          }
        }
}

TEST_CASE("a short trace of a host that rejects takes no silence for loss", "[reality][reject][short_trace]") {
  for (const std::string_view limit : kLimits)
    for (const Protocol protocol : kRejected)
      for (const std::uint16_t flows : {std::uint16_t{5}, std::uint16_t{16}})
        for (const std::uint32_t rounds : {1u, 3u, 10u})
          for (std::uint64_t seed = 1; seed <= seeds(1); ++seed) {
            EngineRun run(rejecting(limit, "admin_prohibited"), seed,
                          {.protocol = protocol,
                           .flows = flows,
                           .interval = 1s,
                           .timeout = 1s,
                           .rounds = rounds,
                           .adapt_to_responders = true,
                           .ask_until_limited = true});
            run.run(std::chrono::seconds(rounds + 15));
            const RoundTotals& totals = run.totals("dst");
            CAPTURE(limit, static_cast<int>(protocol), flows, rounds, seed, totals.reached, totals.lost,
                    totals.unjudged);
            CHECK(totals.rounds == std::uint64_t{flows} * rounds);
            CHECK(totals.reached > 0);
            CHECK(totals.lost == 0);
          }
}

TEST_CASE("loss on the way to a host that rejects is found", "[reality][reject]") {
  for (const Protocol protocol : kRejected) {
    EngineRun run(rejecting("rate = 1, burst = 6", "admin_prohibited", "[link.\"r2-dst\"]\nforward = { loss = 0.2 }\n"),
                  1, as_exporter(protocol));
    run.run(15min);
    const RoundTotals& totals = run.totals("dst");
    CAPTURE(static_cast<int>(protocol), totals.reached, totals.lost, totals.unjudged);
    const double judged = static_cast<double>(totals.reached + totals.lost);
    CHECK(judged > 150);
    CHECK(static_cast<double>(totals.lost) / judged > 0.13);  // 20 %, with three standard deviations to either side
    CHECK(static_cast<double>(totals.lost) / judged < 0.27);
  }
}

TEST_CASE("a firewall that is opened or closed meanwhile costs no loss", "[reality][reject]") {
  constexpr std::string_view kChange = "[[change]]\nat = \"120s\"\nwhat = \"rules\"\nnode = \"dst\"\nreject = ";
  for (const Protocol protocol : kRejected)
    for (const bool opens : {true, false})
      for (std::uint64_t seed = 1; seed <= seeds(2); ++seed) {
        const std::string change = std::string(kChange) + (opens ? "false" : "\"port_unreachable\"") + "\n";
        EngineRun run(rejecting("rate = 1, burst = 6", opens ? "port_unreachable" : "", change), seed,
                      as_exporter(protocol));
        run.run(119s);
        const std::uint64_t closed = run.totals("dst").unjudged;
        run.run(121s);
        const RoundTotals between = run.totals("dst");
        run.run(2min);
        const RoundTotals& totals = run.totals("dst");
        CAPTURE(static_cast<int>(protocol), opens, seed, totals.reached, totals.lost, closed, between.unjudged,
                totals.unjudged);
        CHECK(totals.lost == 0);
        CHECK((closed > 0) == opens);
        CHECK((totals.unjudged > between.unjudged) != opens);  // a service is asked in every round
      }
}
