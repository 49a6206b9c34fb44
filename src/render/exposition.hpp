#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "path/snapshot.hpp"
#include "render/encoder.hpp"
#include "render/figures.hpp"
#include "render/hop_names.hpp"

namespace ecmp::render {

/// Names of the families somebody asks for; empty: all.
using FamilyFilter = std::set<std::string, std::less<>>;

/// Whether a filter takes a family: it names the family, as the metric table or as OpenMetrics call it, or one of the
/// names that its samples have.
bool takes(const FamilyFilter& filter, const MetricRow& family);

struct ExpositionOptions {
  Format format = Format::text;
  FamilyFilter families;
  std::uint64_t max_series = 500000;
  HistogramOptions histograms;
};

struct DroppedFamily {
  std::string_view family;  ///< its name, from the metric table
  std::uint64_t series = 0;
};

struct RenderOutcome {
  std::uint64_t series = 0;            ///< rendered
  std::vector<DroppedFamily> dropped;  ///< left out for max_series, the least important first
};

/// Appends all families about the network, each once with the samples of all destinations, those by name. When there
/// would be more than max_series, whole families are left out, the least important first, until the rest fits. No two
/// samples have the same name and labels, whatever the snapshots hold. What ends a scrape is left to who appends the
/// families that follow.
RenderOutcome append_exposition(std::string& out, std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots,
                                const HopNames& names, const ExpositionOptions& options);

}  // namespace ecmp::render
