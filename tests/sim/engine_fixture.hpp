#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "path/model/destination_model.hpp"
#include "probe/engine.hpp"
#include "sim/network.hpp"

namespace ecmp::sim {

/// How the destinations of a scenario are traced.
struct TraceOptions {
  Protocol protocol = Protocol::udp;
  Family family = Family::ipv4;
  std::uint16_t port = 33434;
  std::uint16_t flows = 32;
  Duration interval = std::chrono::seconds(1);
  Duration timeout = std::chrono::milliseconds(500);
  std::uint8_t max_ttl = 30;
  std::uint32_t confirm_rounds = 2;
  std::uint32_t rounds = 0;
  std::uint8_t dscp = 0;
  std::uint16_t packet_size = 60;
  double probes_per_second = 50000;
  double probes_per_second_per_responder = 500;
  /// Off where every round is to be asked: destinations that answer with ICMP errors are asked seldom at first.
  bool adapt_to_responders = false;
  bool ask_until_limited = false;
  bool wait_for_hops = true;  ///< see ModelOptions
};

/// A confirmed change of a flow's path.
struct SeenChange {
  std::string destination;
  std::uint32_t flow_index = 0;
  ChangeKind kind = ChangeKind::none;
  std::uint32_t round = 0;
  Instant started{};  ///< of the round that confirmed it
};

/// What the rounds of a destination came to.
struct RoundTotals {
  std::uint64_t rounds = 0;
  std::uint64_t reached = 0;
  std::uint64_t lost = 0;
  std::uint64_t send_failed = 0;
  std::uint64_t unjudged = 0;  ///< for a limit of the destination, or to find it out
  std::uint64_t hops_replied = 0;
  std::uint64_t hops_silent = 0;
  std::uint64_t hops_lost = 0;
  std::uint64_t hops_unreachable = 0;
};

/// The network, with the newest datagram of every flow kept: from it the oracle knows what routers hash.
class TappedNetwork final : public Transport {
 public:
  explicit TappedNetwork(SimulatedNetwork& network) : network_(network) {}
  Instant now() override { return network_.now(); }
  void send(std::span<Outgoing> batch) override {
    for (const Outgoing& outgoing : batch) {
      if (outgoing.flow >= newest_.size()) newest_.resize(outgoing.flow + 1);
      newest_[outgoing.flow].assign(outgoing.bytes.begin(), outgoing.bytes.end());
    }
    network_.send(batch);
  }
  void receive(Instant deadline, CaptureSink& sink) override { network_.receive(deadline, sink); }
  [[nodiscard]] const std::vector<std::uint8_t>& newest(std::uint32_t flow) const { return newest_.at(flow); }

 private:
  SimulatedNetwork& network_;
  std::vector<std::vector<std::uint8_t>> newest_;
};

/// Engine and path model over a scenario: every destination of it is traced, with a fixed secret.
class EngineRun final : public RoundSink {
 public:
  EngineRun(const Scenario& scenario, std::uint64_t seed, const TraceOptions& options)
      : options_(options),
        network_(scenario, seed),
        tap_(network_),
        engine_({.secret = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u},
                 .probes_per_second = options.probes_per_second,
                 .probes_per_second_per_responder = options.probes_per_second_per_responder,
                 .adapt_to_responders = options.adapt_to_responders,
                 .ask_until_limited = options.ask_until_limited}) {
    for (const NodeId id : network_.topology().destinations)
      trace(network_.topology().nodes[id]);
  }

  /// Lets `time` of the network pass.
  void run(Duration time) { drive(engine_, tap_, *this, network_.now() + time); }

  void on_round(const Round& round) override {
    Traced& traced = *by_flow_.at(round.flow);
    const std::uint32_t index = round.flow - traced.first_flow;
    count(traced.totals, round);
    PathVerdict verdict = traced.model->on_round(index, round);
    if (watch) watch(index, round, verdict);
    if (verdict.changed != ChangeKind::none)
      changes_.push_back({traced.facts->name, index, verdict.changed, round.number, round.started});
    traced.verdicts[index] = std::move(verdict);
    traced.rounds[index] = round;
  }

  /// Sees every round and what the model says of it.
  std::function<void(std::uint32_t flow_index, const Round& round, const PathVerdict& verdict)> watch;

  Engine& engine() { return engine_; }
  SimulatedNetwork& network() { return network_; }

