#include "render/json/graph_json.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "path/model/quote_findings.hpp"
#include "render/json/json_parts.hpp"
#include "render/json/json_writer.hpp"

namespace ecmp::render {
namespace {

void separate(std::string& out, bool& first) {
  out.append(std::exchange(first, false) ? "\n" : ",\n");
}

/// What replies give away, by node of the graph: by kind and detail, over all paths.
using Findings = std::map<std::size_t, std::set<std::pair<FindingKind, std::string>>>;

Findings findings_by_node(const PathGraph& graph) {
  Findings findings;
  std::vector<HopEvidence> evidence;
  for (const PathGraph::Strand& strand : graph.strands) {
    evidence.clear();
    for (const HopSnapshot& hop : strand.path->hops)
      evidence.push_back(evidence_of(hop));
    for (Finding& finding : findings_of(evidence)) {
      const HopEvidence& hop = evidence[finding.hop];
      if (hop.ttl >= strand.stops.size()) continue;
      for (const PathGraph::Stop& stop : strand.stops[hop.ttl])
        if (graph.nodes[stop.node].address == hop.responder)
          findings[stop.node].emplace(finding.kind, std::move(finding.detail));
    }
  }
  return findings;
}

/// The nodes and links that answers have shown, by TTL and address. Gaps are concluded and not observed, and stand
/// apart (append_gaps()).
struct Written {
  PathGraph graph;
  std::vector<std::size_t> nodes;  ///< of the graph

  explicit Written(const DestinationSnapshot& snapshot) : graph(path_graph(snapshot, PathGraph::Ends::apart)) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
      if (!graph.nodes[i].is_gap() && !graph.nodes[i].address.is_unspecified()) nodes.push_back(i);
    std::ranges::sort(nodes, {}, [this](std::size_t i) { return place(i); });
  }
  [[nodiscard]] std::pair<std::uint8_t, IpAddress> place(std::size_t node) const {
    return {graph.nodes[node].ttl, graph.nodes[node].address};
  }
  /// Null if no path in use goes over it.
  [[nodiscard]] const PathGraph::Link* link(std::uint8_t ttl, const IpAddress& from, const IpAddress& to) const {
    const auto find = [&](unsigned at, const IpAddress& address) {
      const std::pair wanted(static_cast<std::uint8_t>(at), address);
      const auto found = std::ranges::lower_bound(nodes, wanted, {}, [this](std::size_t i) { return place(i); });
      return found != nodes.end() && place(*found) == wanted ? *found : graph.nodes.size();
    };
    const std::pair ends(find(ttl - 1u, from), find(ttl, to));
    const auto of = [](const PathGraph::Link& one) { return std::pair(one.from, one.to); };
    const auto found = std::ranges::lower_bound(graph.links, ends, {}, of);
    return found != graph.links.end() && of(*found) == ends ? &*found : nullptr;
  }
};

void append_node(std::string& out, const PathGraph::Node& node, const Findings::mapped_type& findings,
                 std::string_view destination, const HopNames& names) {
  using Kind = PathGraph::Node::Kind;
  HopCounters counters;
  for (const PathGraph::Observed& one : node.observed)
    counters += one.counters;
  JsonWriter json(out);
  json.begin('{').key("destination").text(destination).key("id").node_id(node.ttl, node.address);
  json.key("ttl").number(node.ttl).key("address").address(node.address).key("name").text(names.name(node.address));
  json.key("role").text(node.kind == Kind::agent ? "source" : node.kind == Kind::destination ? "destination" : "hop");
  json.key("flows").number(node.flows).key("probes").number(counters.probes).key("replies").number(counters.replies);
  json.key("losses").number(counters.losses).key("silences").number(counters.silences);
  append_window(json.key("window").next(), window_of(node.observed));
  append_mpls(json.key("mpls").next(), node.mpls != nullptr ? *node.mpls : packet::KeptMpls());
  append_place(out, node.address, names);
  if (!findings.empty()) {
    json.key("findings").begin('[');
    for (const auto& [kind, detail] : findings)
      json.begin('{').key("kind").text(to_string(kind)).key("detail").text(detail).end('}');
    json.end(']');
  }
  if (node.limited) json.key("limited").boolean(true);
  json.end('}');
}

/// The verdict on a link, if it is a suspect; none where it is not known who answers at its ends.
const LinkVerdict* verdict_on(const LocalisationReport& report, const LinkSnapshot& link) {
  for (const LinkVerdict& verdict : report.links) {
    if (std::ranges::find(verdict.links, LinkEnds{link.from, link.to}) != verdict.links.end()) return &verdict;
  }
  return nullptr;
}

void append_link(std::string& out, const LinkSnapshot& link, const PathGraph::Link& observed,
                 std::string_view destination, const LocalisationReport* report) {
  JsonWriter json(out);
  json.begin('{').key("destination").text(destination);
  json.key("from").node_id(link.ttl - 1u, link.from).key("to").node_id(link.ttl, link.to).key("ttl").number(link.ttl);
  json.key("flows").number(link.flows).key("source_ports").list(observed.source_ports);
  json.key("window").begin('{').key("probes").number(observed.probes).key("losses").number(observed.losses);
  json.key("loss_ratio").loss(observed.losses, observed.probes);
  json.key("near_probes").number(observed.near_probes).key("near_losses").number(observed.near_losses);
  json.key("near_loss_ratio").loss(observed.near_losses, observed.near_probes).end('}');
  if (report != nullptr) {
    const LinkVerdict* const verdict = verdict_on(*report, link);
    json.key("suspicion");
    verdict != nullptr ? json.ratio(verdict->suspicion) : json.null();
    json.key("blamed").boolean(verdict != nullptr && verdict->blamed);
  }
  json.end('}');
}

/// From the agent to the first hops, by address; behind these each flow's own view says where it goes.
std::vector<LinkSnapshot> all_links(const DestinationSnapshot& snapshot, const Written& written) {
  std::vector<LinkSnapshot> links;
  for (const PathGraph::Link& link : written.graph.links) {
    const PathGraph::Node& from = written.graph.nodes[link.from];
    const PathGraph::Node& to = written.graph.nodes[link.to];
    if (from.kind == PathGraph::Node::Kind::agent && !from.address.is_unspecified() && to.answers())
      links.push_back({1, from.address, to.address, link.flows});
  }
  std::ranges::sort(links, {}, [](const LinkSnapshot& link) { return std::tie(link.from, link.to); });
  links.insert(links.end(), snapshot.links.begin(), snapshot.links.end());
  return links;
}

std::string name_of(const PathGraph::Place& place) {
  std::string name;
  append_number(name, place.ttl);
  name.push_back('/');
  if (!place.address.is_unspecified()) append_address(name, place.address);
  return name;
}

/// Of a gap by what answers next to it, which makes it the same gap in the next answer.
std::string name_of(const PathGraph::Node& node) {
  if (!node.is_gap()) return name_of(PathGraph::Place{node.ttl, node.address});
  std::string name;
  append_number(name, node.ttl);
  name.append("?").append(name_of(node.before)).push_back('|');
  if (node.behind.ttl != 0) name.append(name_of(node.behind));
  return name;
}

void append_gap(std::string& out, const PathGraph& graph, std::size_t number) {
  const PathGraph::Node& node = graph.nodes[number];
  JsonWriter json(out);
  json.begin('{').key("id").text(name_of(node)).key("ttl").number(node.ttl);
  json.key("kind").text(node.kind == PathGraph::Node::Kind::silent ? "silent" : "dead_end");
  json.key("flows").number(node.flows).key("paths").begin('[');
  for (const PathGraph::Strand& strand : graph.strands)
    if (node.ttl < strand.stops.size() && strand.stops[node.ttl].front().node == number) json.path_id(strand.id);
  json.end(']').end('}');
}

}  // namespace

