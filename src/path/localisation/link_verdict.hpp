#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "path/model/snapshot.hpp"
#include "path/oneway/one_way.hpp"
#include "path/statistics/intervals.hpp"

namespace ecmp {

/// A link of the network, whichever destinations' flows cross it: two responders that follow each other, the agent's
/// address being the first. Where hops between them never answered, or packets of a flow are spread over several, it is
/// the whole stretch.
struct LinkEnds {
  IpAddress from;
  IpAddress to;

  friend auto operator<=>(const LinkEnds&, const LinkEnds&) = default;
  friend bool operator==(const LinkEnds&, const LinkEnds&) = default;
};

struct LinkEndsHash {
  std::size_t operator()(const LinkEnds& link) const noexcept {
    const std::size_t from = std::hash<IpAddress>{}(link.from);
    return (from << 7 | from >> 57) * 0x9e3779b97f4a7c15u ^ std::hash<IpAddress>{}(link.to);
  }
};

/// A flow that speaks for or against a verdict.
struct WitnessFlow {
  std::shared_ptr<const DestinationFacts> destination;
  std::uint16_t source_port = 0;
  std::uint64_t probes = 0;
  std::uint64_t losses = 0;
};

/// A link that is suspected to lose probes, or held to (`blamed`), and what speaks for it.
struct LinkVerdict {
  static constexpr std::size_t kMostWitnesses = 8;

  /// In the order in which flows cross them; several where neither flows nor hops tell them apart.
  std::vector<LinkEnds> links;
  double loss = 0;       ///< most likely ratio, of the time since it began (or changed last)
  Interval interval;     ///< of it, 95 %
  double suspicion = 0;  ///< as a multiple of what a verdict needs
  bool blamed = false;   ///< held to lose probes now
  WallTime began{};      ///< when the first probe left that was lost; WallTime{}: before all that is known of it
  WallTime ended{};      ///< when the last one left that was lost, of a link that loses no more; else WallTime{}
  bool outage = false;   ///< all is lost behind it: a destination is gone, and hops say where
  bool uneven = false;   ///< only some of the flows over it lose: perhaps it is lost on the way back
  /// Every deeper hop shows the loss as well. If not, it may be lost on the way back.
  bool forward_consistent = false;
  /// Of losses of STAMP streams: the way on which they are lost. The ends of links are in the order in which packets
  /// cross them, so on the way back from the reflector's side to ours. Nothing: of round trips.
  std::optional<OneWay> direction = std::nullopt;
  std::uint64_t probes = 0;  ///< end to end, of all flows over it, that the ratio is of
  std::uint64_t losses = 0;
  std::uint32_t lossy_flows = 0;
  std::uint32_t clean_flows = 0;
  std::vector<WitnessFlow> reproduced_by;      ///< those that lose most; at most kMostWitnesses
  std::vector<WitnessFlow> not_reproduced_by;  ///< to the same destinations, not over it, without loss; at most as many
};

/// A link whose delay has stepped up.
struct DelayVerdict {
  LinkEnds link;
  Duration before{};  ///< median difference of the RTTs to its two ends
  Duration now{};
  Duration low{};  ///< 99.9 % interval of the median now
  Duration high{};
  std::uint32_t samples = 0;
};

/// What all flows of all destinations say, at one moment. Never changes once it is made.
struct LocalisationReport {
  WallTime time;
  std::vector<LinkVerdict> links;  ///< blamed ones first, then by falling suspicion
  std::vector<DelayVerdict> delays;
  double background = 0;  ///< loss ratio of every flow that no link explains
  std::uint64_t flows = 0;
  std::uint64_t probes = 0;
  std::uint64_t losses = 0;
  std::uint32_t links_known = 0;
};

}  // namespace ecmp
