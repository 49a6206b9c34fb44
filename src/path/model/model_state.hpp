#pragma once

// Private to the destination model.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "path/model/destination_model.hpp"
#include "path/model/model_flow.hpp"
#include "path/model/path_registry.hpp"
#include "path/model/refusals.hpp"
#include "path/model/sightings.hpp"
#include "path/model/window_pool.hpp"

namespace ecmp {

class DestinationModel::State {
 public:
  State(std::shared_ptr<const DestinationFacts> facts, const ModelOptions& options)
      : options_(options),
        scale_(options.window),
        registry_(options.max_paths, options.path_retention),
        facts_(std::move(facts)) {
    options_.confirm_rounds = std::max<std::uint32_t>(1, options_.confirm_rounds);
    registry_.set_bounds(options_.bounds.get());
    flows_.resize(facts_->flows);
    rest_and_wake({});
  }

  void begin(WallTime now);
  void set_facts(std::shared_ptr<const DestinationFacts> facts, WallTime now);
  void set_options(const ModelOptions& options);
  void forget_paths();
  void forget_rounds() {
    for (Flow& flow : flows_)
      flow.jitter.reset();
  }
  void restore(const DestinationPathNames& names, Instant now) { registry_.restore(names, now); }
  void set_source(std::uint32_t flow_index, const IpAddress& source) {
    if (flow_index < flows_.size()) flows_[flow_index].source = source;
  }
  void set_search(std::shared_ptr<const SearchProgress> progress) { search_ = std::move(progress); }
  void set_oneway(std::shared_ptr<const OnewaySnapshot> oneway) { oneway_ = std::move(oneway); }
  PathVerdict on_round(std::uint32_t flow_index, const Round& round, WallTime started);
  std::shared_ptr<const DestinationSnapshot> snapshot(Instant now);
  [[nodiscard]] bool moved() const { return views_changed_; }

 private:
  using Flow = model::Flow;

  void rest_and_wake(WallTime now);
  void lay_aside(std::size_t index);
  [[nodiscard]] std::uint16_t port_of(std::size_t index) const { return facts_->source_ports[index]; }
  void forget_path(Flow& flow);
  void place(Flow& flow, Instant now, WallTime started);
  void settle_tallies(Flow& flow);
  static bool note_quiet(Flow& flow, const Round& round);
  struct Gap;
  [[nodiscard]] Gap look_at_gap(const Flow& flow, const PathContent& view, std::size_t index) const;
  [[nodiscard]] std::uint32_t flows_in_silence(std::size_t ttl) const;
  [[nodiscard]] bool hears_another(const FlowView& view, std::size_t ttl, const IpAddress& responder) const;
  /// Grows with all that may decide where a flow with gaps passes.
  [[nodiscard]] std::uint32_t news() const { return registry_.version() + heard_; }
  [[nodiscard]] bool all_hear(std::size_t ttl, const IpAddress& responder) const;
  [[nodiscard]] bool fill_gaps(const Flow& flow, PathContent& view) const;
  void leave_doubtful(Instant now);
  void note_reached(Flow& flow, const Round& round);
  void note_sightings(const Flow& flow, Instant started);
  [[nodiscard]] ChangeKind judge(const Flow& flow);
  [[nodiscard]] bool in_use(std::size_t ttl, const IpAddress& responder, const Flow* but = nullptr) const;
  [[nodiscard]] RoundPlace place_of(Instant started, Instant finished) const;
  [[nodiscard]] RoundPlace at_hops(RoundPlace place) const;
  bool hold(Flow& flow, const Round& round, const FlowView::Rules& rules, bool agreed, ChangeKind changed) const;
  void count(Flow& flow, const Round& round) const;
  void count_held(Flow& flow) const;
  void count_end_to_end(Flow& flow, const Round& round, bool all_known) const;
  bool count_hops(Flow& flow, const Round& round) const;
  void tell_window(KnownPath& path, Instant now, PathVerdict& verdict);

  ModelOptions options_;
  WindowScale scale_;
  PathRegistry registry_;
  WindowPool windows_;
  std::uint32_t heard_ = 0;  ///< times that flows with gaps heard somebody new
  Sightings sightings_;
  std::shared_ptr<const DestinationFacts> facts_;
  std::vector<Flow> flows_;
  std::unordered_map<std::uint16_t, model::FlowCounters> laid_aside_;  ///< of flows that are no more, by port
  Refusals refusals_;
  ViewStep step_;
  std::uint32_t lost_in_a_row_ = 0;  ///< rounds of all flows since the destination answered last
  WallTime began_{};
  Instant last_round_{};                   ///< end of the newest
  Instant first_rounds_ = Instant::min();  ///< begin of the latest first round of a flow
  bool views_changed_ = true;              ///< since `coverage_` and links were worked out
  std::optional<double> coverage_;
  std::weak_ptr<const DestinationSnapshot> told_;  ///< the newest one
  std::shared_ptr<const OnewaySnapshot> oneway_;
  std::shared_ptr<const SearchProgress> search_;
  std::shared_ptr<const std::vector<IpAddress>> nobody_ = std::make_shared<const std::vector<IpAddress>>();
};

}  // namespace ecmp
