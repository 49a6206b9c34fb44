#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "path/model/snapshot.hpp"
#include "render/figures.hpp"
#include "render/hop_names.hpp"
#include "render/metrics/encoder.hpp"
#include "render/metrics/metric_table.hpp"

namespace ecmp::render {

/// Groups of families that a scrape has, or has not: what [metrics] switches.
struct MetricGroups {
  bool flows = true;         ///< of single flows
  bool path_windows = true;  ///< of paths, over the rolling window
  bool hops = true;          ///< counters of hops
  bool hop_windows = true;   ///< RTT and jitter of hops over the rolling window
  bool links = true;
};

/// Names of the families that are asked for; empty: all.
using FamilyFilter = std::set<std::string, std::less<>>;

/// Whether a filter takes a family: it names the family, as the metric table or as OpenMetrics call it, or one of the
/// names that its samples have.
bool takes(const FamilyFilter& filter, const MetricRow& family);

struct ExpositionOptions {
  Format format = Format::text;
  FamilyFilter families;
  std::uint64_t max_series = 500000;
  HistogramOptions histograms;
  MetricGroups groups;
};

struct DroppedFamily {
  std::string_view family;  ///< its name, from the metric table
  std::uint64_t series = 0;
};

struct RenderOutcome {
  std::uint64_t series = 0;            ///< rendered
  std::vector<DroppedFamily> dropped;  ///< left out for max_series, the least important first
};

/// All families about the network, each once with the samples of all destinations, those by name, to be written piece
/// by piece: a scrape may be hundreds of megabytes long, which nobody needs to hold at once. When there would be more
/// series than max_series, whole families are left out, the least important first, until the rest fits. No two samples
/// have the same name and labels, whatever the snapshots hold. What ends a scrape is left to who appends the families
/// that follow.
class Exposition {
 public:
  /// The snapshots must outlive it. Names are asked for at once.
  Exposition(std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots, const HopNames& names,
             const ExpositionOptions& options);
  ~Exposition();
  Exposition(const Exposition&) = delete;
  Exposition& operator=(const Exposition&) = delete;

  [[nodiscard]] const RenderOutcome& outcome() const;

  /// Appends until there are at least `enough` bytes more, or no more to come. In text it goes little beyond that; a
  /// family of protobuf, which begins with its length, comes whole. False when that was the last piece.
  bool next(std::string& out, std::size_t enough);

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// All of it at once.
RenderOutcome append_exposition(std::string& out, std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots,
                                const HopNames& names, const ExpositionOptions& options);

}  // namespace ecmp::render
