#include "tui/fan_tree.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "path/model/path_graph.hpp"

namespace ecmp::tui {
namespace {

using Flow = DestinationTally::Flow;
using Rail = FanRow::Rail;

/// A strand of the graph with its flows.
struct Strand {
  const PathGraph* graph = nullptr;
  const PathGraph::Strand* path = nullptr;
  std::vector<const Flow*> flows;

  [[nodiscard]] std::size_t hops() const { return path->length; }
  /// Unspecified where no responder is known.
  [[nodiscard]] const IpAddress& hop(std::size_t at) const {
    return graph->nodes[path->stops[at + 1].front().node].address;
  }
};

/// What is left to draw of a strand.
struct Rest {
  const Strand* strand = nullptr;
  std::size_t at = 0;
  std::size_t end = 0;

  [[nodiscard]] bool empty() const { return at == end; }
  [[nodiscard]] const IpAddress& next() const { return strand->hop(at); }
  /// Where the address is; `end` if nowhere.
  [[nodiscard]] std::size_t find(const IpAddress& address) const {
    std::size_t i = at;
    while (i < end && strand->hop(i) != address)
      ++i;
    return i;
  }
};

/// Deeper than this the screen has no room for; what is nested deeper is drawn without being joined.
constexpr std::size_t kDeepest = 24;

class Builder {
 public:
  std::vector<FanRow> rows;

  /// `rails` are those of the rows that follow, `first` those of the first of them.
  void draw(std::vector<Rest> rests, const std::vector<Rail>& rails, std::vector<Rail> first) {
    while (!rests.empty()) {
      std::erase_if(rests, [](const Rest& rest) { return rest.empty(); });
      if (rests.empty()) return;
      if (all_at_one_hop(rests)) {
        add_hop(rests, std::exchange(first, rails));
        for (Rest& rest : rests)
          ++rest.at;
        continue;
      }
      const std::optional<IpAddress> meeting = rails.size() < kDeepest ? meeting_point(rests) : std::nullopt;
      part(rests, meeting, rails, std::exchange(first, rails));
      if (!meeting) return;
      for (Rest& rest : rests)
        rest.at = rest.find(*meeting);
    }
  }

 private:
  static bool all_at_one_hop(const std::vector<Rest>& rests) {
    return std::all_of(rests.begin(), rests.end(),
                       [&](const Rest& rest) { return rest.next() == rests.front().next(); });
  }

  /// The first hop that all of them still come to. One that nobody has answered at may be another one for each.
  static std::optional<IpAddress> meeting_point(const std::vector<Rest>& rests) {
    const Rest& some = rests.front();
    for (std::size_t i = some.at; i < some.end; ++i) {
      const IpAddress& address = some.strand->hop(i);
      if (address.is_unspecified()) continue;
      if (std::all_of(rests.begin(), rests.end(), [&](const Rest& rest) { return rest.find(address) < rest.end; }))
        return address;
    }
    return std::nullopt;
  }

  /// Draws what lies between here and the meeting point as branches, one for each next hop.
  void part(const std::vector<Rest>& rests, const std::optional<IpAddress>& meeting, const std::vector<Rail>& rails,
            const std::vector<Rail>& first) {
    std::vector<std::vector<Rest>> branches;
    std::vector<Rest> straight;
    for (Rest rest : rests) {
      if (meeting) rest.end = rest.find(*meeting);
      if (rest.empty()) {
        straight.push_back(rest);
        continue;
      }
      const auto same = std::find_if(branches.begin(), branches.end(),
                                     [&](const auto& branch) { return branch.front().next() == rest.next(); });
      if (same == branches.end()) {
        branches.push_back({rest});
      } else {
        same->push_back(rest);
      }
    }
    // The first row of all has other rails than the others when this parting begins a branch itself.
    bool begun = false;
    const auto begin = [&](Rail rail) {
      std::vector<Rail> made = std::exchange(begun, true) ? rails : first;
      made.push_back(rail);
      return made;
    };
    for (std::size_t i = 0; i < branches.size(); ++i) {
      const bool more = meeting || i + 1 < branches.size() || !straight.empty();
      std::vector<Rail> below = rails;
      below.push_back(more ? Rail::line : Rail::none);
      draw(branches[i], below, begin(more ? Rail::branch : Rail::last));
    }
    if (!straight.empty()) add_straight(straight, begin(meeting ? Rail::branch : Rail::last));
  }

