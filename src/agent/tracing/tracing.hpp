#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/tracing/board.hpp"
#include "agent/tracing/kept_snapshots.hpp"
#include "agent/tracing/routes.hpp"
#include "config/changes.hpp"
#include "config/config.hpp"
#include "path/model/destination_model.hpp"
#include "path/model/round_record.hpp"
#include "probe/engine.hpp"

namespace ecmp {

/// The source ports of a destination of this name, before any other destination is looked at.
SourcePorts ports_of(const config::Destination& destination, std::string_view name);

/// All ports that flows of it may ever have.
PortsToKeep kept_ports(const config::Destination& destination);

/// What the addresses of a name were found to be.
struct HostAnswer {
  std::string host;
  config::FamilyChoice family = config::FamilyChoice::any;
  std::vector<IpAddress> addresses;  ///< best first; empty when the look-up failed
  std::string error;                 ///< one line, when it failed
  std::optional<Duration> ttl;
};

/// The destinations being traced: gives them to the engine, finds and re-finds the addresses of their names, feeds
/// their models and publishes their snapshots. Lives on the probing loop's thread; takes no lock and reads no clock.
class Tracing : public RoundSink {
 public:
  struct Outputs {
    std::function<void(std::shared_ptr<const RoundRecord>)> round;
    std::function<void(std::shared_ptr<const Snapshots>)> snapshots;
    /// Asks for the addresses of a name; the answer comes to on_names().
    std::function<void(const std::string& host, config::FamilyChoice family)> resolve;
    /// A destination cannot be traced, or can again: one line for the log.
    std::function<void(std::string_view destination, std::string_view message)> warn;
    std::function<void(const IpAddress& responder)> responder;  ///< seen in a round: its name may be wanted
    std::function<void(const std::string& destination)> gone;   ///< no longer traced
    /// Has the last word on how a destination is traced, for what no configuration says. May be left out.
    std::function<void(DestinationPlan& plan)> adjust = {};
    /// How the paths of a destination were called before a restart; null: nothing is known. May be left out.
    std::function<const DestinationPathNames*(const std::string& destination)> path_names = {};
    /// Whether somebody has read the figures of snapshots since it was asked last. May be left out: then they are
    /// always read.
    std::function<bool()> figures_read = {};
    bool wait_for_hops = true;  ///< see ModelOptions
    /// A record of a round that no reader has any more, to be used again; null: there is none. May be left out.
    std::function<std::shared_ptr<RoundRecord>()> spare = {};
  };

  Tracing(const config::Config& config, Engine& engine, Routes& routes, Outputs outputs);
  ~Tracing() override;
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;

  /// Begins with all destinations whose address is known, and asks for the others'.
  void start(Instant now);

  /// Civil time minus monotonic time, for the records of rounds and for when counters began.
  void set_wall_offset(Duration offset) {
    wall_offset_ = offset;
    engine_.set_wall_offset(offset);
  }

  void on_round(const Round& round) override;
  void on_stream(const StreamReport& report) override;
  void on_source(std::uint32_t flow, const std::optional<IpAddress>& source);
  void on_names(const HostAnswer& answer, Instant now);

  /// Of classic buckets: for destinations that begin, and with the next change for all others that it concerns.
  void set_bounds(std::shared_ptr<const Statistics::Bounds> bounds) { bounds_ = std::move(bounds); }

  /// Begins to go over to another configuration: maintain() does it, a slice at a time, so that no probe of those
  /// destinations that stay as they are is late. Not before the changes given earlier are made.
  void change(std::shared_ptr<const config::Changes> changes);
  [[nodiscard]] bool changing() const { return changing_ != nullptr; }

  /// Asks again for names that are due, makes changes and publishes snapshots, a slice of the work at a time.
  void maintain(Instant now);

  /// Publishes a snapshot of every destination at once, for whoever ends here.
  void publish_all(Instant now);

  /// Whether the snapshots of the newest call of Outputs::snapshots have the figures of now, give or take half an
  /// interval. They are not kept new while nobody reads them: snapshots then follow which flow is on which path, and no
  /// more.
  [[nodiscard]] bool figures_are_new() const { return figures_new_; }

  [[nodiscard]] std::size_t size() const { return traced_.size(); }

  [[nodiscard]] std::uint64_t dns_errors() const { return dns_errors_; }

  /// Other name servers are there: names that could not be resolved are asked for at once.
  void ask_failing_names(Instant now);

