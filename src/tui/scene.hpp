#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "path/statistics/flow_tally.hpp"
#include "render/hop_names.hpp"
#include "tui/cells.hpp"

namespace ecmp::tui {

/// Which autonomous system an address belongs to, as far as that is known.
class AsNumbers {
 public:
  virtual ~AsNumbers() = default;
  /// 0: not known.
  [[nodiscard]] virtual std::uint32_t number(const IpAddress& address) const = 0;
};

/// What the views show, for as long as one screen is drawn or one key acted on.
struct Scene {
  const DestinationFacts& facts;
  const DestinationTally& tally;
  const render::HopNames& names;          ///< knows none when names are switched off
  const AsNumbers* as_numbers = nullptr;  ///< null: none are known
  bool labels = true;                     ///< show MPLS
  std::string_view search;                ///< only flows that match; empty: all
};

using FlowRow = DestinationTally::Flow;

/// The responder's name, fit to be shown; empty if unknown.
std::string name_of(const Scene& scene, const IpAddress& address);
/// "Frankfurt am Main, DE", fit to be shown; empty if neither is known.
std::string place_of(const Scene& scene, const IpAddress& address);
/// Its name, or else its address.
std::string host_of(const Scene& scene, const IpAddress& address);

/// Whether the flow's source port or path is what is searched for, or an address, a name or an AS of its hops contains
/// it.
bool matches(const Scene& scene, const FlowRow& flow);
std::vector<const FlowRow*> matching_flows(const Scene& scene);

/// "5c1e09aa".
std::string path_id(std::uint32_t path);

}  // namespace ecmp::tui