void append_gaps(std::string& out, const PathGraph& graph) {
  JsonWriter json(out);
  json.key("gaps").begin('{').key("nodes").begin('[');
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    if (graph.nodes[i].is_gap()) append_gap(json.next(), graph, i);
  json.end(']').key("links").begin('[');
  for (const PathGraph::Link& link : graph.links) {
    const PathGraph::Node& from = graph.nodes[link.from];
    const PathGraph::Node& to = graph.nodes[link.to];
    const bool is_written = from.is_gap() || !from.address.is_unspecified();
    if (!is_written || (!from.is_gap() && !to.is_gap())) continue;
    json.begin('{').key("from").text(name_of(from)).key("to").text(name_of(to)).key("ttl").number(to.ttl);
    json.key("flows").number(link.flows).key("source_ports").list(link.source_ports).end('}');
  }
  json.end(']').end('}');
}

void append_nodes(std::string& out, const DestinationSnapshot& snapshot, const HopNames& names, bool& first) {
  const Written written(snapshot);
  Findings findings = findings_by_node(written.graph);
  for (const std::size_t node : written.nodes) {
    separate(out, first);
    append_node(out, written.graph.nodes[node], findings[node], snapshot.facts->name, names);
  }
}

void append_links(std::string& out, const DestinationSnapshot& snapshot, const LocalisationReport* report,
                  bool& first) {
  const Written written(snapshot);
  for (const LinkSnapshot& link : all_links(snapshot, written)) {
    const PathGraph::Link* const observed = written.link(link.ttl, link.from, link.to);
    separate(out, first);
    append_link(out, link, observed != nullptr ? *observed : PathGraph::Link(), snapshot.facts->name, report);
  }
}

}  // namespace ecmp::render
