#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "path/histogram.hpp"
#include "path/oneway_snapshot.hpp"
#include "path/window.hpp"
#include "probe/streams.hpp"
#include "stamp/oneway_delay.hpp"

namespace ecmp {

/// What the streams of one destination's flows say of each direction, by the path that a flow is on. A way back has no
/// path of its own here: replies are hashed anew, so that flows of one path come back over several.
class OnewayModel {
 public:
  OnewayModel(std::size_t flows, Duration window, Duration packet_interval, Duration timeout);

  /// `path`: the one that the flow is on now, 0: none is known, and what is reported counts for the flow alone.
  void on_report(std::uint32_t flow_index, std::uint32_t path, const StreamReport& report);

  [[nodiscard]] std::shared_ptr<const OnewaySnapshot> snapshot(Instant now);

 private:
  struct Part {
    std::uint32_t number = 0;
    stamp::OnewayCounts counts;
    Histogram forward, reverse;  ///< delay variation
  };
  struct Path {
    std::uint32_t id = 0;
    stamp::OnewayCounts counts;
    VariationSum forward, reverse;
    std::vector<Part> window;  ///< oldest first
    Instant used{};
  };
  struct Flow {
    OnewayFlowSnapshot told;
    stamp::DelayVariation variation;
    std::uint32_t path = 0;
  };

  Path& path_of(std::uint32_t id, Instant at);
  Part& part_of(Path& path, Instant at);
  void on_exchange(Flow& flow, std::uint32_t path, const StreamReport& report);

  WindowScale scale_;
  Duration silent_after_;  ///< without a reply it is down
  std::vector<Flow> flows_;
  std::vector<Path> paths_;
  stamp::RelativeDelay forward_, reverse_;
  stamp::ReflectorMode mode_ = stamp::ReflectorMode::unknown;
  bool synchronised_ = false;
  Instant answered_ = Instant::min();
  Instant begun_{};
  Instant restarted_ = Instant::min();
  std::uint64_t restarts_ = 0;
};

}  // namespace ecmp
