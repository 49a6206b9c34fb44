#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "path/localisation/localisation.hpp"

namespace ecmp {
namespace {

/// Of log-likelihood, from which on hops clear what is before them: 150 times as likely. A look has many hops.
constexpr double kClears = 5;
/// From which on they are heard, though it may be chance. So is what is to come of those that were not asked.
constexpr double kSpeaks = 1;

}  // namespace

/// By how much of log-likelihood the hops at a node and behind it rather say that the destination's loss is not before
/// that node. All of them together: each probe of any of them has crossed what is before, and would have its share of
/// the loss of such a link.
double Localisation::answered_from(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                                   const IpAddress& node) {
  std::set<const Path*> seen;
  std::map<IpAddress, Unanswered> hops_at;
  Unanswered end;
  for (const std::uint32_t row : collapsed.rows_of(found.link)) {
    const RowOrigin& origin = map.origins[row];
    const Path& path = origin.destination->paths[origin.path];
    if (origin.gone || origin.destination->facts->address == node || !seen.insert(&path).second) continue;
    const auto at = std::ranges::find(*path.responders, node);
    if (at == path.responders->end()) continue;
    const Unanswered path_end = path.end.unanswered();
    end.add(path_end);
    // A way that nothing is lost on was taken at another time, perhaps, and says nothing of now.
    if (path_end.unanswered == 0) continue;
    const std::size_t hops = path.responders->size() - (path.complete && !path.responders->empty() ? 1 : 0);
    for (auto i = static_cast<std::size_t>(at - path.responders->begin()); i < hops; ++i) {
      if (!(*path.responders)[i].is_unspecified() && !path.varies_at(i))
        hops_at[(*path.responders)[i]].add(path.hops[i].unanswered());
    }
  }
  // Where much happened to be lost is looked first: what is sure of it.
  const double least = wilson(end.unanswered, end.probes).low;
  double gain = 0;
  double probes = 0;
  for (const auto& [address, hop] : hops_at) {
    gain += hop.against(least);
    probes += hop.probes;
  }
  return probes > 0 || hops_at.empty() ? gain : kSpeaks;
}

/// What the hops on and behind the links say, over the paths of flows with loss: all flows of such a path together.
void Localisation::weigh_hops(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                              LinkVerdict& verdict) {
  std::map<IpAddress, Unanswered> on_links;
  std::set<std::pair<const Destination*, const Path*>> lossy;
  for (const std::uint32_t row : collapsed.rows_of(found.link)) {
    const RowOrigin& origin = map.origins[row];
    const Path& path = origin.destination->paths[origin.path];
    if (collapsed.row(row).losses == 0 || origin.gone || !lossy.emplace(origin.destination, &path).second) continue;
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
    if (at == on_links.end()) continue;
    if (at->second.clears(found.loss) || answered_from(map, collapsed, found, at->first) >= kClears) first = i + 1;
  }
  verdict.links.erase(verdict.links.begin(), verdict.links.begin() + static_cast<std::ptrdiff_t>(first));

  // And what is behind a hop that has lost the same probes does not lose them.
  for (std::size_t i = 1; i < verdict.links.size(); ++i) {
    if (!near_end_loses(map, collapsed, found, verdict.links[i].from)) continue;
    verdict.links.resize(i);
    break;
  }

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

/// How many probes a node left unanswered in the rounds that were lost over the link, and `usual`ly.
Unanswered Localisation::lost_at(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                                 const IpAddress& node, double& usual) {
  std::set<const Path*> lossy;
  Unanswered lost;
  Unanswered reached;
  for (const std::uint32_t row : collapsed.rows_of(found.link)) {
    const RowOrigin& origin = map.origins[row];
    const Path& path = origin.destination->paths[origin.path];
    if (collapsed.row(row).losses == 0 || origin.gone || !lossy.insert(&path).second) continue;
    const auto hop = std::ranges::find(*path.responders, node);
    if (hop == path.responders->end()) continue;
    const HopCount& count = path.hops[static_cast<std::size_t>(hop - path.responders->begin())];
    lost.add(count.unanswered_when_lost());
    reached.add(count.unanswered_when_reached());
  }
  usual = reached.ratio();
  return lost;
}

/// Whether the near end of a link keeps quiet in the rounds that are lost, and more than it does otherwise: then the
/// probes are gone before they come to the link.
bool Localisation::near_end_loses(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                                  const IpAddress& near) {
  constexpr double kAsMuch = 0.75;
  double usual = 0;
  const Unanswered lost = lost_at(map, collapsed, found, near, usual);
  return lost.probes > 0 && lost.ratio() - usual >= kAsMuch * (1 - usual) &&
         wilson(lost.unanswered, lost.probes).low > usual;
}

/// Whether hops say that it is not these links, though too little is known yet to clear them.
bool Localisation::far_end_doubts(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                                  const LinkVerdict& verdict) {
  return answered_from(map, collapsed, found, verdict.links.back().to) >= kSpeaks;
}

/// Whether the far end of the links, or a hop behind it, answers where the destination does not: then they do not lose,
/// for nothing gets there but over them. Flows may know of no more than these links of their way, and of others what is
/// behind, so that the links before look like all that they share. And where a router hashes the TTL, what is lost is
/// lost on a branch that none of the hops is on which these flows show.
bool Localisation::far_end_clears(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                                  const LinkVerdict& verdict) {
  struct Seen {
    Unanswered here;
    Unanswered end;
  };
  const IpAddress& far = verdict.links.back().to;
  if (answered_from(map, collapsed, found, far) >= kClears) return true;
  std::set<const Path*> lossy;
  std::map<IpAddress, Seen> behind;
  for (const std::uint32_t row : collapsed.rows_of(found.link)) {
    const RowOrigin& origin = map.origins[row];
    const Path& path = origin.destination->paths[origin.path];
    // A destination's own answers are what is to be explained, whatever address they come from.
    if (collapsed.row(row).losses == 0 || origin.gone || origin.destination->facts->address == far ||
        !lossy.insert(&path).second)
      continue;
    const std::size_t hops = path.responders->size() - (path.complete && !path.responders->empty() ? 1 : 0);
    const auto at = std::ranges::find(*path.responders, far);
    for (auto i = static_cast<std::size_t>(at - path.responders->begin()); i < hops; ++i) {
      if ((*path.responders)[i].is_unspecified() || path.varies_at(i)) continue;
      Seen& seen = behind[(*path.responders)[i]];
      seen.here.add(path.hops[i].unanswered());
      seen.end.add(path.end.unanswered());
    }
  }
  // Hops are counted over a part of the window: loss that was before it is not there to be cleared.
  return std::ranges::any_of(behind, [&](const auto& entry) {
    return entry.second.here.clears(std::min(found.loss, entry.second.end.ratio()));
  });
}

/// The flows that lose most over the link; and those of the same destinations that do not cross it and lose nothing.
void Localisation::add_witnesses(const Map& map, const Crossings& collapsed, const ExplainedLink& found,
                                 LinkVerdict& verdict) {
  const auto witness = [&](std::uint32_t row) {
    const RowOrigin& origin = map.origins[row];
    const auto port = origin.destination->facts->source_ports[origin.flow];
    return WitnessFlow{origin.destination->facts, port, collapsed.row(row).probes, collapsed.row(row).losses};
  };
  std::set<std::uint32_t> over;
  std::set<const Destination*> destinations;
  for (const std::uint32_t row : collapsed.rows_of(found.link)) {
    over.insert(row);
    if (collapsed.row(row).losses == 0) continue;
    verdict.reproduced_by.push_back(witness(row));
    destinations.insert(map.origins[row].destination);
  }
  std::ranges::stable_sort(verdict.reproduced_by, std::greater{}, [](const WitnessFlow& flow) {
    return static_cast<double>(flow.losses) / static_cast<double>(flow.probes);
  });
  if (verdict.reproduced_by.size() > LinkVerdict::kMostWitnesses)
    verdict.reproduced_by.resize(LinkVerdict::kMostWitnesses);
  for (const Destination* const destination : destinations) {
    if (verdict.not_reproduced_by.size() == LinkVerdict::kMostWitnesses) break;
    if (destination->gone()) continue;
    std::set<std::uint32_t> paths_over;
    for (const std::uint32_t row : over)
      if (map.origins[row].destination == destination) paths_over.insert(map.origins[row].path);
    for (std::uint32_t flow = 0; flow < destination->flows.size(); ++flow) {
      const auto& cells = destination->flows[flow].cells;
      const bool clean = !cells.empty() && std::ranges::all_of(cells, [&](const Cell& cell) {
        return cell.losses == 0 && !paths_over.contains(cell.path);
      });
      if (!clean) continue;
      std::uint64_t probes = 0;
      for (const Cell& cell : cells)
        probes += cell.probes;
      const auto port = destination->facts->source_ports[flow];
      verdict.not_reproduced_by.push_back({destination->facts, port, probes, 0});
      break;
    }
  }
}

}  // namespace ecmp
