#include "render/json/topology.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "path/localisation/balance.hpp"
#include "path/localisation/loss_begin.hpp"
#include "path/model/path_graph.hpp"
#include "path/model/quote_findings.hpp"
#include "render/append.hpp"
#include "render/json/json_parts.hpp"
#include "render/json/oneway_json.hpp"
#include "render/json/verdict_json.hpp"
#include "render/report/search_text.hpp"

namespace ecmp::render {
namespace {

/// A node's name within its destination: a responder may stand at several TTLs.
void append_node_id(std::string& out, unsigned ttl, const IpAddress& address) {
  out.push_back('"');
  append_number(out, ttl);
  out.push_back('/');
  if (!address.is_unspecified()) append_address(out, address);
  out.push_back('"');
}

void append_path_id(std::string& out, std::uint32_t id) {
  out.push_back('"');
  if (id != 0) append_hex8(out, id);
  out.push_back('"');
}

void append_count(std::string& out, std::string_view key, std::uint64_t count) {
  out.append(key);
  append_number(out, count);
}

void append_loss(std::string& out, std::string_view key, std::uint64_t losses, std::uint64_t probes) {
  out.append(key);
  if (probes > 0) {
    append_ratio(out, static_cast<double>(losses) / static_cast<double>(probes));
  } else {
    out.append("null");
  }
}

WindowFigures window_of(const std::shared_ptr<const Statistics>& statistics) {
  return statistics != nullptr ? statistics->window : WindowFigures{};
}

void append_facts(std::string& out, const DestinationFacts& facts) {
  out.append(R"({"name":)");
  append_string(out, facts.name);
  out.append(R"(,"host":)");
  append_string(out, facts.host);
  out.append(R"(,"address":)");
  append_known_address(out, facts.address);
  out.append(R"(,"family":")");
  if (!facts.address.is_unspecified()) out.append(to_string(facts.address.family()));
  out.append(R"(","protocol":")");
  out.append(lower_case(facts.protocol));
  append_count(out, R"(","port":)", facts.protocol == Protocol::icmp ? 0u : facts.port);
  append_count(out, R"(,"interval_ns":)", static_cast<std::uint64_t>(facts.interval.count()));
  out.append(R"(,"labels":{)");
  std::string_view before;
  bool first = true;
  for (const auto& [name, value] : facts.labels) {
    if (!first && name == before) continue;  // sorted by name; JSON wants names once
    if (!first) out.push_back(',');
    append_string(out, name);
    out.push_back(':');
    append_string(out, value);
    before = name;
    first = false;
  }
  out.push_back('}');
}

/// The path in use that loses most, which is what an average over sixteen of them hides.
const PathSnapshot* worst_path(const DestinationSnapshot& snapshot) {
  const PathSnapshot* worst = nullptr;
  double most = 0;
  for (const PathSnapshot& path : snapshot.paths) {
    const WindowFigures window = window_of(path.statistics);
    if (path.flows == 0 || window.losses == 0 || window.loss_ratio() <= most) continue;
    most = window.loss_ratio();
    worst = &path;
  }
  return worst;
}

std::string_view state_of(const DestinationSnapshot& snapshot) {
  if (snapshot.measured) return snapshot.up ? "up" : "down";
  return snapshot.unjudged == Unjudged::first_round ? "pending" : "unknown";
}

void append_overview(std::string& out, const DestinationSnapshot& snapshot) {
  out.append(R"(,"state":")").append(state_of(snapshot));
  if (snapshot.unjudged == Unjudged::none) {
    out.append(R"(","unjudged":null)");
  } else {
    out.append(R"(","unjudged":{"reason":")").append(to_string(snapshot.unjudged));
    out.append(R"(","text":")").append(explain(snapshot.unjudged)).append(R"("})");
  }
  append_count(out, R"(,"flow_count":)", snapshot.flows.size());
  append_count(out, R"(,"paths_in_use":)", snapshot.paths_in_use);
  append_count(out, R"(,"paths_refused":)", snapshot.paths_refused);
  std::uint64_t changes = 0;
  for (const FlowSnapshot& flow : snapshot.flows) {
    for (const std::uint64_t count : flow.changes)
      changes += count;
  }
  append_count(out, R"(,"changes":)", changes);
  if (snapshot.oneway != nullptr) append_reflector(out, R"(,"reflector":)", *snapshot.oneway);
  out.append(R"(,"coverage":)");
  if (snapshot.coverage) {
    append_ratio(out, *snapshot.coverage);
  } else {
    out.append("null");
  }
  out.append(R"(,"search":)");
  if (snapshot.search != nullptr) {
    append_search(out, *snapshot.search);
  } else {
    out.append("null");
  }
  std::vector<const Statistics*> paths;
  for (const PathSnapshot& path : snapshot.paths)
    paths.push_back(path.statistics.get());
  append_window(out, R"(,"window":)", Statistics::merged_window(paths));
  const PathSnapshot* const worst = worst_path(snapshot);
  out.append(R"(,"worst_path":)");
  if (worst == nullptr) {
    out.append("null");
    return;
  }
  out.append(R"({"id":)");
  append_path_id(out, worst->id);
  append_count(out, R"(,"ordinal":)", worst->ordinal);
  append_count(out, R"(,"flows":)", worst->flows);
  out.append(R"(,"loss_ratio":)");
  append_ratio(out, window_of(worst->statistics).loss_ratio());
  out.push_back('}');
}

/// What streams say of a path; null: nothing.
const OnewayPathSnapshot* oneway_of(const DestinationSnapshot& snapshot, std::uint32_t path) {
  if (snapshot.oneway == nullptr || path == 0) return nullptr;
  const auto found = std::ranges::find(snapshot.oneway->paths, path, &OnewayPathSnapshot::path);
  return found == snapshot.oneway->paths.end() ? nullptr : &*found;
}

void append_path(std::string& out, const PathSnapshot& path, const std::optional<std::size_t>& loss_begins,
                 const OnewayPathSnapshot* oneway) {
  out.append(R"({"id":)");
  append_path_id(out, path.id);
  append_count(out, R"(,"ordinal":)", path.ordinal);
  append_count(out, R"(,"flows":)", path.flows);
  append_count(out, R"(,"length":)", path.length);
  out.append(R"(,"complete":)");
  append_bool(out, path.complete);
  append_count(out, R"(,"probes":)", path.probes);
  append_count(out, R"(,"replies":)", path.replies);
  append_window(out, R"(,"window":)", window_of(path.statistics));
  out.append(R"(,"loss_begins":)");
  if (loss_begins) {
    const bool known = *loss_begins < path.hops.size();
    append_node_id(out, known ? path.hops[*loss_begins].ttl : path.hops.back().ttl + 1u,
                   known ? path.hops[*loss_begins].responder : IpAddress());
  } else {
    out.append("null");
  }
  out.append(R"(,"nodes":[)");
  bool first = true;
  for (const HopSnapshot& hop : path.hops) {
    if (!first) out.push_back(',');
    first = false;
    append_node_id(out, hop.ttl, hop.responder);
  }
  out.push_back(']');
  if (oneway != nullptr) append_oneway_path(out, R"(,"oneway":)", oneway, oneway);
  out.push_back('}');
}

/// Nothing of a flow that rests: it has no stream.
const OnewayFlowSnapshot* oneway_of_flow(const DestinationSnapshot& snapshot, std::uint16_t source_port) {
  if (snapshot.oneway == nullptr) return nullptr;
  for (std::uint32_t i = 0; i < snapshot.oneway->flows.size(); ++i)
    if (snapshot.facts->source_ports[i] == source_port) return &snapshot.oneway->flows[i];
  return nullptr;
}

void append_flow(std::string& out, const FlowSnapshot& flow, const OnewayFlowSnapshot* oneway,
                 const RoundRecord* newest) {
  append_count(out, R"({"source_port":)", flow.source_port);
  out.append(R"(,"source":)");
  append_known_address(out, flow.source);
  out.append(R"(,"path":)");
  append_path_id(out, flow.path);
  append_count(out, R"(,"path_ordinal":)", flow.ordinal);
  append_count(out, R"(,"probes":)", flow.probes);
  append_count(out, R"(,"replies":)", flow.replies);
  std::uint64_t changes = 0;
  for (const std::uint64_t count : flow.changes)
    changes += count;
  append_count(out, R"(,"changes":)", changes);
  if (oneway != nullptr) append_oneway_flow(out, R"(,"oneway":)", *oneway);
  if (newest == nullptr) {
    out.append(R"(,"newest":null})");
    return;
  }
  const Round& round = newest->round;
  out.append(R"(,"newest":{"time":")");
  append_time(out, newest->wall(round.started));
  out.append(R"(","outcome":")");
  out.append(to_string(round.end_to_end));
  out.append(R"(","reached":)");
  append_bool(out, round.reached());
  out.append(R"(,"rtt_ns":)");
  if (round.reached() && round.distance > 0 && round.distance <= round.hops.size()) {
    append_number(out, round.hops[round.distance - 1u].rtt.count());
  } else {
    out.append("null");
  }
  out.append("}}");
}

/// The ways back that a reflector has reported, with the flows that come back over them.
void append_reverse_paths(std::string& out, const DestinationSnapshot& snapshot) {
  if (snapshot.oneway == nullptr) return;
  std::map<std::uint32_t, std::vector<std::uint32_t>> flows;
  for (std::uint32_t i = 0; i < snapshot.oneway->flows.size(); ++i)
    if (snapshot.oneway->flows[i].reverse_path != 0 && is_steady(*snapshot.facts, i))
      flows[snapshot.oneway->flows[i].reverse_path].push_back(i);
  const char* before = R"(,"reverse_paths":[)";
  for (const auto& [id, indices] : flows) {
    out.append(before).append(R"({"id":)");
    append_path_id(out, id);
    const char* separator = R"(,"flows":[)";
    const std::vector<IpAddress>* routers = nullptr;
    for (const std::uint32_t i : indices) {
      out.append(separator);
      append_number(out, snapshot.facts->source_ports[i]);
      separator = ",";
      if (snapshot.oneway->flows[i].reverse_routers != nullptr)
        routers = snapshot.oneway->flows[i].reverse_routers.get();
    }
    out.append(R"(],"routers":)");
    separator = "[";
    for (const IpAddress& router : routers != nullptr ? *routers : std::vector<IpAddress>()) {
      out.append(separator);
      append_known_address(out, router);
      separator = ",";
    }
    out.append(routers != nullptr ? "]" : "null");
    append_oneway_path(out, R"(,"oneway":)", nullptr, oneway_of(snapshot, id));
    out.push_back('}');
    before = ",";
  }
  out.append(flows.empty() ? R"(,"reverse_paths":[])" : "]");
}

void append_balance(std::string& out, const DestinationSnapshot& snapshot) {
  const Balance balance = balance_of(snapshot);
  out.append(R"(,"balance":{"branchings":[)");
  for (std::size_t i = 0; i < balance.branchings.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_branching(out, balance.branchings[i]);
  }
  out.append(R"(],"polarisations":[)");
  for (std::size_t i = 0; i < balance.polarisations.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_polarisation(out, balance.polarisations[i]);
  }
  out.append("]}");
}

void append_details(std::string& out, const DestinationSnapshot& snapshot, const HopNames& names,
                    const TopologyWriter::NewestRounds& rounds) {
  const auto begins = loss_begins(snapshot);
  out.append(R"(,"paths":[)");
  for (std::size_t i = 0; i < snapshot.paths.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_path(out, snapshot.paths[i], begins[i], oneway_of(snapshot, snapshot.paths[i].id));
  }
  std::map<std::uint16_t, const RoundRecord*> newest;
  const auto records = rounds(snapshot.facts->name);
  for (const auto& record : records)
    newest[record->source_port] = record.get();
  out.append(R"(],"flows":[)");
  for (std::size_t i = 0; i < snapshot.flows.size(); ++i) {
    if (i > 0) out.push_back(',');
    const auto found = newest.find(snapshot.flows[i].source_port);
    append_flow(out, snapshot.flows[i], oneway_of_flow(snapshot, snapshot.flows[i].source_port),
                found != newest.end() ? found->second : nullptr);
  }
  out.push_back(']');
  append_reverse_paths(out, snapshot);
  out.append(R"(,"unreachable_replies":[)");
  for (std::size_t i = 0; i < snapshot.unreachables.size(); ++i) {
    const UnreachableSnapshot& refusal = snapshot.unreachables[i];
    out.append(i > 0 ? R"(,{"reply":")" : R"({"reply":")").append(packet::to_string(refusal.reply));
    out.append(R"(","address":)");
    append_known_address(out, refusal.from);
    out.append(R"(,"name":)");
    append_string(out, names.name(refusal.from));
    append_count(out, R"(,"count":)", refusal.count);
    out.push_back('}');
  }
  out.push_back(']');
}

/// What replies give away, by node of the graph: by kind and detail, over all paths.
using Findings = std::map<std::size_t, std::set<std::pair<FindingKind, std::string>>>;

Findings findings_of(const PathGraph& graph) {
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

/// The graph as it is written: what answers, by TTL and address. Gaps are concluded and not observed; readers find them
/// between the nodes of a path.
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
  out.append(R"({"destination":)");
  append_string(out, destination);
  out.append(R"(,"id":)");
  append_node_id(out, node.ttl, node.address);
  append_count(out, R"(,"ttl":)", node.ttl);
  out.append(R"(,"address":)");
  append_known_address(out, node.address);
  out.append(R"(,"name":)");
  append_string(out, names.name(node.address));
  out.append(R"(,"role":")")
      .append(node.kind == Kind::agent         ? "source"
              : node.kind == Kind::destination ? "destination"
                                               : "hop");
  HopCounters counters;
  for (const PathGraph::Observed& one : node.observed)
    counters += one.counters;
  append_count(out, R"(","flows":)", node.flows);
  append_count(out, R"(,"probes":)", counters.probes);
  append_count(out, R"(,"replies":)", counters.replies);
  append_count(out, R"(,"losses":)", counters.losses);
  append_count(out, R"(,"silences":)", counters.silences);
  append_window(out, R"(,"window":)", window_of(node.observed));
  append_mpls(out, R"(,"mpls":)", node.mpls != nullptr ? *node.mpls : packet::KeptMpls());
  append_place(out, node.address, names);
  const char* before = R"(,"findings":[)";
  for (const auto& [kind, detail] : findings) {
    out.append(before).append(R"({"kind":")").append(to_string(kind)).append(R"(","detail":)");
    append_string(out, detail);
    out.push_back('}');
    before = ",";
  }
  if (!findings.empty()) out.push_back(']');
  if (node.limited) out.append(R"(,"limited":true)");
  out.push_back('}');
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
  out.append(R"({"destination":)");
  append_string(out, destination);
  out.append(R"(,"from":)");
  append_node_id(out, link.ttl - 1u, link.from);
  out.append(R"(,"to":)");
  append_node_id(out, link.ttl, link.to);
  append_count(out, R"(,"ttl":)", link.ttl);
  append_count(out, R"(,"flows":)", link.flows);
  out.append(R"(,"source_ports":[)");
  for (std::size_t i = 0; i < observed.source_ports.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_number(out, observed.source_ports[i]);
  }
  append_count(out, R"(],"window":{"probes":)", observed.probes);
  append_count(out, R"(,"losses":)", observed.losses);
  append_loss(out, R"(,"loss_ratio":)", observed.losses, observed.probes);
  append_count(out, R"(,"near_probes":)", observed.near_probes);
  append_count(out, R"(,"near_losses":)", observed.near_losses);
  append_loss(out, R"(,"near_loss_ratio":)", observed.near_losses, observed.near_probes);
  out.push_back('}');
  if (report == nullptr) {
    out.push_back('}');
    return;
  }
  const LinkVerdict* const verdict = verdict_on(*report, link);
  out.append(R"(,"suspicion":)");
  if (verdict == nullptr) {
    out.append(R"(null,"blamed":false})");
    return;
  }
  append_ratio(out, verdict->suspicion);
  out.append(R"(,"blamed":)");
  append_bool(out, verdict->blamed);
  out.push_back('}');
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

/// Of all destinations, whichever are told: links know nothing of them.
void append_suspects(std::string& out, const LocalisationReport& report) {
  out.append(",\n\"suspected_links\":[");
  for (std::size_t i = 0; i < report.links.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_link_verdict(out, report.links[i]);
  }
  out.append("],\n\"slower_links\":[");
  for (std::size_t i = 0; i < report.delays.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_delay_verdict(out, report.delays[i]);
  }
  out.push_back(']');
}

}  // namespace

TopologyWriter::TopologyWriter(Snapshots snapshots, Options options)
    : snapshots_(std::move(snapshots)), options_(std::move(options)) {}

bool TopologyWriter::next(std::string& out, const HopNames& names, const NewestRounds& rounds) {
  if (section_ == Section::head) {
    out.append(R"({"time":")");
    append_time(out, options_.time);
    out.append(R"(","version":)");
    append_string(out, options_.version);
    append_count(out, R"(,"left_out":)", options_.left_out);
    out.append(R"(,"destinations":[)");
    section_ = Section::destinations;
    return true;
  }
  if (place_ == snapshots_.size()) {
    place_ = 0;
    first_ = true;
    const bool graph = options_.detail == Detail::full;
    if (section_ == Section::destinations && graph) {
      out.append("],\n\"nodes\":[");
      section_ = Section::nodes;
    } else if (section_ == Section::nodes) {
      out.append("],\n\"links\":[");
      section_ = Section::links;
    } else {
      out.push_back(']');
      if (options_.localisation != nullptr) append_suspects(out, *options_.localisation);
      out.append("}\n");
      section_ = Section::end;
    }
    return section_ != Section::end;
  }
  const DestinationSnapshot& snapshot = *snapshots_[place_++];
  const std::string& name = snapshot.facts->name;
  const auto separate = [&] {
    out.append(first_ ? "\n" : ",\n");
    first_ = false;
  };
  if (section_ == Section::destinations) {
    separate();
    append_facts(out, *snapshot.facts);
    append_overview(out, snapshot);
    if (options_.detail == Detail::full) append_details(out, snapshot, names, rounds);
    if (options_.detail == Detail::full && options_.localisation != nullptr) append_balance(out, snapshot);
    out.push_back('}');
    return true;
  }
  const Written written(snapshot);
  if (section_ == Section::nodes) {
    Findings findings = findings_of(written.graph);
    for (const std::size_t node : written.nodes) {
      separate();
      append_node(out, written.graph.nodes[node], findings[node], name, names);
    }
  } else {
    for (const LinkSnapshot& link : all_links(snapshot, written)) {
      const PathGraph::Link* const observed = written.link(link.ttl, link.from, link.to);
      separate();
      append_link(out, link, observed != nullptr ? *observed : PathGraph::Link(), name, options_.localisation.get());
    }
  }
  return true;
}

}  // namespace ecmp::render
