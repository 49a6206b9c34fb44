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
  std::set<std::pair<const Destination*, const Path*>> lossy;
  for (const std::uint32_t row : collapsed.rows_of(found.link)) {
    const RowOrigin& origin = map.origins[row];
    const Path& path = origin.destination->paths[origin.path];
    if (collapsed.row(row).losses == 0 || !lossy.emplace(origin.destination, &path).second) continue;
    for (std::size_t i = 0; i < path.responders->size(); ++i) {
      const IpAddress& at = (*path.responders)[i];
      if (std::ranges::any_of(verdict.links, [&](const LinkEnds& link) { return link.to == at; }))
        on_links[at].add(path.hops[i].unanswered());
    }
  }
  // What is before a hop that answers does not lose, if it is lost on the way there at all.
  std::size_t first = 0;
  for (std::size_t i = 0; i + 1 < verdict.links.size(); ++i) {
    const auto at = on_links.find(verdict.links[i].to);
    if (at != on_links.end() && at->second.clears(found.loss)) first = i + 1;
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

/// Whether the far end of the links answers where the destination does not: then they do not lose, for nothing gets
/// there but over them. Flows may know of no more than these links of their way, and of others what is behind, so that
/// the links before look like all that they share.
bool Localisation::far_end_clears(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                                  const LinkVerdict& verdict) {
  const IpAddress& far = verdict.links.back().to;
  std::set<const Path*> lossy;
  Unanswered end;
  Unanswered at_far;
  for (const std::uint32_t row : collapsed.rows_of(found.link)) {
    const RowOrigin& origin = map.origins[row];
    const Path& path = origin.destination->paths[origin.path];
    // A destination's own answers are what is to be explained.
    if (collapsed.row(row).losses == 0 || origin.destination->facts->address == far || !lossy.insert(&path).second)
      continue;
    const auto hop = std::ranges::find(*path.responders, far);
    if (hop == path.responders->end()) continue;
    end.add(path.end.unanswered());
    at_far.add(path.hops[static_cast<std::size_t>(hop - path.responders->begin())].unanswered());
  }
  // Hops are counted over a part of the window: loss that was before it is not there to be cleared.
  return at_far.clears(std::min(found.loss, end.ratio()));
}

}  // namespace ecmp
