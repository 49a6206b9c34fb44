#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "path/model/flow_paths.hpp"
#include "path/model/round_record.hpp"

/// Roll-ups: what a minute of a path comes to, in few numbers. Only rounds that count are in (reached or lost): rounds
/// that were suppressed, left out, undecided or not observed say nothing about the network.
namespace ecmp {

constexpr Duration kRollupStep = std::chrono::minutes(1);

/// A round-trip time's place in a histogram whose buckets are at most 1/32 of what is in them wide, from 1 ns up to 292
/// years: RTTs are read back within 1.6 %, and histograms of any minutes can be added.
std::uint16_t rollup_bucket(Duration rtt);
/// The middle of a bucket.
Duration rollup_value(std::uint16_t bucket);

/// Counts of RTTs by bucket, rising.
using RollupCounts = std::vector<std::pair<std::uint16_t, std::uint32_t>>;
void add_counts(RollupCounts& to, const RollupCounts& more);

/// A quantile by nearest rank: the smallest value with at least q of all values at or below it.
struct RttQuantiles {
  Duration p5{};
  Duration p50{};
  Duration p95{};

  friend bool operator==(const RttQuantiles&, const RttQuantiles&) = default;
};
/// None of nothing. `rtts` is sorted.
std::optional<RttQuantiles> quantiles_of(std::span<const Duration> rtts);
std::optional<RttQuantiles> quantiles_of(const RollupCounts& counts);

/// A minute of one path of one destination.
struct Rollup {
  std::shared_ptr<const std::string> destination;  ///< its name
  WallTime minute;                                 ///< its begin, a whole minute of civil time
  std::uint32_t path = 0;                          ///< id; 0: nobody had answered yet, or the path was not told
  std::uint32_t flows = 0;                         ///< that had a round which counts
  std::uint32_t probes = 0;                        ///< rounds, end to end
  std::uint32_t losses = 0;
  std::uint32_t silences = 0;  ///< of hops in front of the destination
  RollupCounts rtt;            ///< end to end
};

/// Hops in front of the destination that kept quiet in a round.
std::uint32_t silences_of(const Round& round);
/// The RTT of the destination's answer; none when the round did not reach it.
std::optional<Duration> rtt_of(const Round& round);

/// Makes roll-ups of the rounds of all destinations.
class RollupBuilder {
 public:
  /// A round of a minute that was closed already is left out.
  void add(const std::shared_ptr<const RoundRecord>& record);
  /// The minutes that began before `before` and are not closed yet. Further rounds of theirs are left out, until the
  /// civil time goes back: then there may be a minute twice, and both are to be added.
  std::vector<Rollup> close(WallTime before);
  /// Those that are open, as they stand. Without histograms.
  [[nodiscard]] std::vector<Rollup> open() const;

 private:
  struct Minute {
    Rollup counts;
    std::vector<std::uint16_t> ports;
    std::map<std::uint16_t, std::uint32_t> rtt;
  };
  struct Destination {
    std::shared_ptr<const std::string> name;
    FlowPaths paths;
    std::map<std::pair<WallTime, std::uint32_t>, Minute> minutes;  ///< by begin and path
  };

  void count(Destination& destination, const RoundRecord& record, std::uint32_t path);

  std::unordered_map<std::string, Destination> destinations_;
  WallTime closed_{};
};

}  // namespace ecmp
