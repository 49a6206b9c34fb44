// Many destinations behind routers that limit their ICMP errors: what we ask must not make them silent.
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "path/model/destination_model.hpp"
#include "probe/engine.hpp"
#include "sim/network.hpp"
#include "sim/scenario.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

/// Linux: icmp_ratelimit of 1000 ms, with a burst of XRLIM_BURST_FACTOR = 6.
constexpr std::string_view kLinuxLimit = "icmp_limit = { rate = 1, burst = 6 }";

struct Scale {
  std::uint16_t destinations = 500;
  std::uint16_t flows = 16;
  Duration interval = 10s;
  bool adapt = true;
  double ceiling = 2000;  ///< above what is wanted of any router: only what they answer limits
  Family family = Family::ipv4;
  Protocol protocol = Protocol::tcp;  ///< that of destinations which are asked in every round
};

struct Fates {
  std::uint64_t replied = 0;
  std::uint64_t silent = 0;
  std::uint64_t lost = 0;
  std::uint64_t left_out = 0;
  [[nodiscard]] std::uint64_t asked() const { return replied + silent + lost; }
  [[nodiscard]] double silence() const {
    return asked() == 0 ? 0 : static_cast<double>(silent) / static_cast<double>(asked());
  }
};

/// agent - r1 - (b1..b4) - r2 - dst, where dst answers for a whole prefix: many destinations behind one router.
class PacedRun final : public RoundSink {
 public:
  PacedRun(std::string_view r1, std::uint64_t seed, const Scale& scale, std::string_view more = "")
      : network_(scenario(r1, more), seed),
        engine_(
            {.secret = {1, 2}, .probes_per_second_per_responder = scale.ceiling, .adapt_to_responders = scale.adapt}),
        family_(scale.family) {
    for (std::uint16_t i = 0; i < scale.destinations; ++i) {
      const DestinationPlan plan{.address = address(i),
                                 .protocol = scale.protocol,
                                 .flows = scale.flows,
                                 .interval = scale.interval,
                                 .timeout = 2s,
                                 .phase = i};
      const auto first = engine_.add(plan, network_.now());
      REQUIRE(first.has_value());
      for (std::uint32_t flow = *first; flow < *first + scale.flows; ++flow)
        engine_.set_source(flow, network_.address("agent", scale.family));
    }
    asked_at_first_.resize(std::size_t{scale.destinations} * scale.flows);
  }

  void run(Duration time) { drive(engine_, network_, *this, network_.now() + time); }
  void on_round(const Round& round) override {
    ++rounds;
    lost_rounds += round.end_to_end == EndToEnd::lost ? 1u : 0u;
    for (const HopResult& hop : round.hops) {
      Fates& fates = at[hop.ttl];
      fates.replied += hop.outcome == HopOutcome::replied ? 1u : 0u;
      fates.silent += hop.outcome == HopOutcome::silent ? 1u : 0u;
      fates.lost += hop.outcome == HopOutcome::lost ? 1u : 0u;
      fates.left_out += hop.outcome == HopOutcome::left_out ? 1u : 0u;
      if (hop.ttl == 1 && hop.limiting != Limiting::none) limiting = hop.limiting;
      if (hop.ttl == 1 && hop.outcome == HopOutcome::replied) ++asked_at_first_[round.flow];
    }
    if (watch) watch(round);
  }
  void forget() {
    at = {};
    limiting = Limiting::none;
  }

  [[nodiscard]] const std::vector<std::uint32_t>& asked_at_first() const { return asked_at_first_; }
  Engine& engine() { return engine_; }
  SimulatedNetwork& network() { return network_; }

  [[nodiscard]] IpAddress address(std::uint16_t i) const {
    const auto high = static_cast<std::uint8_t>(i >> 8);
    const auto low = static_cast<std::uint8_t>(i);
    if (family_ == Family::ipv4) return IpAddress::v4(std::array<std::uint8_t, 4>{198, 18, high, low});
    return IpAddress::v6(
        std::array<std::uint8_t, 16>{0x20, 0x01, 0x0d, 0xb8, 0, 0x99, 0, 0, 0, 0, 0, 0, 0, 0, high, low});
  }

  std::array<Fates, 256> at{};  ///< by TTL
  std::uint64_t rounds = 0;
  std::uint64_t lost_rounds = 0;
  Limiting limiting = Limiting::none;  ///< of the first hop
  std::function<void(const Round& round)> watch;

 private:
  static Scenario scenario(std::string_view r1, std::string_view more) {
    const bool spare = more.find("spare") != std::string_view::npos;
    std::string text = spare ? "wires = [\"agent - (r1 spare) - (b1..b4) - r2 - dst\"]\n[link.\"*\"]\ndelay = \"1ms\"\n"
                             : "wires = [\"agent - r1 - (b1..b4) - r2 - dst\"]\n[link.\"*\"]\ndelay = \"1ms\"\n";
    text += "[router.r1]\n" + std::string(r1) + "\n" + std::string(more) + "\n";
    text += "[destination.dst]\naddresses = [\"198.18.0.0/16\", \"2001:db8:99::/64\"]\n";
    auto parsed = parse_scenario(text, "pacing");
    if (!parsed) throw std::runtime_error(parsed.error());
    return std::move(*parsed);
  }

