#pragma once

#include <optional>
#include <span>
#include <vector>

#include "path/model/flow_view.hpp"
#include "path/model/snapshot.hpp"

namespace ecmp {

// What the views of all flows of a destination come to together.

/// Whom an unanswered probe of a slot counts for.
inline const IpAddress& expected_responder(const Sticky<IpAddress>& responder) {
  return responder.balanced() ? responder.latest() : responder.value();
}

/// By TTL, then by their ends.
std::vector<LinkSnapshot> links_of(std::span<const FlowView* const> views);

/// What as many flows guarantee, see FlowGraph::coverage(). None while nobody has answered.
std::optional<double> coverage_of(std::span<const FlowView* const> views);

}  // namespace ecmp
