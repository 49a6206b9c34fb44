// One packet is one trial: what is reported as loss is a binomial sample of it, in the first round of a flow as in any
// other. ECMP_SIM_SEEDS=200 build/dev/tests/sim/sim_tests "[one_trial]" is the full size.
#include <array>
#include <cmath>
#include <stdexcept>
#include <string>

#include "catch.hpp"
#include "engine_fixture.hpp"
#include "path/statistics/intervals.hpp"
#include "sim/scenario.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

Scenario lossy(std::string_view wires, double loss, std::string_view more, std::string_view host) {
  std::string text = "wires = [" + std::string(wires) + "]\n[link.\"*\"]\ndelay = \"1ms\"\n";
  text += "[router.r1]\ndrop = " + std::to_string(loss) + "\n" + std::string(more) + "\n[destination.dst]\n" +
          std::string(host);
  auto parsed = parse_scenario(text, "lossy");
  if (!parsed) throw std::runtime_error(parsed.error());
  return std::move(*parsed);
}

constexpr std::string_view kEqual = "\"agent - r0 - r1 - (b1..b4) - r2 - dst\"";
/// One way is a hop longer, and r1 takes them packet by packet.
constexpr std::string_view kUnequal = "\"agent - r0 - r1 - b1 - r2 - dst\", \"r1 - b2 - c2 - r2\"";
constexpr std::string_view kSpray =
    "hash = \"per_packet\"\n[[route]]\nat = \"r1\"\nto = \"dst\"\nvia = [\"b1\", \"b2\"]\n";

struct Row {
  Protocol protocol = Protocol::udp;
  std::uint32_t rounds = 1;
  double loss = 0.2;
  std::string_view wires = kEqual;
  std::string_view more = "";
  std::string_view host = "";
  bool as_trace = false;  ///< asks until a limit shows, as ecmp_trace does
};

/// The share of lost rounds over all seeds; how many seeds' 95 % intervals hold the truth is left in `held`.
double measure(const Row& row, std::uint64_t count, std::uint64_t& held) {
  double lost = 0;
  double all = 0;
  held = 0;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    EngineRun run(lossy(row.wires, row.loss, row.more, row.host), seed,
                  {.protocol = row.protocol,
                   .flows = 64,
                   .interval = 1s,
                   .timeout = 500ms,
                   .rounds = row.rounds,
                   .adapt_to_responders = row.as_trace,
                   .ask_until_limited = row.as_trace});
    run.run(std::chrono::seconds(row.rounds + 8));
    const RoundTotals& totals = run.totals("dst");
    const auto judged = static_cast<double>(totals.lost + totals.reached);
    REQUIRE(judged > 32 * row.rounds);
    lost += static_cast<double>(totals.lost);
    all += judged;
    const Interval interval = wilson(static_cast<double>(totals.lost), judged);
    if (interval.low <= row.loss && row.loss <= interval.high) ++held;
  }
  return lost / all;
}

void check(const Row& row) {
  const std::uint64_t count = seeds(12);
  std::uint64_t held = 0;
  const double share = measure(row, count, held);
  const double deviation = std::sqrt(row.loss * (1 - row.loss) / static_cast<double>(64 * row.rounds * count));
  CAPTURE(static_cast<int>(row.protocol), row.rounds, row.loss, share, deviation, held);
  CHECK(std::abs(share - row.loss) < 4 * deviation);
  // 182 of 200; the same chance of a wrong alarm with fewer.
  CHECK(static_cast<double>(held) >=
        0.95 * static_cast<double>(count) - 2.6 * std::sqrt(0.0475 * static_cast<double>(count)));
}

}  // namespace

TEST_CASE("no retry enters the loss of a round", "[reality][one_trial]") {
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp})
    for (const std::uint32_t rounds : {1u, 2u, 3u, 10u})
      check({.protocol = protocol, .rounds = rounds});
  for (const std::uint32_t rounds : {1u, 3u, 10u})
    check({.rounds = rounds, .as_trace = true});
}

/// Such a quote says that the path is as long as the TTL that was asked, whichever that was.
TEST_CASE("no retry enters the loss of a round where quotes say 1 whatever TTL was left", "[reality][one_trial]") {
  for (const std::uint32_t rounds : {1u, 3u})
    for (const bool as_trace : {false, true})
      check({.rounds = rounds, .host = "quoted_ttl = 1\n", .as_trace = as_trace});
}

TEST_CASE("packets that take ways of two lengths have one chance each", "[reality][one_trial]") {
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp})
    check({.protocol = protocol, .rounds = 40, .loss = 0.1, .wires = kUnequal, .more = kSpray});
}
