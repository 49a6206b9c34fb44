#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "path/event.hpp"
#include "path/link_delay.hpp"
#include "path/link_verdict.hpp"
#include "path/loss_evidence.hpp"
#include "path/loss_explanation.hpp"
#include "path/round_record.hpp"
#include "path/window.hpp"

namespace ecmp {

struct LocalisationOptions {
  Duration window = std::chrono::minutes(5);
  double min_loss = 0.001;       ///< ratio, below which no link is looked for
  std::size_t worst_links = 20;  ///< told at most
};

/// All flows of all destinations say together on which links probes are lost. Takes in rounds as they are told, keeps
/// what a rolling window needs of them, and comes to its findings in pass(). Pure; time is that of the rounds.
///
/// Only what a destination answers is evidence of loss: a hop that keeps quiet never is. Hops speak where they answer,
/// to tell links apart that no flow does, and to say whether the loss is on the way there.
///
/// Memory: for each flow some 16 bytes for every path and tenth of the window; for each hop of a path some 40 bytes.
/// What was not heard of for a window is let go.
class Localisation {
 public:
  explicit Localisation(const LocalisationOptions& options);

  void set_options(const LocalisationOptions& options);

  /// Rounds of a flow come in order.
  void on_round(const RoundRecord& record);
  /// Other destinations are traced no longer.
  void keep_only(const std::set<std::string_view>& names);

  /// What the window tells as of now. Events that begin or end with this pass are in take_events().
  std::shared_ptr<const LocalisationReport> pass(Instant now, Duration wall_offset);
  std::vector<std::shared_ptr<const PathEvent>> take_events() { return std::exchange(events_, {}); }

  /// Rounds that were not counted, since somebody else answered than on the path they are told to be on.
  [[nodiscard]] std::uint64_t rounds_astray() const { return astray_; }

 private:
  /// What became of the probes of a flow on one path, in one part of the window.
  struct Cell {
    std::uint32_t part = 0;
    std::uint32_t path = 0;  ///< of the destination's
    std::uint32_t probes = 0;
    std::uint32_t losses = 0;
  };
  /// One hop of a path, over the newest half window and the one before.
  struct HopCount {
    std::uint32_t probes[2]{};
    std::uint32_t answers[2]{};
    std::uint32_t others = 0;  ///< answers of somebody else

    void age() {
      probes[1] = std::exchange(probes[0], 0);
      answers[1] = std::exchange(answers[0], 0);
    }
    [[nodiscard]] Unanswered unanswered() const {
      const double asked = static_cast<double>(probes[0]) + probes[1];
      return {asked - answers[0] - answers[1], asked};
    }
  };
  struct Path {
    std::uint32_t id = 0;
    std::uint16_t source_port = 0;  ///< of a path that is not told: it is its flow's
    std::shared_ptr<const std::vector<IpAddress>> responders;
    IpAddress source;
    bool complete = false;
    std::uint32_t rounds = 0;
    std::uint32_t half = 0;  ///< number of the newest half window in `hops`
    std::uint32_t part = 0;  ///< of its newest round
    std::vector<HopCount> hops;
    HopCount end;  ///< of what is lost end to end, over the same time
  };
  struct Flow {
    std::vector<Cell> cells;  ///< by part
  };
  struct Destination {
    std::shared_ptr<const DestinationFacts> facts;
    std::vector<Flow> flows;
    std::vector<Path> paths;
    std::uint32_t part = 0;  ///< of its newest round
  };
  /// Where a row of the crossings comes from.
  struct RowOrigin {
    const Destination* destination = nullptr;
    std::uint32_t flow = 0;  ///< only of rows with losses
    std::uint32_t path = 0;
  };
  /// The links that the window's paths cross.
  struct Map {
    std::unordered_map<LinkEnds, std::uint32_t, LinkEndsHash> numbers;
    std::vector<LinkEnds> ends;
    Crossings crossings;
    std::vector<RowOrigin> origins;
    std::uint64_t flows = 0;
    std::uint64_t probes = 0;
    std::uint64_t losses = 0;
  };
  struct WatchedLoss {
    std::shared_ptr<const LinkVerdict> verdict;
    WallTime begun;
    int seen = 0;    ///< passes
    int missed = 0;  ///< in a row
    bool told = false;
  };
  struct WatchedDelay {
    DelayVerdict verdict;
    WallTime begun;
  };

  static Path* path_of(Destination& destination, const RoundRecord& record, std::uint32_t& index);
  static bool astray(const Path& path, const Round& round);
  static void count_hops(Path& path, const Round& round);
  void add_delays(const Path& path, const Round& round);
  static std::vector<IpAddress> nodes_of(const Destination& destination, const Path& path);
  void forget_old(std::uint32_t part);
  static void add_rows(Map& map, const Destination& destination);
  [[nodiscard]] Map draw_map() const;
  void explain(const Map& map, LocalisationReport& report) const;
  [[nodiscard]] LinkVerdict tell(const Map& map, const std::vector<std::uint32_t>& members, const Crossings& collapsed,
                                 const ExplainedLink& found) const;
  static void weigh_hops(const Map& map, const Crossings& collapsed, const ExplainedLink& found, LinkVerdict& verdict);
  static bool far_end_clears(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                             const LinkVerdict& verdict);
  static void add_witnesses(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                            LinkVerdict& verdict);
  void watch_losses(const LocalisationReport& report);
  void watch_delays(const LocalisationReport& report);

  LocalisationOptions options_;
  WindowScale scale_;
  std::unordered_map<std::string, Destination> destinations_;
  LinkDelays delays_;
  std::vector<WatchedLoss> watched_losses_;
  std::vector<WatchedDelay> watched_delays_;
  std::vector<std::shared_ptr<const PathEvent>> events_;
  std::uint64_t astray_ = 0;
};

}  // namespace ecmp
