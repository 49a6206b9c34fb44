#pragma once

#include <string>
#include <utility>
#include <vector>

#include "path/localisation/localisation.hpp"
#include "sim/engine_fixture.hpp"

namespace ecmp::sim {

/// Localisation over all destinations of a scenario, as the agent does it: engine, model, rounds, a pass every
/// 10 seconds.
class LocalisationRun {
 public:
  LocalisationRun(const Scenario& scenario, std::uint64_t seed, const TraceOptions& options,
                  const LocalisationOptions& localisation)
      : options_(options), run_(scenario, seed, options), localisation_(localisation) {
    for (const NodeId id : run_.network().topology().destinations) {
      const Node& node = run_.network().topology().nodes[id];
      auto facts = std::make_shared<DestinationFacts>();
      facts->name = node.name;
      facts->address = node.addresses.of(options.family);
      facts->protocol = options.protocol;
      facts->port = options.port;
      facts->source_ports = DestinationPlan{}.source_ports;
      facts->flows = options.flows;
      facts->interval = options.interval;
      facts_.push_back(std::move(facts));
    }
    run_.watch = [this](std::uint32_t flow_index, const Round& round, const PathVerdict& verdict) {
      RoundRecord record;
      record.destination = facts_.at(round.flow / options_.flows);
      record.flow_index = flow_index;
      record.source_port = record.destination->source_ports[flow_index];
      record.source = run_.network().address("agent", options_.family);
      record.round = round;
      record.verdict = verdict;
      localisation_.on_round(record);
    };
  }

  void run(Duration time) {
    const Instant end = run_.network().now() + time;
    while (run_.network().now() < end) {
      run_.run(std::min<Duration>(std::chrono::seconds(10), end - run_.network().now()));
      report_ = localisation_.pass(run_.network().now(), {});
      for (const auto& event : localisation_.take_events())
        events_.push_back(event);
    }
  }

  [[nodiscard]] const LocalisationReport& report() const { return *report_; }
  [[nodiscard]] const std::vector<std::shared_ptr<const PathEvent>>& events() const { return events_; }
  EngineRun& engine_run() { return run_; }
  /// "a1-c3" as ends.
  LinkEnds link(const std::string& name) {
    const auto dash = name.find('-');
    const auto address = [&](const std::string& node) { return run_.network().address(node, options_.family); };
    return {address(name.substr(0, dash)), address(name.substr(dash + 1))};
  }

 private:
  TraceOptions options_;
  EngineRun run_;
  Localisation localisation_;
  std::vector<std::shared_ptr<const DestinationFacts>> facts_;
  std::shared_ptr<const LocalisationReport> report_;
  std::vector<std::shared_ptr<const PathEvent>> events_;
};

}  // namespace ecmp::sim