  /// Bytes of snapshots that were replaced and that readers keep alive.
  [[nodiscard]] std::uint64_t kept_bytes() const { return kept_.bytes(); }
  /// True once every destination has finished a round, or cannot have one.
  [[nodiscard]] bool settled() const { return unsettled_ == 0; }

 private:
  struct Traced;
  struct Configured;
  struct Changing;
  struct Searching;

  Configured& insert(const config::Destination& destination);
  Traced& make(Configured& configured, std::string name);
  void introduce(Traced& traced, Instant now);
  void begin(Configured& configured, Instant now);
  [[nodiscard]] SourcePorts free_ports(const config::Destination& destination, const DestinationFacts& facts) const;
  void begin(Traced& traced, IpAddress address, Instant now);
  std::vector<Traced*> end_spread_in_the_way(const Traced& fixed);
  void end(Traced& traced);
  void drop(Traced& traced);
  void settle(Traced& traced);
  void complain(Traced& traced, std::string message);
  void follow_reflector(Traced& traced, const OnewaySnapshot& seen);
  void ask_for_names(Instant now);
  void fail(Configured& name, const HostAnswer& answer, Instant now);
  void apply(Configured& name, const HostAnswer& answer, Instant now);
  void apply_all(Configured& name, const HostAnswer& answer, Instant now);
  void want_names(Traced& traced, std::uint32_t index, const Round& round) const;
  void retire_a_slice();
  void look_for_readers(Instant now);
  [[nodiscard]] Duration pause_of(const Traced& traced, Instant now) const;
  void publish(Instant now);
  void publish_at_once(Instant now);
  [[nodiscard]] WallTime wall(Instant at) const { return WallTime(at.time_since_epoch() + wall_offset_); }
  [[nodiscard]] ModelOptions model_options(const config::Destination& destination) const;

  // tracing_search.cpp
  void begin_searching(Traced& traced, Instant now);
  void end_searching(Traced& traced);
  void follow_route(Traced& traced, std::uint32_t index);
  void search(Instant now);
  void look_for_due_searches(Instant now);
  void start_search(Traced& traced, Instant now);
  void hand_over_asks(Traced& traced, Instant now);
  void finish_search(Traced& traced, Instant now);
  void set_steady(Traced& traced, const std::vector<std::uint16_t>& kept, Instant now);
  void note_search(Traced& traced, const std::shared_ptr<const RoundRecord>& record);

  // tracing_change.cpp
  void change_a_slice(Instant now);
  std::size_t change_one(Instant now);
  std::size_t steps_of(const Changing& changing) const;
  std::size_t remove(const std::string& name);
  std::size_t stop(const config::Edit& edit);
  std::size_t edit(const config::Edit& edit, Instant now);
  void edit_host(Configured& configured, const config::EditEffect& effect, Instant now);
  std::size_t retry(Configured& configured, Instant now);
  Configured* find(const std::string& name);

  config::Limits limits_;
  Duration window_{};
  bool hop_histograms_ = true;
  std::shared_ptr<const Statistics::Bounds> bounds_;  ///< of classic buckets
  std::optional<Duration> refresh_;                   ///< of names; nullopt: as their records say
  Engine& engine_;
  Routes& routes_;
  Outputs outputs_;
  std::vector<std::unique_ptr<Traced>> traced_;          ///< by name
  std::vector<std::unique_ptr<Configured>> configured_;  ///< by name
  std::vector<Configured*> names_;                       ///< those whose host is a name
  std::unique_ptr<Changing> changing_;
  std::vector<Traced*> by_flow_;
  std::vector<Traced*> automatic_;  ///< traced with flows that are searched for
  std::vector<Traced*> running_;    ///< of these, those whose search runs
  std::size_t next_automatic_ = 0;  ///< the next to be looked at
  Instant ask_at_{};                ///< of all searches, the next round
  Duration wall_offset_{};
  std::uint64_t dns_errors_ = 0;
  std::size_t unsettled_ = 0;

  /// Snapshots that others took the place of, until the readers' board has the new ones; and those that nobody reads
  /// any more. Thousands may end at once, with a hundred allocations each: they go a few at a time.
  std::vector<std::shared_ptr<const DestinationSnapshot>> replaced_, retired_;
  KeptSnapshots kept_;
  std::size_t publish_next_ = 0;  ///< next of traced_ in the pass under way
  bool publish_changed_ = false;
  Instant publish_at_{};
  Instant read_until_ = Instant::max();  ///< figures are kept new until then
  bool figures_new_ = true;
  Instant resolve_at_{};
};

}  // namespace ecmp