  SimulatedNetwork network_;
  Engine engine_;
  Family family_;
  std::vector<std::uint32_t> asked_at_first_;
};

}  // namespace

TEST_CASE("500 destinations behind a router with Linux's limit do not make it silent", "[pacing]") {
  const Seed seed(700);
  PacedRun run(kLinuxLimit, seed, {});
  run.run(30s);
  const Fates settling = run.at[1];
  CAPTURE(settling.asked(), settling.silent, settling.left_out);
  CHECK(settling.silent <= 40);
  run.forget();
  run.run(570s);
  CAPTURE(run.at[1].asked(), run.at[1].silent, run.at[1].left_out);
  CHECK(run.at[1].replied > 350);
  CHECK(run.at[1].silent == 0);
  CHECK(run.lost_rounds == 0);
  // Everything else is asked in every round.
  CHECK(run.at[2].left_out == 0);
  CHECK(run.at[4].left_out == 0);
}

TEST_CASE("a limit is found though answers are read late, when more has been asked meanwhile", "[pacing]") {
  for (std::uint64_t number = 0; number < 10; ++number) {
    const Seed seed(720 + number);
    PacedRun run(kLinuxLimit, seed, {.destinations = 200});
    run.network().set_delivery_block(number % 2 == 0 ? 100ms : 300ms);
    run.run(60s);
    CAPTURE(number, run.at[1].asked(), run.at[1].silent);
    // Until the first block is read the router is not known: 96 rounds begin in 300 ms. Then it may owe 14 answers.
    CHECK(run.at[1].silent <= 150);
    CHECK(run.limiting != Limiting::none);
  }
}

TEST_CASE("without pacing hardly a probe of the shared first hop is answered", "[pacing]") {
  const Seed seed(701);
  PacedRun run(kLinuxLimit, seed, {.adapt = false});
  run.run(120s);
  CHECK(run.at[1].silence() > 0.99);
  CHECK(run.at[1].left_out == 0);
}

TEST_CASE("trials find out whether a responder would answer more, and cost no silence", "[pacing]") {
  const Seed seed(702);
  PacedRun run(kLinuxLimit, seed, {.destinations = 200});
  run.run(60s);
  run.forget();
  run.run(1h);
  CAPTURE(run.at[1].asked(), run.at[1].silent, run.at[1].left_out);
  CHECK(run.limiting == Limiting::confirmed);
  CHECK(run.at[1].silence() < 0.001);
  CHECK(run.at[1].replied > 3600 / 3);
  // Fair: no flow goes without for long. All of them take one turn in about 3200 flows / (0.8/s) = 67 min.
  const auto [least, most] = std::ranges::minmax(run.asked_at_first());
  CAPTURE(least, most);
  CHECK(most <= 3);
}

TEST_CASE("of two first hops the one that limits is not made silent, and the other is asked always", "[pacing]") {
  const Seed seed(715);
  PacedRun run(kLinuxLimit, seed, {.destinations = 100}, "[router.spare]");
  const IpAddress free = run.network().address("spare");
  Fates limited;
  std::uint64_t free_answers = 0;
  run.watch = [&](const Round& round) {
    const HopResult& hop = round.hops.front();
    limited.silent += hop.outcome == HopOutcome::silent ? 1u : 0u;
    free_answers += hop.outcome == HopOutcome::replied && hop.responder == free ? 1u : 0u;
    limited.replied += hop.outcome == HopOutcome::replied && hop.responder != free ? 1u : 0u;
  };
  run.run(120s);
  CAPTURE(limited.silent, limited.replied, free_answers);
  // Of a flow that crosses it two rounds pass until it takes turns there: one in which it hears nobody, and one that
  // begins before enough of them have for the limit to be known. 800 flows cross it, 900 at most by chance (five
  // sigma).
  CHECK(limited.silent <= 2 * 900);
  limited = {};
  free_answers = 0;
  run.run(1200s);
  CHECK(limited.silent <= 6);
  CHECK(limited.replied > 50);
  CHECK(free_answers > 100 * 16 / 2 * 120 * 9 / 10);
}

TEST_CASE("a responder that answers a hundred a second is soon asked for as much", "[pacing]") {
  const Seed seed(703);
  PacedRun run("icmp_limit = { rate = 100, burst = 50 }", seed, {});
  run.run(300s);
  run.forget();
  run.run(300s);
  CAPTURE(run.at[1].asked(), run.at[1].silent, run.at[1].left_out);
  CHECK(run.at[1].silence() < 0.001);
  CHECK(run.at[1].replied > 40 * 300);
  CHECK(run.at[1].replied < 100 * 300);
}

