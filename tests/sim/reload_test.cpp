// Reloads while a thousand destinations are traced: who is not edited must not notice.
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "agent/tracing/tracing.hpp"
#include "catch.hpp"
#include "render/metrics/exposition.hpp"
#include "sim/network.hpp"
#include "sim/scenario_files.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kEdited = "10.200.2.50";

class OneSource final : public Routes {
 public:
  explicit OneSource(const IpAddress& source) : source_(source) {}
  std::optional<IpAddress> add_flow(std::uint32_t flow, const FiveTuple& tuple, const RouteWish&) override {
    CHECK(flows.emplace(flow, tuple.destination).second);
    return source_;
  }
  void remove_flow(std::uint32_t flow) override { CHECK(flows.erase(flow) == 1); }

  std::map<std::uint32_t, IpAddress> flows;

 private:
  IpAddress source_;
};

class NoNames final : public render::HopNames {
 public:
  [[nodiscard]] std::string_view name(const IpAddress&) const override { return {}; }
};

config::Config thousand() {
  config::Config config;
  config.limits.probes_per_second = 1e6;  // one waits for another nowhere: what is compared is each by itself
  config.limits.probes_per_second_per_responder = 1e6;
  for (int i = 0; i < 1000; ++i) {
    config::Destination destination;
    destination.host = "10.200." + std::to_string(i / 100) + "." + std::to_string(i % 100 + 1);
    destination.name = destination.host;
    destination.address = IpAddress::parse(destination.host);
    destination.flows = 2;
    destination.interval = 5s;
    config.destinations.push_back(destination);
  }
  return config;
}

/// Flow index, number, begin, RTT of the last hop.
using Told = std::tuple<std::uint32_t, std::uint32_t, Instant, Duration>;

struct Run {
  explicit Run(std::uint64_t seed)
      : config(thousand()),
        network(load_scenario("crowd"), seed),
        routes(network.address("agent")),
        engine({.secret = {1, 2},
                .probes_per_second = config.limits.probes_per_second,
                .probes_per_second_per_responder = config.limits.probes_per_second_per_responder}),
        tracing(config, engine, routes,
                {.round =
                     [this](const auto& record) {
                       const Round& round = record->round;
                       rounds[record->destination->name].emplace_back(record->flow_index, round.number, round.started,
                                                                      round.hops.back().rtt);
                     },
                 .snapshots = [this](auto made) { snapshots = std::move(made); },
                 .resolve = [](const auto&, auto) {},
                 .warn = [](auto name, auto message) { FAIL(name << ": " << message); },
                 .responder = nullptr,
                 .gone = [](const auto& name) { CHECK(name == kEdited); }}) {
    tracing.start(network.now());
  }

  void pass(Duration time) {
    const Instant end = network.now() + time;
    while (network.now() < end) {
      drive_once(engine, network, tracing, std::min(end, network.now() + (tracing.changing() ? 1ms : 100ms)), 0ns);
      tracing.maintain(network.now());
    }
  }

  void go_over(const config::Config& next) {
    tracing.change(std::make_shared<config::Changes>(config::plan_changes(config, next)));
    config = next;
  }

  /// The whole exposition but for the edited destination, long after the last round: made of snapshots of one moment.
  std::string others() {
    for (int turn = 0; turn < 2000; ++turn)
      tracing.maintain(network.now() + 60s);
    std::vector<std::shared_ptr<const DestinationSnapshot>> kept;
    for (const auto& snapshot : *snapshots)
      if (snapshot->facts->name != kEdited) kept.push_back(snapshot);
    CHECK(kept.size() == 999);
    std::string text;
    render::append_exposition(text, kept, NoNames(), {.max_series = 100'000'000});
    return text;
  }

  config::Config config;
  SimulatedNetwork network;
  OneSource routes;
  std::shared_ptr<const Snapshots> snapshots;
  std::map<std::string, std::vector<Told>, std::less<>> rounds;
  Engine engine;
  Tracing tracing;
};

/// One edit after another, and at last as it was: label, interval, header values, gone and back.
config::Config edited(const config::Config& plain, int second) {
  config::Config next = plain;
  auto& list = next.destinations;
  const auto at = std::ranges::find(list, kEdited, &config::Destination::name);
  REQUIRE(at != list.end());
  switch (second % 8) {
    case 0:
      at->labels = {{"second", std::to_string(second)}};
      break;
    case 1:
      at->interval = 2s;
      break;
    case 2:
      at->dscp = 8;
      break;
    case 3:
      list.erase(at);
      break;
    case 4:
      at->flows = 16;
      break;
    case 5:
      at->source_port = 1000;
      break;
    case 6:
      at->timeout = 1s;
      break;
    default:
      break;
  }
  return next;
}

}  // namespace

TEST_CASE("reloads every second that edit one of a thousand destinations leave all others as they are", "[reload]") {
  const Seed seed(500);
  Run calm(seed);
  calm.pass(75s);
  Run reloaded(seed);
  const config::Config plain = reloaded.config;
  reloaded.pass(10s);
  for (int second = 0; second < 60; ++second) {
    reloaded.go_over(edited(plain, second));
    reloaded.pass(1s);
  }
  reloaded.pass(5s);
  CHECK(reloaded.engine.counters().rounds_skipped == 0);

  const auto& edited_rounds = reloaded.rounds.find(kEdited)->second;
  CHECK(edited_rounds != calm.rounds.find(kEdited)->second);  // or nothing was tried
  calm.rounds.erase(std::string(kEdited));
  reloaded.rounds.erase(std::string(kEdited));
  CHECK(calm.rounds.size() == 999);
  CHECK(calm.rounds == reloaded.rounds);
  const std::string expected = calm.others();
  CHECK(expected.size() > 1'000'000);
  CHECK((reloaded.others() == expected));
}
