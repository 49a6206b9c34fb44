#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "path/localisation/link_delay.hpp"
#include "path/localisation/link_verdict.hpp"
#include "path/localisation/loss_evidence.hpp"
#include "path/localisation/loss_explanation.hpp"
#include "path/localisation/loss_onset.hpp"
#include "path/localisation/loss_run.hpp"
#include "path/model/event.hpp"
#include "path/model/round_record.hpp"
#include "path/statistics/window.hpp"

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
/// A fault shows within the window where it harms many probes. Where few are sent, or few are lost, it takes longer
/// than a window until the losses are more than chance: so what leaves the window is kept for kLongWindows more of
/// them, the older the coarser, and looked at once in each part of the window for links that the window alone does not
/// blame. What a window showed by itself is not kept: faults of one branch after the other would add up to one of a
/// link that all of them cross.
///
/// What a destination has not answered before its first answer is not evidence at all: a host that is not there, or
/// answers nobody, loses everything whatever the links do.
///
/// Nor is the rest of what it has not answered since its last answer, until it is known whether it is gone: until it
/// answers again, or all of it is lost for longer than chance has it. Of one that is gone only what was lost since then
/// counts, and only for the link right behind the last hop that still answers; for none where packets go in circles
/// (`localisation_outage.cpp`). Likewise of a flow that has lost everything for longer than chance has it.
///
/// A round during which its flow may be changing its path belongs to no path yet. It waits, and goes where the flow
/// turns out to be.
///
/// Where routers are asked in turn, a flow learns its hops one by one. What it loses says nothing about links as long
/// as it may pass any of several responders (`localisation_map.cpp`).
///
/// Memory: for each flow some 16 bytes for every path and tenth of the window, and some 12 for each doubling of the
/// windows before; for each hop of a path some 70 bytes; for each loss in the window 8, up to kMostLosses of a
/// destination. Paths that no round took within the window are let go when they become many.
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

  /// Windows before the newest that are evidence as well.
  static constexpr std::uint32_t kLongWindows = 24;

  /// Rounds that were not counted, since somebody else answered than on the path they are told to be on.
  [[nodiscard]] std::uint64_t rounds_astray() const { return astray_; }

 private:
  /// Somebody else who answers so often at a hop of a path stands there as well.
  static constexpr std::uint32_t kOftenElse = 8;
  static constexpr std::uint32_t kOneInElse = 10;

  /// What became of the probes of a flow on one path, in one part of the window.
  struct Cell {
    std::uint32_t part = 0;
    std::uint32_t path = 0;  ///< of the destination's
    std::uint32_t probes = 0;
    std::uint32_t losses = 0;
  };
  /// The same of windows that are over.
  struct PastCell {
    std::uint16_t window = 0;   ///< number of the newest
    std::uint16_t windows = 1;  ///< how many
    std::uint16_t path = 0;
    std::uint16_t losses = 0;
    std::uint32_t probes = 0;
  };
  /// When a round ended that was lost.
  struct LossMoment {
    std::uint32_t at = 0;  ///< hundredths of a second, wraps around
    std::uint16_t flow = 0;
    std::uint16_t path = 0;
  };
  struct HeldRound {
    std::uint32_t flow = 0;
    std::uint32_t part = 0;
    std::uint32_t at = 0;  ///< as of LossMoment
    bool lost = false;
  };
  /// One hop of a path, over the newest half window and the one before.
  struct HopCount {
    std::uint32_t probes[2]{};
    std::uint32_t answers[2]{};
    std::uint32_t lost_probes[2]{};  ///< of those, in rounds that were lost
    std::uint32_t lost_answers[2]{};
    std::uint32_t others = 0;  ///< answers of somebody else
    std::uint32_t outage = 0;  ///< number of the newest one of the destination in which it was asked
    std::uint16_t outage_probes = 0;
    std::uint16_t outage_answers = 0;

    void age() {
      for (auto* const count : {&probes, &answers, &lost_probes, &lost_answers})
        (*count)[1] = std::exchange((*count)[0], 0);
    }
    [[nodiscard]] Unanswered unanswered_when_lost() const {
      const double asked = static_cast<double>(lost_probes[0]) + lost_probes[1];
      return {asked - lost_answers[0] - lost_answers[1], asked};
    }
    [[nodiscard]] Unanswered unanswered_when_reached() const {
      const Unanswered all = unanswered();
      const Unanswered lost = unanswered_when_lost();
      return {all.unanswered - lost.unanswered, all.probes - lost.probes};
    }
    [[nodiscard]] Unanswered unanswered() const {
      const double asked = static_cast<double>(probes[0]) + probes[1];
      return {asked - answers[0] - answers[1], asked};
    }
  };
  struct OutageLoss {
    HeldRound round;
    std::uint32_t path = 0;
  };
  /// What a destination has lost since its last answer.
  struct Outage {
    std::uint32_t number = 0;        ///< of those of the destination: rises with each
    Instant started{};               ///< when the first round of it was
    std::uint32_t first = 0;         ///< when that ended, as of LossMoment
    std::vector<OutageLoss> losses;  ///< as they came, the window over as well: few may be judged, and it is one fault
    std::uint64_t rounds = 0;        ///< lost; 0: there is none
    std::uint32_t flows = 0;         ///< that lost one
    bool circles = false;            ///< a router answered at TTLs that are not neighbours
  };
  /// Losses of the newest window and of the one before, each from one multiple of a window's length to the next.
  struct LossesByWindow {
    std::uint16_t window = 0;
    std::uint32_t newest = 0;
    std::uint32_t before = 0;

    void add(std::uint16_t in);
    [[nodiscard]] std::uint32_t of(std::uint16_t in) const;
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
    LossesByWindow losses;
    std::optional<std::uint32_t> settled;  ///< the part up to which a fault that is over explains what it lost
    std::vector<HopCount> hops;
    /// Somebody else answers so often at this index of `hops` that no one responder is known for sure.
    [[nodiscard]] bool varies_at(std::size_t hop) const {
      return hops[hop].others >= kOftenElse && hops[hop].others * kOneInElse >= rounds;
    }
    HopCount end;  ///< of what is lost end to end, over the same time
  };
  /// Which hops of a path have answered a flow itself. The path may know more, by other flows that are taken to go the
  /// same way.
  struct Heard {
    std::uint32_t path = 0;
    std::uint64_t ttls = 0;  ///< bit i: TTL i + 1

    [[nodiscard]] bool has(std::size_t hop) const { return hop >= 64 || (ttls >> hop & 1) != 0; }
  };
  /// A hop that has not answered a flow.
  struct Quiet {
    std::uint16_t since_part = 0;  ///< lower bits
    std::uint8_t silences = 0;
  };
  struct Flow {
    std::vector<Cell> cells;       ///< by part
    std::vector<PastCell> past;    ///< the oldest first
    std::vector<Heard> heard;      ///< the path of the newest round last
    std::vector<Quiet> quiet;      ///< by TTL - 1
    std::uint32_t outage = 0;      ///< number of the newest one of the destination in which it lost a round
    std::uint32_t lost = 0;        ///< rounds since the newest that was answered
    std::uint32_t lost_since = 0;  ///< when the first of these ended, as of LossMoment
  };
  struct Destination {
    std::shared_ptr<const DestinationFacts> facts;
    std::vector<Flow> flows;
    std::vector<Path> paths;
    std::vector<LossMoment> losses;  ///< of the window, as they came
    std::vector<HeldRound> held;     ///< whose paths are not known yet
    Duration patience{};             ///< from the begin of a lost round to its end
    std::uint32_t part = 0;          ///< of its newest round
    /// A round has reached it. Before, there may be no such host, or one that answers nobody: what is lost there says
    /// nothing about any link.
    bool answered = false;
    LossRun run;          ///< over all flows
    Instant explained{};  ///< what began before is not counted if it is lost: it is of an outage that is over
    Outage outage;        ///< while nobody knows whether it is one, and during it
    /// Nothing of it has answered for longer than chance has it, neither any flow in turn nor many rounds.
    [[nodiscard]] bool gone() const;
  };
  /// Where a row of the crossings comes from.
  struct RowOrigin {
    const Destination* destination = nullptr;
    std::uint32_t flow = 0;  ///< only of rows with losses
    std::uint32_t path = 0;
    /// Of a destination that is gone, with the link behind the last hop that answers.
    bool gone = false;
    bool silent_behind = false;  ///< likewise: a router follows, which answered before
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
  struct SeenOutage {
    LinkVerdict verdict;
    WallTime at;  ///< of the newest pass that saw it
  };
  struct WatchedDelay {
    DelayVerdict verdict;
    WallTime begun;
  };

  /// How far back evidence goes.
  enum class Reach : std::uint8_t { window, all };

  static Path* path_of(Destination& destination, const RoundRecord& record, std::uint32_t& index);
  static bool astray(const Path& path, const Round& round);
  static void count_hops(Path& path, const Round& round);
  void add_delays(const Path& path, const Round& round);
  void count_round(Destination& destination, const HeldRound& round, std::uint32_t path) const;
  void settle_held(Destination& destination, std::uint32_t flow, std::uint32_t path) const;
  void take_round(Destination& destination, const HeldRound& round, std::uint32_t path) const;
  void note_answer(Destination& destination, std::uint32_t flow, const Round& round) const;
  void end_outage(Destination& destination, Instant answered) const;
  static bool loses_all(const Flow& flow);
  void on_unjudged(const RoundRecord& record);
  static void look_at_hops(Destination& destination, const RoundRecord& record);
  static void note_loss(Destination& destination, const LossMoment& loss);
  void retire(const Destination& destination, Flow& flow, std::uint32_t part) const;
  void settle(const LinkVerdict& over, std::uint32_t part);
  void forget_paths(Destination& destination, std::uint32_t part) const;
  static void note_heard(Destination& destination, Flow& flow, std::uint32_t path, const Round& round);
  static void note_quiet(const Destination& destination, Flow& flow, const Round& round);
  class Frontier;
  class HopGuesses;
  class RowMaker;
  using Hops = std::bitset<256>;  ///< by TTL - 1
  static bool sprayed_at(const Destination& destination, const Path& path, std::size_t hop);
  static std::vector<IpAddress> nodes_of(const Destination& destination, const Path& path,
                                         const std::vector<IpAddress>& responders);
  static Hops varying(const Destination& destination);
  static void add_nodes(const Destination& destination, const Path& path, const std::vector<IpAddress>& responders,
                        const Hops& varying, std::vector<IpAddress>& nodes);
  void forget_old(std::uint32_t part);
  [[nodiscard]] Map draw_map(Reach reach) const;
  void explain(const Map& map, Reach reach, LocalisationReport& report) const;
  void look_back(std::uint32_t part, LocalisationReport& report);
  void keep_outages(LocalisationReport& report);
  [[nodiscard]] LinkVerdict tell(const Map& map, const std::vector<std::uint32_t>& members, const Crossings& collapsed,
                                 const ExplainedLink& found) const;
  static void weigh_hops(const Map& map, const Crossings& collapsed, const ExplainedLink& found, LinkVerdict& verdict);
  static Unanswered lost_at(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                            const IpAddress& node, double& usual);
  static double answered_from(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                              const IpAddress& node);
  static bool near_end_loses(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                             const IpAddress& near);
  static bool far_end_doubts(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                             const LinkVerdict& verdict);
  static bool far_end_clears(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                             const LinkVerdict& verdict);
  static void add_witnesses(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                            LinkVerdict& verdict);
  [[nodiscard]] bool date_outage(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                                 LinkVerdict& verdict) const;
  [[nodiscard]] WallTime left_at(const Destination& destination, double moment) const;
  void date(const Map& map, const Crossings& collapsed, const Explanation& explanation, const ExplainedLink& found,
            Reach reach, LinkVerdict& verdict) const;
  [[nodiscard]] LossCourse course_of(const std::vector<std::pair<const Destination*, std::uint32_t>>& paths,
                                     Reach reach) const;
  void watch_losses(LocalisationReport& report);
  static void note_end(WatchedLoss& watched, const LocalisationReport& report);
  void watch_delays(const LocalisationReport& report);

  LocalisationOptions options_;
  WindowScale scale_;
  std::unordered_map<std::string, Destination> destinations_;
  Instant now_{};                        ///< of the newest pass
  Duration wall_offset_{};               ///< likewise
  std::uint32_t looked_back_ = 0;        ///< part in which that was done last
  std::vector<LinkVerdict> long_links_;  ///< blamed by what is older than the window
  std::vector<SeenOutage> outages_;      ///< of the window
  LinkDelays delays_;
  std::vector<WatchedLoss> watched_losses_;
  std::vector<WatchedDelay> watched_delays_;
  std::vector<std::shared_ptr<const PathEvent>> events_;
  std::uint64_t astray_ = 0;
};

/// A verdict with the figures of its explanation; links, witnesses and times are the caller's.
LinkVerdict figures_of(const ExplainedLink& found);

}  // namespace ecmp
