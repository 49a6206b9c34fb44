#include <algorithm>
#include <map>
#include <utility>

#include "path/localisation/localisation.hpp"
#include "path/localisation/localisation_time.hpp"

namespace ecmp {
namespace {

/// Silences of a hop that has not answered a flow, and parts of the window that they last: then its router is one that
/// keeps quiet. Fewer may be those of a limit, of which every flow gets its turn.
constexpr std::uint8_t kSilences = 6;
constexpr std::uint16_t kSilentParts = 2;
/// Flows that all hear one responder at a TTL: then so would the others, in 127 of 128 cases if there were a second one
/// that half of them pass.
constexpr std::uint32_t kFlowsAgree = 8;

/// Paths of one flow of which it is known what it heard there.
constexpr std::size_t kMostHeard = 16;

/// TTLs of a path at which a flow is taken to pass another responder than the path's list says, or none that answers.
using OtherTtls = std::vector<std::uint8_t>;

}  // namespace

void Localisation::note_heard(Destination& destination, Flow& flow, std::uint32_t path, const Round& round) {
  const auto& responders = *destination.paths[path].responders;
  if (flow.heard.empty() || flow.heard.back().path != path) {
    Heard now{path, 0};
    if (const auto known = std::ranges::find(flow.heard, path, &Heard::path); known != flow.heard.end()) {
      now = *known;
      flow.heard.erase(known);
    }
    // What the flow hears makes another path of the one it was on: it goes on with the hops that both have.
    if (!flow.heard.empty()) {
      const Heard& last = flow.heard.back();
      const auto& before = *destination.paths[last.path].responders;
      for (std::size_t i = 0; i < std::min({responders.size(), before.size(), std::size_t{64}}); ++i)
        if (last.has(i) && responders[i] == before[i]) now.ttls |= std::uint64_t{1} << i;
    }
    if (flow.heard.size() >= kMostHeard) flow.heard.erase(flow.heard.begin());
    flow.heard.push_back(now);
  }
  if (flow.quiet.size() < responders.size()) flow.quiet.resize(responders.size());
  for (const HopResult& hop : round.hops) {
    if (hop.ttl == 0 || hop.ttl > responders.size()) continue;
    Quiet& quiet = flow.quiet[hop.ttl - 1u];
    if (hop.outcome == HopOutcome::silent) {
      if (quiet.silences == 0) quiet.since_part = static_cast<std::uint16_t>(destination.part);
      if (quiet.silences < kSilences) ++quiet.silences;
    } else if (hop.outcome == HopOutcome::replied && hop.responder == responders[hop.ttl - 1u]) {
      if (hop.ttl <= 64) flow.heard.back().ttls |= std::uint64_t{1} << (hop.ttl - 1);
      quiet = {};
    }
  }
}

/// What flows pass where they have not heard anybody yet, by what the destination's other flows have heard.
class Localisation::HopGuesses {
 public:
  explicit HopGuesses(const Destination& destination) : destination_(destination) {}

  /// The flow has rounds on this path.
  void add(const Flow& flow, std::uint32_t path) {
    const auto& responders = *destination_.paths[path].responders;
    const Heard heard = heard_on(flow, path);
    if (at_.size() < responders.size()) at_.resize(responders.size());
    for (std::size_t i = 0; i < responders.size(); ++i) {
      if (!knows(heard, i, responders[i])) continue;
      if (at_[i].flows > 0 && at_[i].responder != responders[i]) at_[i].several = true;
      at_[i].responder = responders[i];
      ++at_[i].flows;
    }
  }

  /// Makes `responders`, those of the path, the ones that this flow passes. False if it may pass any of several, so
  /// that there is no saying which links it crosses.
  bool fill(const Flow& flow, std::uint32_t path, std::vector<IpAddress>& responders, OtherTtls& others) const {
    const Heard heard = heard_on(flow, path);
    for (std::size_t i = 0; i < responders.size(); ++i) {
      if (knows(heard, i, responders[i]) || at_[i].flows == 0 || destination_.paths[path].varies_at(i)) continue;
      IpAddress passed;
      if (!keeps_quiet(flow, i)) {
        if (at_[i].several || at_[i].flows < kFlowsAgree) return false;
        passed = at_[i].responder;
      }
      if (passed == responders[i]) continue;
      responders[i] = passed;
      others.push_back(static_cast<std::uint8_t>(i + 1));
    }
    return true;
  }

 private:
  struct Known {
    IpAddress responder;
    std::uint32_t flows = 0;
    bool several = false;
  };

  static Heard heard_on(const Flow& flow, std::uint32_t path) {
    const auto found = std::ranges::find(flow.heard, path, &Heard::path);
    return found != flow.heard.end() ? *found : Heard{path, 0};
  }
  /// Whether a flow knows that it passes the responder that its path has there.
  [[nodiscard]] bool knows(const Heard& heard, std::size_t hop, const IpAddress& responder) const {
    return !responder.is_unspecified() && (heard.has(hop) || responder == destination_.facts->address);
  }
  /// The router that this flow passes there never answers.
  [[nodiscard]] bool keeps_quiet(const Flow& flow, std::size_t hop) const {
    if (hop >= flow.quiet.size() || flow.quiet[hop].silences < kSilences) return false;
    return static_cast<std::uint16_t>(destination_.part - flow.quiet[hop].since_part) >= kSilentParts;
  }

  const Destination& destination_;
  std::vector<Known> at_;  ///< by TTL - 1
};

/// Whether the router before this hop sends each packet its own way: it does so with the flows of all paths, also with
/// those of which that has not been noticed yet.
bool Localisation::sprayed_at(const Destination& destination, const Path& path, std::size_t hop) {
  const auto before = [hop](const Path& of) { return hop == 0 ? IpAddress() : (*of.responders)[hop - 1]; };
  return path.varies_at(hop) || std::ranges::any_of(destination.paths, [&](const Path& other) {
           return hop < other.hops.size() && other.varies_at(hop) && before(other) == before(path);
         });
}

/// The agent, the responders that are known for sure, and the destination at the end. Behind a hop where responders
/// alternate each packet has gone its own way: that a hop there answered says nothing of the packet to the destination,
/// so all from there to the end is one link.
std::vector<IpAddress> Localisation::nodes_of(const Destination& destination, const Path& path,
                                              const std::vector<IpAddress>& responders) {
  std::vector<IpAddress> nodes{path.source};
  for (std::size_t i = 0; i < responders.size(); ++i) {
    const IpAddress& responder = responders[i];
    if (sprayed_at(destination, path, i)) {
      nodes.push_back(destination.facts->address);
      return nodes;
    }
    if (responder.is_unspecified() || responder == nodes.back()) continue;
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
  using Way = std::pair<std::uint32_t, OtherTtls>;  // a path, as a flow is taken to pass it
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
  HopGuesses guesses(destination);
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
      guesses.add(destination.flows[number], path);
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
      if (!guesses.fill(destination.flows[number], path, responders, way.second)) continue;
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
