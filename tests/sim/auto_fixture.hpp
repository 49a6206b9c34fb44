#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/tracing/tracing.hpp"
#include "catch.hpp"
#include "path/model/event_gathering.hpp"
#include "sim/network.hpp"
#include "sim/scenario_files.hpp"
#include "sim/seed.hpp"

namespace ecmp::sim {

/// The exporter's tracing of one destination, "dst", whose flows are found by themselves.
class AutoRun {
 public:
  AutoRun(const Scenario& scenario, std::uint64_t seed, const config::AutoFlows& terms = {},
          std::uint16_t max_flows = 512, Duration interval = std::chrono::seconds(10),
          std::optional<std::uint16_t> source_port = std::nullopt)
      : network(scenario, seed),
        routes(network.address("agent")),
        engine({.secret = {1, 2}}),
        tracing(config_of(network, terms, max_flows, interval, source_port), engine, routes,
                {.round =
                     [this](const std::shared_ptr<const RoundRecord>& record) {
                       rounds.push_back(record);
                       if (record->verdict.changed != ChangeKind::none) ++changes[record->verdict.changed];
                       gathering.on_round(*record);
                     },
                 .snapshots = [this](auto made) { snapshots = std::move(made); },
                 .resolve = [](const auto&, auto) {},
                 .warn = [](auto name, auto message) { FAIL(name << ": " << message); },
                 .responder = nullptr,
                 .gone = [](const auto&) {}}) {
    tracing.start(network.now());
  }

  void pass(Duration time) {
    const Instant end = network.now() + time;
    while (network.now() < end)
      turn(end);
  }

  /// Until a search is over; how long that took.
  Duration find(std::uint32_t searches = 1) {
    const Instant begin = network.now();
    while (told() == nullptr || told()->search->finished < searches) {
      turn(network.now() + std::chrono::milliseconds(100));
      REQUIRE(network.now() - begin < std::chrono::hours(3));
    }
    return network.now() - begin;
  }

  [[nodiscard]] std::shared_ptr<const DestinationSnapshot> told() const {
    return snapshots == nullptr || snapshots->empty() ? nullptr : snapshots->front();
  }
  [[nodiscard]] const SearchProgress& search() const { return *told()->search; }

  /// All paths that flows of all ports take, as they are.
  [[nodiscard]] std::set<std::vector<IpAddress>> true_paths(std::uint32_t flows = 4000) {
    std::set<std::vector<IpAddress>> paths;
    const FiveTuple first = engine.tuple(0);
    for (std::uint32_t i = 0; i < flows; ++i) {
      FiveTuple tuple = first;
      tuple.source_port = static_cast<std::uint16_t>(1024 + i);
      paths.insert(network.path_of(tuple, 0, network.now()).responders);
    }
    return paths;
  }
  /// Those of the steady flows as the model tells them; of a full round.
  [[nodiscard]] std::set<std::vector<IpAddress>> told_paths() const {
    std::set<std::vector<IpAddress>> paths;
    for (const PathSnapshot& path : told()->paths) {
      if (path.flows == 0) continue;
      std::vector<IpAddress> responders(path.length);
      for (const HopSnapshot& hop : path.hops)
        responders.at(hop.ttl - 1u) = hop.responder;
      paths.insert(responders);
    }
    return paths;
  }

  class OneSource final : public Routes {
   public:
    explicit OneSource(const IpAddress& source) : source_(source) {}
    std::optional<IpAddress> add_flow(std::uint32_t flow, const FiveTuple&, const RouteWish&) override {
      CHECK(flows.insert(flow).second);
      return source_;
    }
    void remove_flow(std::uint32_t flow) override { CHECK(flows.erase(flow) == 1); }
    std::set<std::uint32_t> flows;

   private:
    IpAddress source_;
  };

  SimulatedNetwork network;
  OneSource routes;
  std::shared_ptr<const Snapshots> snapshots;
  std::vector<std::shared_ptr<const RoundRecord>> rounds;
  std::map<ChangeKind, int> changes;
  EventGathering gathering;
  std::vector<EventGathering::Event> events;
  std::uint32_t most_asked = 0;  ///< flows by any search
  Engine engine;
  Tracing tracing;

 private:
  static config::Config config_of(const SimulatedNetwork& network, const config::AutoFlows& terms,
                                  std::uint16_t max_flows, Duration interval,
                                  std::optional<std::uint16_t> source_port) {
    config::Config config;
    config::Destination destination;
    destination.name = "dst";
    destination.address = network.address("dst");
    destination.host = destination.address->to_string();
    destination.flows = max_flows;
    destination.auto_flows = terms;
    destination.interval = interval;
    destination.source_port = source_port;
    config.destinations.push_back(destination);
    return config;
  }

  void turn(Instant end) {
    drive_once(engine, network, tracing, std::min(end, network.now() + std::chrono::milliseconds(100)), Duration(0));
    tracing.maintain(network.now());
    for (auto& event : gathering.take(network.now()))
      events.push_back(event);
    if (told() != nullptr) most_asked = std::max(most_asked, search().flows_asked);
  }
};

}  // namespace ecmp::sim