  /// The responders of a flow as the model tells them.
  [[nodiscard]] std::vector<IpAddress> found_path(std::string_view destination, std::uint32_t flow_index) const {
    const auto& responders = of(destination).verdicts.at(flow_index).responders;
    return responders ? *responders : std::vector<IpAddress>{};
  }
  /// The responders of a flow as they are, at a time.
  [[nodiscard]] TruePath true_path(std::string_view destination, std::uint32_t flow_index, Instant at) const {
    return network_.path_of(tap_.newest(of(destination).first_flow + flow_index), at);
  }
  [[nodiscard]] const Round& newest_round(std::string_view destination, std::uint32_t flow_index) const {
    return of(destination).rounds.at(flow_index);
  }
  [[nodiscard]] const RoundTotals& totals(std::string_view destination) const { return of(destination).totals; }
  [[nodiscard]] const std::vector<SeenChange>& changes() const { return changes_; }
  [[nodiscard]] std::shared_ptr<const DestinationSnapshot> snapshot(std::string_view destination) {
    return of(destination).model->snapshot(network_.now());
  }

 private:
  struct Traced {
    std::shared_ptr<const DestinationFacts> facts;
    std::uint32_t first_flow = 0;
    std::unique_ptr<DestinationModel> model;
    std::vector<PathVerdict> verdicts;
    std::vector<Round> rounds;
    RoundTotals totals;
  };

  void trace(const Node& node) {
    DestinationPlan plan;
    plan.address = node.addresses.of(options_.family);
    if (plan.address.is_unspecified()) return;
    plan.protocol = options_.protocol;
    plan.port = options_.port;
    plan.flows = options_.flows;
    plan.interval = options_.interval;
    plan.timeout = options_.timeout;
    plan.max_ttl = options_.max_ttl;
    plan.rounds = options_.rounds;
    plan.dscp = options_.dscp;
    plan.packet_size = options_.packet_size;
    plan.phase = destinations_.size();
    const std::optional<std::uint32_t> first = engine_.add(plan, network_.now());
    if (!first) throw std::runtime_error("the engine has refused destination " + node.name);

    auto facts = std::make_shared<DestinationFacts>();
    facts->name = node.name;
    facts->host = plan.address.to_string();
    facts->address = plan.address;
    facts->protocol = plan.protocol;
    facts->port = plan.protocol == Protocol::icmp ? std::uint16_t{0} : plan.port;
    facts->source_ports = plan.source_ports;
    facts->flows = plan.flows;
    facts->interval = plan.interval;
    Traced& traced = destinations_[node.name];
    traced.facts = facts;
    traced.first_flow = *first;
    traced.model = std::make_unique<DestinationModel>(
        std::move(facts),
        ModelOptions{.confirm_rounds = options_.confirm_rounds, .wait_for_hops = options_.wait_for_hops});
    traced.verdicts.resize(plan.flows);
    traced.rounds.resize(plan.flows);
    const IpAddress& source = network_.address("agent", options_.family);
    for (std::uint32_t index = 0; index < plan.flows; ++index) {
      engine_.set_source(*first + index, source);
      traced.model->set_source(index, source);
      by_flow_[*first + index] = &traced;
    }
  }

  static void count(RoundTotals& totals, const Round& round) {
    ++totals.rounds;
    ++(round.end_to_end == EndToEnd::reached ? totals.reached
       : round.end_to_end == EndToEnd::lost  ? totals.lost
       : is_unjudged(round.end_to_end)       ? totals.unjudged
                                             : totals.send_failed);
    for (const HopResult& hop : round.hops) {
      totals.hops_replied += hop.outcome == HopOutcome::replied ? 1 : 0;
      totals.hops_silent += hop.outcome == HopOutcome::silent ? 1 : 0;
      totals.hops_lost += hop.outcome == HopOutcome::lost ? 1 : 0;
      totals.hops_unreachable += hop.outcome == HopOutcome::unreachable ? 1 : 0;
    }
  }

  [[nodiscard]] const Traced& of(std::string_view destination) const {
    const auto found = destinations_.find(destination);
    if (found == destinations_.end()) throw std::out_of_range("no destination " + std::string(destination));
    return found->second;
  }

  TraceOptions options_;
  SimulatedNetwork network_;
  TappedNetwork tap_;
  Engine engine_;
  std::map<std::string, Traced, std::less<>> destinations_;  ///< a map: Traced keep their places
  std::map<std::uint32_t, Traced*> by_flow_;
  std::vector<SeenChange> changes_;
};

}  // namespace ecmp::sim