TEST_CASE("a limit of IPv6 is kept as well", "[pacing]") {
  const Seed seed(704);
  PacedRun run("icmp_limit = { rate = 10, burst = 6 }", seed, {.destinations = 100, .family = Family::ipv6});
  run.run(300s);
  run.forget();
  run.run(300s);
  CAPTURE(run.at[1].asked(), run.at[1].silent, run.at[1].left_out);
  CHECK(run.at[1].silence() < 0.001);
  CHECK(run.at[1].replied > 4 * 300);
}

TEST_CASE("where everything is answered nothing is left out", "[pacing]") {
  const Seed seed(705);
  for (const std::uint16_t destinations : std::array<std::uint16_t, 3>{1, 20, 500}) {
    CAPTURE(destinations);
    PacedRun run("", seed, {.destinations = destinations});
    run.run(120s);
    CHECK(run.engine().counters().left_out == 0);
    CHECK(run.at[1].silent == 0);
    CHECK(run.at[1].replied == run.rounds);
  }
}

TEST_CASE("answers that get lost at random are not taken for a limit for long", "[pacing]") {
  for (const std::uint64_t number : {706u, 707u, 708u, 709u, 710u}) {
    const Seed seed(number);
    PacedRun run("reply_loss = 0.3", seed, {.destinations = 20});
    run.run(120s);
    run.forget();
    run.run(600s);
    CAPTURE(number, run.at[1].asked(), run.at[1].silent, run.at[1].left_out);
    CHECK(run.limiting == Limiting::none);
    CHECK(run.at[1].left_out == 0);
    CHECK(run.at[1].silence() > 0.25);
    CHECK(run.at[1].silence() < 0.35);
  }
}

TEST_CASE("a reroute at a shared limited hop is confirmed within a few rounds, and by all flows within minutes",
          "[pacing]") {
  for (const std::uint64_t number : {712u, 713u, 714u}) {
    const Seed seed(number);
    constexpr std::uint16_t kDestinations = 20;
    constexpr std::uint16_t kFlows = 16;
    PacedRun run(kLinuxLimit, seed, {.destinations = kDestinations}, "[router.spare]\n" + std::string(kLinuxLimit));
    const IpAddress before = run.network().address("r1");
    const IpAddress after = run.network().address("spare");
    std::vector<std::unique_ptr<DestinationModel>> models;
    for (std::uint16_t i = 0; i < kDestinations; ++i) {
      auto facts = std::make_shared<DestinationFacts>();
      facts->address = run.address(i);
      facts->source_ports = 50000;
      facts->flows = kFlows;
      facts->interval = 10s;
      models.push_back(std::make_unique<DestinationModel>(std::move(facts), ModelOptions{}));
    }
    std::map<std::uint32_t, IpAddress> first_hops;
    std::vector<Instant> confirmed;
    run.watch = [&](const Round& round) {
      const PathVerdict verdict = models[round.flow / kFlows]->on_round(round.flow % kFlows, round);
      if (!verdict.responders->empty()) first_hops[round.flow] = verdict.responders->front();
      if (verdict.changed != ChangeKind::none) confirmed.push_back(round.finished);
    };
    const auto move = [](std::string_view from, std::string_view to) {
      return [=](Topology& topology) {
        topology.link("agent", from).down = true;
        topology.link("agent", to).down = false;
        topology.compute_routes();
      };
    };
    run.network().schedule({.at = Duration{}, .what = "begin", .apply = move("spare", "r1")});
    run.network().schedule({.at = 1200s, .what = "reroute", .apply = move("r1", "spare")});
    const Instant moved = run.network().now() + 1200s;
    run.run(1200s);
    CHECK(confirmed.empty());
    // 320 flows take 400 s for a turn of all at 0.8/s: by now each has heard the first hop, or is on a path that has.
    CHECK(std::ranges::count(first_hops, before, [](const auto& flow) { return flow.second; }) == 320);
    run.run(1400s);
    REQUIRE_FALSE(confirmed.empty());
    CAPTURE(number, std::chrono::duration<double>(confirmed.front() - moved).count(), confirmed.size());
    CHECK(confirmed.front() - moved < 45s);
    // Each has to hear the other one twice: 640 probes at 0.8/s are 800 s, and those are not all there is to ask.
    CHECK(std::ranges::count(first_hops, after, [](const auto& flow) { return flow.second; }) == 320);
    CHECK(run.lost_rounds == 0);
    for (const auto& model : models) {
      const auto snapshot = model->snapshot(run.network().now());
      CHECK(snapshot->paths_in_use <= 4);
      for (const PathSnapshot& path : snapshot->paths)
        CHECK(path.probes == path.replies);
    }
  }
}

TEST_CASE("loss and an outage behind a shared hop are counted as without pacing", "[pacing]") {
  const Seed seed(711);
  std::array<std::uint64_t, 2> lost{};
  for (const bool adapt : {false, true}) {
    PacedRun run("", seed, {.destinations = 50, .adapt = adapt}, "[link.\"r2-dst\"]\nloss = 0.02");
    run.run(600s);
    lost[adapt ? 1 : 0] = run.lost_rounds;
    CHECK(run.engine().counters().left_out == 0);
    CHECK(run.at[1].silent == 0);
  }
  CHECK(lost[0] == lost[1]);
}