  static void add_flows(FanRow& row, const std::vector<Rest>& rests) {
    for (const Rest& rest : rests) {
      for (const Flow* flow : rest.strand->flows) {
        row.flows.push_back(flow->index);
        if (flow->tally.ordinal() != 0) row.ordinals.push_back(flow->tally.ordinal());
        row.end.add(flow->tally.end_to_end());
      }
    }
    std::sort(row.flows.begin(), row.flows.end());
    std::sort(row.ordinals.begin(), row.ordinals.end());
    row.ordinals.erase(std::unique(row.ordinals.begin(), row.ordinals.end()), row.ordinals.end());
  }

  void add_hop(const std::vector<Rest>& rests, std::vector<Rail> rails) {
    FanRow row;
    row.rails = std::move(rails);
    row.address = rests.front().next();
    std::vector<IpAddress> others;
    for (const Rest& rest : rests) {
      const auto ttl = static_cast<std::uint8_t>(rest.at + 1);
      row.first_ttl = row.first_ttl == 0 ? ttl : std::min(row.first_ttl, ttl);
      row.last_ttl = std::max(row.last_ttl, ttl);
      for (const Flow* flow : rest.strand->flows) {
        const HopTally& hop = flow->tally.hops()[rest.at];
        row.here.add(hop.probes());
        row.limited = row.limited || hop.limited();
        for (const HopTally::Responder& responder : hop.responders())
          if (responder.address != row.address) others.push_back(responder.address);
      }
    }
    std::sort(others.begin(), others.end());
    row.others = static_cast<std::size_t>(std::unique(others.begin(), others.end()) - others.begin());
    add_flows(row, rests);
    rows.push_back(std::move(row));
  }

  void add_straight(const std::vector<Rest>& rests, std::vector<Rail> rails) {
    FanRow row;
    row.kind = FanRow::Kind::straight;
    row.rails = std::move(rails);
    add_flows(row, rests);
    rows.push_back(std::move(row));
  }
};

/// The hops of the flows as paths in use: what a flow takes now, whether or not it is a confirmed path.
DestinationSnapshot paths_of(std::span<const Flow* const> flows) {
  DestinationSnapshot snapshot;
  snapshot.facts = std::make_shared<const DestinationFacts>();
  const auto same_way = [](const HopSnapshot& a, const HopSnapshot& b) {
    return a.ttl == b.ttl && a.responder == b.responder;
  };
  for (const Flow* flow : flows) {
    PathSnapshot path;
    for (const HopTally& hop : flow->tally.hops()) {
      ++path.length;
      if (hop.address().is_unspecified()) continue;
      path.hops.push_back({.ttl = path.length, .responder = hop.address()});
    }
    if (path.hops.empty()) continue;
    path.length = path.hops.back().ttl;
    path.complete = true;  // what does not lead anywhere has no row of its own
    path.ordinal = flow->tally.ordinal();
    auto known = std::ranges::find_if(
        snapshot.paths, [&](const PathSnapshot& one) { return std::ranges::equal(one.hops, path.hops, same_way); });
    if (known == snapshot.paths.end()) {
      path.id = static_cast<std::uint32_t>(snapshot.paths.size() + 1);
      known = snapshot.paths.insert(known, std::move(path));
    }
    ++known->flows;
    snapshot.flows.push_back({.source_port = flow->source_port, .path = known->id});
  }
  return snapshot;
}

}  // namespace

void SharedTally::add(const ProbeTally& probes) {
  if (probes.replies() > 0) {
    best_ = replies_ == 0 ? probes.best() : std::min(best_, probes.best());
    worst_ = std::max(worst_, probes.worst());
  }
  sent_ += probes.sent();
  replies_ += probes.replies();
  losses_ += probes.losses();
  silences_ += probes.silences();
  jitters_ += probes.jitters();
  rtts_ += static_cast<double>(probes.average().count()) * static_cast<double>(probes.replies());
  differences_ += static_cast<double>(probes.mean_jitter().count()) * static_cast<double>(probes.jitters());
}

std::vector<FanRow> fan_tree(std::span<const Flow* const> flows) {
  const DestinationSnapshot snapshot = paths_of(flows);
  const PathGraph graph = path_graph(snapshot, PathGraph::Ends::apart);
  std::vector<Strand> strands;
  for (const PathGraph::Strand& path : graph.strands) {
    Strand& strand = strands.emplace_back(&graph, &path, std::vector<const Flow*>{});
    for (const Flow* flow : flows)
      if (std::ranges::binary_search(path.source_ports, flow->source_port)) strand.flows.push_back(flow);
  }
  std::vector<Rest> rests;
  rests.reserve(strands.size());
  for (const Strand& strand : strands)
    rests.push_back({&strand, 0, strand.hops()});
  Builder builder;
  builder.draw(std::move(rests), {}, {});
  return std::move(builder.rows);
}

}  // namespace ecmp::tui
