#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "path/snapshot.hpp"
#include "render/hop_names.hpp"

namespace ecmp::render {

/// Names of the families somebody asks for; empty: all.
using FamilyFilter = std::set<std::string, std::less<>>;

struct TextOptions {
  FamilyFilter families;
  std::uint64_t max_series = 500000;
};

struct DroppedFamily {
  std::string_view family;  ///< its name, from the metric table
  std::uint64_t series = 0;
};

struct RenderOutcome {
  std::uint64_t series = 0;            ///< rendered
  std::vector<DroppedFamily> dropped;  ///< left out for max_series, the least important first
};

/// Appends all families about the network as Prometheus text 0.0.4, each family once with the samples of all
/// destinations, those by name. When there would be more than max_series, whole families are left out, the least
/// important first, until the rest fits. No two samples have the same name and labels, whatever the snapshots hold.
RenderOutcome append_text(std::string& out, std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots,
                          const HopNames& names, const TextOptions& options);

}  // namespace ecmp::render
