#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "path/localisation.hpp"

namespace ecmp {

/// What the hops on and behind the links say, over the paths of flows with loss: all flows of such a path together.
void Localisation::weigh_hops(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                              LinkVerdict& verdict) {
  std::map<IpAddress, Unanswered> on_links;
  Unanswered end;
  std::set<std::pair<const Destination*, const Path*>> lossy;
  for (const std::uint32_t row : collapsed.rows_of(found.link)) {
    const RowOrigin& origin = map.origins[row];
    const Path& path = origin.destination->paths[origin.path];
    if (collapsed.row(row).losses == 0 || !lossy.emplace(origin.destination, &path).second) continue;
    end.add(path.end.unanswered());
    for (std::size_t i = 0; i < path.responders->size(); ++i) {
      const IpAddress& at = (*path.responders)[i];
      if (std::ranges::any_of(verdict.links, [&](const LinkEnds& link) { return link.to == at; }))
        on_links[at].add(path.hops[i].unanswered());
    }
  }
  // What is before a hop that answers does not lose, if it is lost on the way there at all.
  // Hops are counted over a part of the window: loss that was before it is not there to be cleared.
  const double lost = std::min(found.loss, end.ratio());
  std::size_t first = 0;
  for (std::size_t i = 0; i + 1 < verdict.links.size(); ++i) {
    const auto at = on_links.find(verdict.links[i].to);
    if (at != on_links.end() && at->second.clears(lost)) first = i + 1;
  }
  verdict.links.erase(verdict.links.begin(), verdict.links.begin() + static_cast<std::ptrdiff_t>(first));

  // Other links may lose as well: what is looked for is this one's share.
  std::map<IpAddress, Unanswered> behind;
  Unanswered all_behind;
  for (const auto& [destination, path] : lossy) {
    bool beyond = false;
    // The destination's own answers are what is to be explained: they are no evidence of hops.
    const std::size_t hops = path->responders->size() - (path->complete && !path->responders->empty() ? 1 : 0);
    for (std::size_t i = 0; i < hops; ++i) {
      const IpAddress& at = (*path->responders)[i];
      const Unanswered here = path->hops[i].unanswered();
      beyond = beyond || at == verdict.links.front().to;
      if (!beyond || at.is_unspecified() || here.probes == 0) continue;
      behind[at].add(here);
      all_behind.add(here);
    }
  }
  verdict.forward_consistent = all_behind.shows(found.loss) && std::ranges::none_of(behind, [&](const auto& entry) {
                                 return entry.second.clears(found.loss);
                               });
}

/// Whether hops say that the loss is not on the links of a verdict. What is before a hop that answers does not lose: so
/// the far end may clear them. And if the near end leaves as much unanswered as is lost, though it answers on paths
/// that lose nothing, the loss begins before it: two links that lose may look like one that their paths share. A router
/// that limits its ICMP does not do that, for it knows nothing of paths.
bool Localisation::hops_contradict(const Map& map, const Crossings& collapsed, const Explanation& explanation,
                                   const ExplainedLink& found, const LinkVerdict& verdict) const {
  using PlaceOfPath = std::pair<const Destination*, const Path*>;
  const auto path_of = [&](std::uint32_t row) {
    const RowOrigin& origin = map.origins[row];
    return PlaceOfPath(origin.destination, &origin.destination->paths[origin.path]);
  };
  // What another link is blamed for says nothing about this one.
  std::set<PlaceOfPath> elsewhere;
  for (const ExplainedLink& other : explanation.links) {
    if (!other.blamed || other.link == found.link) continue;
    for (const std::uint32_t row : collapsed.rows_of(other.link))
      elsewhere.insert(path_of(row));
  }
  std::set<PlaceOfPath> lossy;
  std::set<PlaceOfPath> over;
  for (std::uint32_t row = 0; row < collapsed.rows(); ++row)
    if (collapsed.row(row).losses > 0) lossy.insert(path_of(row));
  for (const std::uint32_t row : collapsed.rows_of(found.link))
    if (collapsed.row(row).losses > 0) over.insert(path_of(row));

  const auto at = [](const Path& path, const IpAddress& node) {
    const auto hop = std::ranges::find(*path.responders, node);
    if (hop == path.responders->end()) return Unanswered{};
    return path.hops[static_cast<std::size_t>(hop - path.responders->begin())].unanswered();
  };
  const IpAddress& near = verdict.links.front().from;
  const IpAddress& far = verdict.links.back().to;
  Unanswered all;
  Unanswered at_far;
  Unanswered alone;
  Unanswered at_near;
  for (const PlaceOfPath& name : over) {
    const Path& path = *name.second;
    all.add(path.end.unanswered());
    at_far.add(at(path, far));
    if (elsewhere.contains(name)) continue;
    alone.add(path.end.unanswered());
    at_near.add(at(path, near));
  }
  if (at_far.clears(std::min(found.loss, all.ratio()))) return true;
  const double lost = std::min(found.loss, alone.ratio());
  if (lost <= 0 || !at_near.shows(lost)) return false;
  Unanswered usual;
  for (const auto& [name, destination] : destinations_) {
    for (const Path& path : destination.paths)
      if (!lossy.contains({&destination, &path})) usual.add(at(path, near));
  }
  return usual.probes > 0 && at_near.shows(lost, usual.ratio()) &&
         wilson(at_near.unanswered, at_near.probes).low > wilson(usual.unanswered, usual.probes).high;
}

}  // namespace ecmp
