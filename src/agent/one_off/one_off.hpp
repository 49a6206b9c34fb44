#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/one_off/one_off_desk.hpp"
#include "agent/tracing/routes.hpp"
#include "agent/tracing/tracing.hpp"
#include "config/config.hpp"
#include "probe/engine.hpp"
#include "probe/round.hpp"

namespace ecmp {

/// Source ports that one-off traces of a module use: of a block whatever nobody has, or one run of consecutive ones for
/// each that may be under way at once.
struct OneOffPorts {
  PortsToKeep kept;
  bool spread = false;      ///< over the block of `kept`
  std::uint16_t first = 0;  ///< of the runs
  std::uint16_t flows = 0;
  std::uint16_t count = 0;  ///< from `first` on, those of all slots; 0: there was no room
};

/// Chooses the ports of every module. Of one with source_port: from there on, where no configured destination and no
/// other module of the protocol has consecutive ones. So neither a one-off trace nor an address that a name gets later
/// can take the 5-tuple of a steady flow.
std::vector<OneOffPorts> choose_one_off_ports(const config::Config& config);

/// Whether an address may be traced for somebody who asks: a unicast one of an allowed network.
bool one_off_allowed(const IpAddress& address, std::span<const config::Network> allowed);

/// The traces that GET /probe asks for: a few rounds of every flow at once, on the engine that does the steady tracing,
/// within its limits. Lives on the probing loop's thread. Rounds that are not its own go on to `next`.
class OneOffTraces : public RoundSink {
 public:
  struct Outputs {
    std::function<void(const std::string& host, config::FamilyChoice family)> resolve;  ///< answer: on_names()
    std::function<void(const IpAddress& responder)> responder;
  };

  /// `config` is read now only: its modules and [one_off] take a restart.
  OneOffTraces(const config::Config& config, Engine& engine, Routes& routes, OneOffDesk& desk, RoundSink& next,
               Outputs outputs);
  ~OneOffTraces() override;

  [[nodiscard]] std::span<const OneOffPorts> ports() const { return ports_; }

  void on_round(const Round& round) override;
  void on_stream(const StreamReport& report) override { next_.on_stream(report); }
  /// False: none of its flows.
  bool on_source(std::uint32_t flow, const std::optional<IpAddress>& source);
  void on_names(const HostAnswer& answer, Instant now);

  /// Civil time minus monotonic time, for when counters began.
  void set_wall_offset(Duration offset) { wall_offset_ = offset; }

  /// Of classic buckets, for traces that begin from now on.
  void set_bounds(std::shared_ptr<const Statistics::Bounds> bounds) { bounds_ = std::move(bounds); }

  /// Begins what was asked for, ends what is complete or out of time.
  void maintain(Instant now);

  /// Whether the loop should come back soon.
  [[nodiscard]] bool busy() const { return !traces_.empty(); }

  /// Answers all that is under way: the exporter stops.
  void stop();

 private:
  struct Trace;

  [[nodiscard]] WallTime wall(Instant at) const { return WallTime(at.time_since_epoch() + wall_offset_); }
  void take(std::shared_ptr<OneOffTicket> ticket, Instant now);
  void choose_address(Trace& trace, const HostAnswer& answer, Instant now);
  void begin(Trace& trace, const IpAddress& address, Instant now);
  std::optional<std::uint32_t> add(Trace& trace, DestinationPlan& plan, Instant now);
  void refuse(Trace& trace, OneOffRefusal refusal, std::string problem);
  void end(Trace& trace, Instant now);
  [[nodiscard]] Trace* of_flow(std::uint32_t flow);

  std::vector<config::Module> modules_;
  config::OneOffLimits limits_;
  std::uint32_t max_paths_;
  std::shared_ptr<const Statistics::Bounds> bounds_;  ///< of classic buckets
  Engine& engine_;
  Routes& routes_;
  OneOffDesk& desk_;
  RoundSink& next_;
  Outputs outputs_;
  Duration wall_offset_{};
  std::vector<OneOffPorts> ports_;              ///< by module
  std::vector<bool> slots_;                     ///< taken
  std::vector<std::unique_ptr<Trace>> traces_;  ///< at most max_concurrent
};

}  // namespace ecmp
