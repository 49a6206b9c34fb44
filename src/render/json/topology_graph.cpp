#include "render/json/topology_graph.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <tuple>

namespace ecmp::render {
namespace {

using NodeKey = std::pair<std::uint8_t, IpAddress>;
using LinkKey = std::tuple<std::uint8_t, IpAddress, IpAddress>;

/// Source ports of the flows on each path, by the path's id.
std::map<std::uint32_t, std::vector<std::uint16_t>> flows_by_path(const DestinationSnapshot& snapshot) {
  std::map<std::uint32_t, std::vector<std::uint16_t>> flows;
  for (const FlowSnapshot& flow : snapshot.flows)
    if (flow.path != 0) flows[flow.path].push_back(flow.source_port);
  return flows;
}

class Builder {
 public:
  explicit Builder(const DestinationSnapshot& snapshot) : snapshot_(snapshot), flows_(flows_by_path(snapshot)) {
    for (const FlowSnapshot& flow : snapshot.flows)
      if (flow.path != 0 && !flow.source.is_unspecified()) sources_[flow.path] = flow.source;
    for (const LinkSnapshot& link : snapshot.links)
      links_[{link.ttl, link.from, link.to}].flows = link.flows;
  }

  TopologyGraph build() {
    for (const PathSnapshot& path : snapshot_.paths)
      if (path.flows > 0) take(path);
    TopologyGraph graph;
    graph.nodes.reserve(nodes_.size());
    for (auto& [key, node] : nodes_) {
      node.ttl = key.first;
      node.address = key.second;
      graph.nodes.push_back(std::move(node));
    }
    graph.links.reserve(links_.size());
    for (auto& [key, link] : links_) {
      std::tie(link.ttl, link.from, link.to) = key;
      std::ranges::sort(link.source_ports);
      link.source_ports.erase(std::ranges::unique(link.source_ports).begin(), link.source_ports.end());
      graph.links.push_back(std::move(link));
    }
    return graph;
  }

 private:
  void take(const PathSnapshot& path) {
    const auto ports = flows_.find(path.id);
    const auto source = sources_.find(path.id);
    if (source != sources_.end()) {
      TopologyNode& node = nodes_[{0, source->second}];
      node.flows += path.flows;
    }
    for (const HopSnapshot& hop : path.hops)
      take_hop(path, hop);
    take_findings(path);
    for (std::size_t i = 0; i < path.hops.size(); ++i) {
      const HopSnapshot& to = path.hops[i];
      if (to.ttl == 1 && source != sources_.end()) {
        TopologyLink& link = links_[{std::uint8_t{1}, source->second, to.responder}];
        link.flows += path.flows;
        take_loss(link, nullptr, to);
        if (ports != flows_.end()) append(link, ports->second);
        continue;
      }
      // At a TTL that is balanced per packet there are several.
      for (std::size_t j = i; j-- > 0 && path.hops[j].ttl + 1 >= to.ttl;) {
        const HopSnapshot& from = path.hops[j];
        if (from.ttl + 1 != to.ttl) continue;
        const auto link = links_.find({to.ttl, from.responder, to.responder});
        if (link == links_.end()) continue;  // nothing went that way lately
        take_loss(link->second, &from, to);
        if (ports != flows_.end()) append(link->second, ports->second);
      }
    }
  }

  void take_hop(const PathSnapshot& path, const HopSnapshot& hop) {
    TopologyNode& node = nodes_[{hop.ttl, hop.responder}];
    node.destination = hop.responder == snapshot_.facts->address;
    node.flows += path.flows;
    node.counters.probes += hop.counters.probes;
    node.counters.replies += hop.counters.replies;
    node.counters.losses += hop.counters.losses;
    node.counters.silences += hop.counters.silences;
    if (hop.statistics != nullptr) node.window.add(hop.statistics->window);
    node.limited = node.limited || hop.limiting != Limiting::none;
    if (!hop.mpls.empty()) node.mpls = &hop.mpls;
  }

  void take_findings(const PathSnapshot& path) {
    evidence_.clear();
    for (const HopSnapshot& hop : path.hops)
      evidence_.push_back(evidence_of(hop));
    for (Finding& finding : findings_of(evidence_)) {
      const HopEvidence& hop = evidence_[finding.hop];
      nodes_[{hop.ttl, hop.responder}].findings.emplace(finding.kind, std::move(finding.detail));
    }
  }

  static void take_loss(TopologyLink& link, const HopSnapshot* from, const HopSnapshot& to) {
    if (to.statistics != nullptr) {
      link.probes += to.statistics->window.probes;
      link.losses += to.statistics->window.losses;
    }
    if (from != nullptr && from->statistics != nullptr) {
      link.near_probes += from->statistics->window.probes;
      link.near_losses += from->statistics->window.losses;
    }
  }

  static void append(TopologyLink& link, const std::vector<std::uint16_t>& ports) {
    link.source_ports.insert(link.source_ports.end(), ports.begin(), ports.end());
  }

  const DestinationSnapshot& snapshot_;
  std::vector<HopEvidence> evidence_;
  std::map<std::uint32_t, std::vector<std::uint16_t>> flows_;
  std::map<std::uint32_t, IpAddress> sources_;  ///< by path
  std::map<NodeKey, TopologyNode> nodes_;
  std::map<LinkKey, TopologyLink> links_;
};

}  // namespace

TopologyGraph topology_graph(const DestinationSnapshot& snapshot) {
  return Builder(snapshot).build();
}

}  // namespace ecmp::render
