#include <algorithm>
#include <map>
#include <utility>

#include "path/localisation.hpp"
#include "path/localisation_time.hpp"

namespace ecmp {
namespace {

/// Silences of a hop that nobody is known at, by one flow: then its router is one that keeps quiet. Fewer may be those
/// of a limit that was not known yet.
constexpr std::uint8_t kMostSilences = 6;
/// Flows that all pass one responder at a TTL: then so do the others, in 127 of 128 cases if there were a second one
/// that takes half of them.
constexpr std::uint32_t kFlowsAgree = 8;

/// TTLs of a path whose responder a flow does not know although it is taken to be the one that all flows pass.
using FilledTtls = std::vector<std::uint8_t>;

/// What a flow passes where it has not heard anybody yet, by what the destination's other flows have heard.
class HopGuesses {
 public:
  /// A flow with rounds in the window knows of this path.
  void add(const std::vector<IpAddress>& responders) {
    if (at_.size() < responders.size()) at_.resize(responders.size());
    for (std::size_t i = 0; i < responders.size(); ++i) {
      if (responders[i].is_unspecified()) continue;
      if (at_[i].flows > 0 && at_[i].responder != responders[i]) at_[i].several = true;
      at_[i].responder = responders[i];
      ++at_[i].flows;
    }
  }

  /// Fills in what can only be one responder. False if the flow may pass any of several, so that there is no saying
  /// which links it crosses.
  bool fill(const std::vector<std::uint8_t>& silences, std::vector<IpAddress>& responders, FilledTtls& filled) const {
    for (std::size_t i = 0; i < responders.size(); ++i) {
      if (!responders[i].is_unspecified() || i >= at_.size() || at_[i].flows == 0) continue;
      if (i < silences.size() && silences[i] >= kMostSilences) continue;
      if (at_[i].several || at_[i].flows < kFlowsAgree) return false;
      responders[i] = at_[i].responder;
      filled.push_back(static_cast<std::uint8_t>(i + 1));
    }
    return true;
  }

 private:
  struct Known {
    IpAddress responder;
    std::uint32_t flows = 0;
    bool several = false;
  };
  std::vector<Known> at_;  ///< by TTL - 1
};

}  // namespace

void Localisation::count_silences(Flow& flow, const Path& path, const Round& round) {
  for (const HopResult& hop : round.hops) {
    if (hop.ttl == 0 || hop.ttl > path.responders->size()) continue;
    if (hop.outcome == HopOutcome::silent) {
      if (flow.silences.size() < hop.ttl) flow.silences.resize(hop.ttl);
      std::uint8_t& count = flow.silences[hop.ttl - 1u];
      if (count < kMostSilences) ++count;
    } else if (hop.outcome == HopOutcome::replied && flow.silences.size() >= hop.ttl) {
      flow.silences[hop.ttl - 1u] = 0;
    }
  }
}

/// The agent, the responders that are known for sure, and the destination at the end.
std::vector<IpAddress> Localisation::nodes_of(const Destination& destination, const Path& path,
                                              const std::vector<IpAddress>& responders) {
  std::vector<IpAddress> nodes{path.source};
  for (std::size_t i = 0; i < responders.size(); ++i) {
    const IpAddress& responder = responders[i];
    if (responder.is_unspecified() || path.varies_at(i) || responder == nodes.back()) continue;
    nodes.push_back(responder);
  }
  if (!path.complete && nodes.back() != destination.facts->address) nodes.push_back(destination.facts->address);
  return nodes;
}

void Localisation::add_rows(Map& map, const Destination& destination, Reach reach) {
  struct Sum {
    std::uint64_t probes = 0;
    std::uint64_t losses = 0;
    std::uint32_t flows = 0;
  };
  using Way = std::pair<std::uint32_t, FilledTtls>;  // a path, as a flow is taken to pass it
  const auto add_links = [&](std::uint32_t path, const std::vector<IpAddress>& responders) {
    std::vector<std::uint32_t> links;
    const auto nodes = nodes_of(destination, destination.paths[path], responders);
    for (std::size_t i = 0; i + 1 < nodes.size(); ++i) {
      const LinkEnds ends{nodes[i], nodes[i + 1]};
      const auto [at, is_new] = map.numbers.try_emplace(ends, static_cast<std::uint32_t>(map.ends.size()));
      if (is_new) map.ends.push_back(ends);
      if (std::ranges::find(links, at->second) == links.end()) links.push_back(at->second);
    }
    return links;
  };

  std::vector<std::map<std::uint32_t, Sum>> by_path(destination.flows.size());
  HopGuesses guesses;
  for (std::size_t number = 0; number < destination.flows.size(); ++number) {
    const auto add = [&](const auto& cells) {
      for (const auto& cell : cells) {
        Sum& sum = by_path[number][cell.path];
        sum.probes += cell.probes;
        sum.losses += cell.losses;
      }
    };
    add(destination.flows[number].cells);
    if (reach == Reach::all) add(destination.flows[number].past);
    for (const auto& [path, sum] : by_path[number])
      guesses.add(*destination.paths[path].responders);
  }

  std::map<Way, std::vector<std::uint32_t>> links;
  std::map<Way, Sum> clean;
  for (std::uint32_t number = 0; number < destination.flows.size(); ++number) {
    if (!by_path[number].empty()) ++map.flows;
    for (const auto& [path, sum] : by_path[number]) {
      map.probes += sum.probes;
      map.losses += sum.losses;
      Way way{path, {}};
      std::vector<IpAddress> responders = *destination.paths[path].responders;
      if (!guesses.fill(destination.flows[number].silences, responders, way.second)) continue;
      const auto [of, is_new] = links.try_emplace(way);
      if (is_new) of->second = add_links(path, responders);
      if (sum.losses == 0) {
        Sum& all = clean[way];
        all.probes += sum.probes;
        ++all.flows;
        continue;
      }
      map.crossings.add({.probes = sum.probes, .losses = sum.losses, .flows = 1}, of->second);
      map.origins.push_back({&destination, number, path});
    }
  }
  for (const auto& [way, sum] : clean) {
    map.crossings.add({.probes = sum.probes, .losses = 0, .flows = sum.flows}, links[way]);
    map.origins.push_back({&destination, 0, way.first});
  }
}

Localisation::Map Localisation::draw_map(Reach reach) const {
  Map map;
  for (const auto& [name, destination] : destinations_)
    add_rows(map, destination, reach);
  map.crossings.index();
  return map;
}

}  // namespace ecmp
