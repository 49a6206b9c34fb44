#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "path/oneway/loss_seconds.hpp"
#include "path/oneway/oneway_snapshot.hpp"
#include "path/statistics/histogram.hpp"
#include "path/statistics/window.hpp"
#include "probe/streams.hpp"
#include "stamp/oneway_delay.hpp"

namespace ecmp {

/// What the streams of one destination's flows say of each direction, by the path that a flow is on. Replies are hashed
/// anew, so that flows of one path come back over several: where a reflector says which, the way back counts by that,
/// and elsewhere by the path of the way there.
class OnewayModel {
 public:
  /// Of paths that a reflector names, for each flow: whatever it says, no more are remembered.
  static constexpr std::size_t kReversePathsPerFlow = 4;
  /// Of one way back.
  static constexpr std::size_t kMostRouters = 64;

  OnewayModel(std::size_t flows, Duration window, Duration packet_interval, Duration timeout);

  /// `path`: the one that the flow is on now, 0: none is known, and what is reported counts for the flow alone.
  void on_report(std::uint32_t flow_index, std::uint32_t path, const StreamReport& report);

  /// What goes with a round of the flow that is over now, on the path `path`.
  [[nodiscard]] std::shared_ptr<const OnewayRound> round(std::uint32_t flow_index, std::uint32_t path, Instant now);

  [[nodiscard]] std::shared_ptr<const OnewaySnapshot> snapshot(Instant now);

 private:
  struct Part {
    std::uint32_t number = 0;
    stamp::OnewayCounts counts, back;
    Histogram forward, reverse;              ///< delay variation
    Histogram forward_delay, reverse_delay;  ///< by synchronised clocks
  };
  struct Path {
    std::uint32_t id = 0;
    stamp::OnewayCounts counts, back;
    VariationSum forward, reverse;
    VariationSum forward_delay, reverse_delay;
    LossSeconds forward_seconds, reverse_seconds, unresolved_seconds;
    std::vector<Part> window;  ///< oldest first
    Instant used{};
    std::shared_ptr<const OnewayPathSnapshot> published;  ///< with rounds
    Instant published_at{};
  };
  struct Flow {
    OnewayFlowSnapshot told;
    OnewayFlowSnapshot in_rounds;  ///< what the rounds so far have taken of it
    stamp::DelayVariation variation;
    std::uint32_t path = 0;
    std::uint32_t back = 0;  ///< the path that the way back counts for when the reflector named it; 0: it did not
    std::vector<IpAddress> routers;  ///< of the path that the reflector named last
    std::uint64_t reported = 0;      ///< bit i: router i of these
  };

  [[nodiscard]] Path* find(std::uint32_t id);
  Path& path_of(std::uint32_t id, Instant at);
  Part& part_of(Path& path, Instant at);
  void count_seconds(std::uint32_t path, std::uint32_t back, const StreamReport& report);
  void on_exchange(Flow& flow, std::uint32_t path, const StreamReport& report);
  void add_delay(std::uint32_t path, std::uint32_t back, const StreamReport& report);
  void take_reverse_path(Flow& flow, const stamp::OwnTlv::Path& path, Instant at);
  [[nodiscard]] ReflectorSnapshot reflector(Instant now) const;
  [[nodiscard]] OnewayPathSnapshot snapshot_of(const Path& path, Instant now) const;
  std::shared_ptr<const OnewayPathSnapshot> for_rounds(std::uint32_t id, Instant now);

  WindowScale scale_;
  Duration silent_after_;   ///< without a reply it is down
  Duration one_restart_;    ///< a restart has been seen by all streams
  Duration settled_after_;  ///< what left so long ago has been judged
  std::vector<Flow> flows_;
  std::vector<Path> paths_;  ///< by id
  stamp::RelativeDelay forward_, reverse_;
  stamp::ReflectorMode mode_ = stamp::ReflectorMode::unknown;
  bool synchronised_ = false;
  std::optional<Duration> clock_error_;
  Instant answered_ = Instant::min();
  Instant begun_{};
  Instant restarted_ = Instant::min();
  std::uint64_t restarts_ = 0;
};

}  // namespace ecmp
