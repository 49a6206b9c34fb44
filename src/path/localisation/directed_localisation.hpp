#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "path/localisation/crossings.hpp"
#include "path/localisation/link_verdict.hpp"
#include "path/localisation/localisation.hpp"
#include "path/localisation/loss_explanation.hpp"
#include "path/localisation/loss_onset.hpp"
#include "path/model/event.hpp"
#include "path/model/round_record.hpp"
#include "path/statistics/window.hpp"

namespace ecmp {

/// On which links the packets of STAMP streams are lost, and on which way: losses forward are evidence about the links
/// of the flow's way there, losses on the way back about those of its way back, where a reflector of ours has said
/// which these are. Round trips say nothing here.
///
/// A link of the way back is one like any other: from the router nearer to the reflector to the one nearer to us, the
/// order in which packets cross it. So no link is of both ways, and all of them are explained together.
///
/// It takes in rounds as Localisation does, and is judged over the rolling window alone; within it a fault is dated, to
/// about the interval between two rounds of a flow. Memory: some 24 bytes for each flow, direction, path and tenth of
/// the window, and for each round with losses. Pure; time is that of the rounds.
class DirectedLocalisation {
 public:
  explicit DirectedLocalisation(const LocalisationOptions& options);

  void set_options(const LocalisationOptions& options);
  /// Rounds without anything of streams are passed over.
  void on_round(const RoundRecord& record);
  /// Other destinations are traced no longer.
  void keep_only(const std::set<std::string_view>& names);

  /// What the window says as of now: blamed ones first. Events that begin or end are in take_events().
  std::vector<LinkVerdict> pass(Instant now, WallTime wall);
  std::vector<std::shared_ptr<const PathEvent>> take_events() { return std::exchange(events_, {}); }

 private:
  /// What became of packets of a flow on one way, in one part of the window.
  struct Cell {
    std::uint32_t part = 0;
    std::uint32_t way = 0;  ///< of the destination's
    std::uint32_t packets = 0;
    std::uint32_t losses = 0;
  };
  /// A way that packets take, from who sends them to who gets them.
  struct Way {
    std::vector<IpAddress> nodes;  ///< unspecified: a router that is not known
    OneWay direction{};
    std::uint32_t first = 0;  ///< part of its first cell
    std::uint32_t part = 0;   ///< of its newest cell
  };
  /// Packets that were lost between two rounds of a flow.
  struct Losses {
    Instant until{};  ///< the later round ended
    std::uint32_t way = 0;
    std::uint32_t count = 0;
  };
  struct Destination {
    std::shared_ptr<const DestinationFacts> facts;
    std::vector<std::vector<Cell>> flows;
    std::vector<Way> ways;
    std::vector<Losses> losses;  ///< within the window, oldest first
  };
  struct Row {
    const Destination* destination = nullptr;
    std::uint32_t flow = 0;
    std::uint32_t way = 0;
  };
  struct Map {
    std::unordered_map<LinkEnds, std::uint32_t, LinkEndsHash> numbers;
    std::vector<LinkEnds> ends;
    std::vector<OneWay> directions;
    Crossings crossings;
    std::vector<Row> rows;
    std::uint64_t losses = 0;
  };
  struct Watched {
    std::shared_ptr<const LinkVerdict> verdict;
    WallTime begun;
    int seen = 0;
    int missed = 0;
    bool reported = false;
  };

  void count(Destination& destination, const RoundRecord& record, std::vector<IpAddress> nodes, OneWay direction,
             std::uint64_t packets, std::uint64_t losses) const;
  void forget_old(Destination& destination, std::uint32_t part) const;
  static bool is_known(const Destination& destination, const Way& way, std::uint32_t part);
  [[nodiscard]] Map draw_map(std::uint32_t part) const;
  static LinkVerdict verdict_of(const Map& map, const std::vector<std::uint32_t>& members, const Crossings& collapsed,
                                const ExplainedLink& found);
  [[nodiscard]] LossCourse course_of(const Map& map, std::span<const std::uint32_t> rows, Instant now) const;
  void date(const Map& map, const Crossings& collapsed, const Explanation& explanation, const ExplainedLink& found,
            Instant now, LinkVerdict& verdict, WallTime wall) const;
  static void note_end(Watched& watched, const std::vector<LinkVerdict>& verdicts);
  void watch(std::vector<LinkVerdict>& verdicts, WallTime wall);

  LocalisationOptions options_;
  WindowScale scale_;
  std::unordered_map<std::string, Destination> destinations_;
  std::vector<Watched> watched_;
  std::vector<std::shared_ptr<const PathEvent>> events_;
};

}  // namespace ecmp
