#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "path/localisation/localisation.hpp"
#include "path/localisation/localisation_outage.hpp"
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
  note_quiet(destination, flow, round);
  for (const HopResult& hop : round.hops) {
    if (hop.ttl == 0 || hop.ttl > responders.size() || hop.outcome != HopOutcome::replied) continue;
    if (hop.responder != responders[hop.ttl - 1u]) continue;
    if (hop.ttl <= 64) flow.heard.back().ttls |= std::uint64_t{1} << (hop.ttl - 1);
    flow.quiet[hop.ttl - 1u] = {};
  }
}

void Localisation::note_quiet(const Destination& destination, Flow& flow, const Round& round) {
  for (const HopResult& hop : round.hops) {
    if (hop.ttl == 0) continue;
    if (flow.quiet.size() < hop.ttl) flow.quiet.resize(hop.ttl);
    if (hop.outcome != HopOutcome::silent) continue;
    Quiet& quiet = flow.quiet[hop.ttl - 1u];
    if (quiet.silences == 0) quiet.since_part = static_cast<std::uint16_t>(destination.part);
    if (quiet.silences < kSilences) ++quiet.silences;
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

  /// Finds where this flow passes another responder than the path's list says: `others` gets those TTLs, and
  /// `responders` the whole list as it passes it, unless there is no such TTL. False if it may pass any of several, so
  /// that there is no saying which links it crosses.
  bool fill(const Flow& flow, std::uint32_t path, std::vector<IpAddress>& responders, OtherTtls& others) const {
    const Heard heard = heard_on(flow, path);
    const std::vector<IpAddress>& known = *destination_.paths[path].responders;
    others.clear();
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (knows(heard, i, known[i]) || at_[i].flows == 0 || destination_.paths[path].varies_at(i)) continue;
      IpAddress passed;
      // A router that has answered this flow, and is the only one that is heard here, is one with a limit.
      if (!at_[i].several && at_[i].flows >= kFlowsAgree && has_heard(flow, i, at_[i].responder)) {
        passed = at_[i].responder;
      } else if (!keeps_quiet(flow, i)) {
        if (at_[i].several || at_[i].flows < kFlowsAgree) return false;
        passed = at_[i].responder;
      }
      if (passed == known[i]) continue;
      if (others.empty()) responders = known;
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
  /// On any of its paths.
  [[nodiscard]] bool has_heard(const Flow& flow, std::size_t hop, const IpAddress& responder) const {
    return std::ranges::any_of(flow.heard, [&](const Heard& heard) {
      const auto& responders = *destination_.paths[heard.path].responders;
      return hop < responders.size() && heard.has(hop) && responders[hop] == responder;
    });
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

/// Hops at which responders of any path alternate: nearly always none, and then no path need be compared with others.
Localisation::Hops Localisation::varying(const Destination& destination) {
  Hops varying;
  for (const Path& path : destination.paths) {
    for (std::size_t hop = 0; hop < path.hops.size(); ++hop)
      if (path.varies_at(hop)) varying.set(hop);
  }
  return varying;
}

/// The agent, the responders that are known for sure, and the destination at the end. Behind a hop where responders
/// alternate each packet has gone its own way: that a hop there answered says nothing of the packet to the destination,
/// so all from there to the end is one link. So is what follows the first round of a loop.
std::vector<IpAddress> Localisation::nodes_of(const Destination& destination, const Path& path,
                                              const std::vector<IpAddress>& responders) {
  std::vector<IpAddress> nodes;
  add_nodes(destination, path, responders, varying(destination), nodes);
  return nodes;
}

/// Into `nodes`, in the place of what is there.
void Localisation::add_nodes(const Destination& destination, const Path& path, const std::vector<IpAddress>& responders,
                             const Hops& varying, std::vector<IpAddress>& nodes) {
  nodes.clear();
  nodes.reserve(responders.size() + 2);
  nodes.push_back(path.source);
  for (std::size_t i = 0; i < responders.size(); ++i) {
    const IpAddress& responder = responders[i];
    if (varying.test(i) && sprayed_at(destination, path, i)) {
      nodes.push_back(destination.facts->address);
      return;
    }
    if (responder.is_unspecified() || responder == nodes.back()) continue;
    // Where routers send packets in circles, the same ones answer again and again, up to the last TTL that is asked.
    if (std::ranges::find(nodes, responder) != nodes.end()) {
      if (nodes.back() != destination.facts->address) nodes.push_back(destination.facts->address);
      return;
    }
    nodes.push_back(responder);
  }
  if (!path.complete && nodes.back() != destination.facts->address) nodes.push_back(destination.facts->address);
}

/// The rows of one destination, with memory that is used again for the next one.
class Localisation::RowMaker {
 public:
  RowMaker(Map& map, Reach reach, bool outages) : map_(map), reach_(reach), outages_(outages) {}

  void add(const Destination& destination) {
    destination_ = &destination;
    varying_ = varying(destination);
    frontier_.reset();
    if (destination.gone()) frontier_.emplace(destination, varying_);
    HopGuesses guesses(destination);
    sum_up(guesses);
    plain_.assign(destination.paths.size(), {});
    others_.clear();
    links_.clear();
    std::size_t at = 0;
    for (std::uint32_t number = 0; number < destination.flows.size(); ++number) {
      if (at < ends_[number]) ++map_.flows;
      for (; at < ends_[number]; ++at)
        add_flow(number, sums_[at], guesses);
    }
    auto other = others_.begin();
    for (std::uint32_t path = 0; path < plain_.size(); ++path) {
      add_clean(path, plain_[path]);
      for (; other != others_.end() && other->first.first == path; ++other)
        add_clean(path, other->second);
    }
  }

 private:
  struct Sum {
    std::uint32_t path = 0;
    std::uint64_t probes = 0;
    std::uint64_t losses = 0;
  };
  /// A path as flows are taken to pass it.
  struct Way {
    bool known = false;
    std::size_t links = 0;     ///< where they begin in `links_`
    std::size_t count = 0;     ///< of them
    std::uint64_t probes = 0;  ///< of flows that lost nothing
    std::uint32_t flows = 0;   ///< likewise
    bool silent_behind = false;
  };

  /// What each flow has on each path: those of a flow in one piece, by path.
  void sum_up(HopGuesses& guesses) {
    sums_.clear();
    ends_.clear();
    const std::vector<std::vector<Sum>> only_lost = lost_since_onset();
    const auto first_loss = reach_ == Reach::window ? first_lossy_age() : std::nullopt;
    for (std::size_t number = 0; number < destination_->flows.size(); ++number) {
      const Flow& flow = destination_->flows[number];
      const std::size_t begin = sums_.size();
      if (number < only_lost.size() && (frontier_ || !only_lost[number].empty())) {
        add_cells(only_lost[number], begin);
      } else {
        add_cells(flow.cells, begin);
        if (reach_ == Reach::all) add_cells(flow.past, begin);
        if (first_loss) drop_earlier(flow, *first_loss, begin);
      }
      std::sort(sums_.begin() + static_cast<std::ptrdiff_t>(begin), sums_.end(),
                [](const Sum& a, const Sum& b) { return a.path < b.path; });
      ends_.push_back(sums_.size());
      for (std::size_t at = begin; at < sums_.size(); ++at)
        guesses.add(flow, sums_[at].path);
    }
  }

  /// How many parts ago something was lost for the first time.
  [[nodiscard]] std::optional<std::uint32_t> first_lossy_age() const {
    std::optional<std::uint32_t> first;
    for (const Flow& flow : destination_->flows) {
      for (const Cell& cell : flow.cells)
        if (cell.losses > 0) first = std::max(first.value_or(0), age(cell.part, destination_->part));
    }
    return first;
  }

  /// What a flow had on a path before anything was lost, if it left it before, says nothing of what is lost now: the
  /// links of both would seem to lose unevenly. One that loses everything has left another way at the onset, if it has.
  void drop_earlier(const Flow& flow, std::uint32_t first_loss, std::size_t begin) {
    const bool lost = !flow.cells.empty() && loses_all(flow);
    const auto earlier = [&](const Sum& sum) {
      if (sum.losses > 0) return false;
      if (lost && sum.path != flow.cells.back().path) return true;
      return std::ranges::none_of(flow.cells, [&](const Cell& cell) {
        return cell.path == sum.path && age(cell.part, destination_->part) <= first_loss;
      });
    };
    sums_.erase(std::remove_if(sums_.begin() + static_cast<std::ptrdiff_t>(begin), sums_.end(), earlier), sums_.end());
  }

  /// By flow, of those that lose everything: what they have lost since they do. Nothing if there are none.
  [[nodiscard]] std::vector<std::vector<Sum>> lost_since_onset() const {
    std::vector<std::vector<Sum>> lost;
    if (!outages_) return lost;
    lost.resize(destination_->flows.size());
    const auto add = [&lost](std::uint32_t flow, std::uint32_t path) {
      auto& sums = lost[flow];
      auto at = std::ranges::find(sums, path, &Sum::path);
      if (at == sums.end()) at = sums.insert(at, Sum{path, 0, 0});
      ++at->probes;
      ++at->losses;
    };
    if (frontier_) {
      for (const OutageLoss& loss : destination_->outage.losses)
        add(loss.round.flow, loss.path);
      return lost;
    }
    for (const LossMoment& loss : destination_->losses) {
      const Flow& flow = destination_->flows[loss.flow];
      if (flow.lost_since - loss.at - 1 < kHalfOfTime || !loses_all(flow)) continue;
      add(loss.flow, loss.path);
    }
    return lost;
  }

  template <typename Cells>
  void add_cells(const Cells& cells, std::size_t begin) {
    for (const auto& cell : cells) {
      std::size_t at = begin;
      while (at < sums_.size() && sums_[at].path != cell.path)
        ++at;
      if (at == sums_.size()) sums_.push_back({cell.path, 0, 0});
      sums_[at].probes += cell.probes;
      sums_[at].losses += cell.losses;
    }
  }

  void add_flow(std::uint32_t number, const Sum& sum, const HopGuesses& guesses) {
    map_.probes += sum.probes;
    map_.losses += sum.losses;
    if (!guesses.fill(destination_->flows[number], sum.path, responders_, ttls_)) return;
    Way& way = ttls_.empty() ? plain_[sum.path] : others_[{sum.path, ttls_}];
    if (!way.known) find_links(way, sum.path, ttls_.empty() ? *destination_->paths[sum.path].responders : responders_);
    if (way.count == 0) return;
    if (sum.losses == 0) {
      way.probes += sum.probes;
      ++way.flows;
      return;
    }
    map_.crossings.add({.probes = sum.probes, .losses = sum.losses, .flows = 1}, links_of(way));
    map_.origins.push_back({destination_, number, sum.path, frontier_.has_value(), way.silent_behind});
  }

  void add_clean(std::uint32_t path, const Way& way) {
    if (way.flows == 0) return;
    map_.crossings.add({.probes = way.probes, .losses = 0, .flows = way.flows}, links_of(way));
    map_.origins.push_back({destination_, 0, path});
  }

  void find_links(Way& way, std::uint32_t path, const std::vector<IpAddress>& responders) {
    add_nodes(*destination_, destination_->paths[path], responders, varying_, nodes_);
    way.known = true;
    way.links = links_.size();
    std::size_t i = 0;
    std::size_t end = nodes_.size() - 1;
    if (frontier_) {
      const auto lost_at = frontier_->find(nodes_);
      if (!lost_at) return;
      i = lost_at->link;
      end = i + 1;
      way.silent_behind = lost_at->silent_behind;
    }
    for (; i < end; ++i) {
      const LinkEnds ends{nodes_[i], nodes_[i + 1]};
      const auto [at, is_new] = map_.numbers.try_emplace(ends, static_cast<std::uint32_t>(map_.ends.size()));
      if (is_new) map_.ends.push_back(ends);
      if (std::find(links_.begin() + static_cast<std::ptrdiff_t>(way.links), links_.end(), at->second) == links_.end())
        links_.push_back(at->second);
    }
    way.count = links_.size() - way.links;
  }

  [[nodiscard]] std::span<const std::uint32_t> links_of(const Way& way) const {
    return std::span(links_).subspan(way.links, way.count);
  }

  Map& map_;
  Reach reach_;
  bool outages_;                      ///< some destination is gone
  std::optional<Frontier> frontier_;  ///< of one that is gone
  const Destination* destination_ = nullptr;
  Hops varying_;
  std::vector<Sum> sums_;
  std::vector<std::size_t> ends_;                              ///< of each flow in `sums_`
  std::vector<Way> plain_;                                     ///< by path: as its list of responders says
  std::map<std::pair<std::uint32_t, OtherTtls>, Way> others_;  ///< where flows pass others at these TTLs
  std::vector<std::uint32_t> links_;
  std::vector<IpAddress> nodes_;
  std::vector<IpAddress> responders_;
  OtherTtls ttls_;
};

Localisation::Map Localisation::draw_map(Reach reach) const {
  Map map;
  RowMaker rows(map, reach, std::ranges::any_of(destinations_, [](const auto& entry) { return entry.second.gone(); }));
  for (const auto& [name, destination] : destinations_)
    rows.add(destination);
  map.crossings.index();
  return map;
}

}  // namespace ecmp
