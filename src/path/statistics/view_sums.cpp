#include "path/statistics/view_sums.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "path/localisation/flow_graph.hpp"

namespace ecmp {

std::vector<LinkSnapshot> links_of(std::span<const FlowView* const> views) {
  // Flows share most of their links: counted as they are met, few are left to sort. A fan wider than kSearched is not
  // searched through for every flow; what is then there several times, the merging below brings together.
  constexpr std::size_t kSearched = 64;
  std::vector<LinkSnapshot> links;
  std::size_t longest = 0;
  for (const FlowView* const view : views) {
    longest = std::max<std::size_t>(longest, view->length());
  }
  for (std::size_t ttl = 2; ttl <= longest; ++ttl) {
    const std::size_t first = links.size();
    for (const FlowView* const view : views) {
      if (ttl > view->length()) continue;
      const FlowView::Slot* const from = view->slot(ttl - 1);
      const FlowView::Slot* const to = view->slot(ttl);
      if (from == nullptr || to == nullptr || !from->responder.known() || !to->responder.known()) continue;
      const IpAddress& near = expected_responder(from->responder);
      const IpAddress& far = expected_responder(to->responder);
      const auto searched = std::span(links).subspan(first, std::min(links.size() - first, kSearched));
      const auto known =
          std::ranges::find_if(searched, [&](const LinkSnapshot& link) { return link.from == near && link.to == far; });
      if (known != searched.end()) {
        ++known->flows;
      } else {
        links.push_back({static_cast<std::uint8_t>(ttl), near, far, 1});
      }
    }
  }
  std::ranges::sort(links, {}, [](const LinkSnapshot& link) { return std::tie(link.ttl, link.from, link.to); });
  std::size_t kept = 0;
  for (const LinkSnapshot& link : links) {
    LinkSnapshot* const last = kept > 0 ? &links[kept - 1] : nullptr;
    if (last != nullptr && last->ttl == link.ttl && last->from == link.from && last->to == link.to) {
      last->flows += link.flows;
    } else {
      links[kept++] = link;
    }
  }
  // A copy of the right size: it is kept, and may be there for every flow and hop.
  return {links.begin(), links.begin() + static_cast<std::ptrdiff_t>(kept)};
}

std::optional<double> coverage_of(std::span<const FlowView* const> views) {
  std::unordered_map<IpAddress, std::uint32_t> numbers;
  std::vector<Trail> trails;
  for (const FlowView* const view : views) {
    Trail trail;
    trail.reached = view->distance() != 0;
    for (std::size_t ttl = 1; ttl <= view->length(); ++ttl) {
      const FlowView::Slot* const slot = view->slot(ttl);
      std::uint32_t responder = Trail::kNobody;
      if (slot != nullptr && slot->responder.balanced()) {
        responder = Trail::kVarying;
      } else if (slot != nullptr && slot->responder.known()) {
        responder =
            numbers.try_emplace(slot->responder.value(), static_cast<std::uint32_t>(numbers.size() + 1)).first->second;
      }
      trail.hops.push_back(responder);
    }
    if (!trail.hops.empty()) trails.push_back(std::move(trail));
  }
  if (trails.empty()) return std::nullopt;
  constexpr std::uint32_t kSingle = 6;  // tells one branch from two, at 95 %
  const double coverage = FlowGraph(trails, kSingle).coverage(0);
  return coverage >= 0 ? std::optional(coverage) : std::nullopt;
}

}  // namespace ecmp
