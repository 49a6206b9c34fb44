#include "render/json/topology.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "path/localisation/balance.hpp"
#include "path/localisation/loss_begin.hpp"
#include "render/append.hpp"
#include "render/json/graph_json.hpp"
#include "render/json/json_parts.hpp"
#include "render/json/json_writer.hpp"
#include "render/json/oneway_json.hpp"
#include "render/json/verdict_json.hpp"
#include "render/report/search_text.hpp"

namespace ecmp::render {
namespace {

WindowFigures window_of(const std::shared_ptr<const Statistics>& statistics) {
  return statistics != nullptr ? statistics->window : WindowFigures{};
}

void append_facts(std::string& out, const DestinationFacts& facts) {
  JsonWriter json(out);
  json.begin('{').key("name").text(facts.name).key("host").text(facts.host).key("address").address(facts.address);
  json.key("family").text(facts.address.is_unspecified() ? "" : to_string(facts.address.family()));
  json.key("protocol").text(traits(facts.protocol).name);
  json.key("port").number(port_of(facts.protocol, facts.port));
  json.key("interval_ns").number(facts.interval.count()).key("labels").begin('{');
  std::string_view before;
  for (const auto& [name, value] : facts.labels) {
    if (name == before) continue;  // sorted by name; JSON wants names once
    json.text(name);
    out.push_back(':');
    json.text(value);
    before = name;
  }
  json.end('}');
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

std::uint64_t changes_of(const FlowSnapshot& flow) {
  return std::accumulate(flow.changes.begin(), flow.changes.end(), std::uint64_t{0});
}

void append_overview(std::string& out, const DestinationSnapshot& snapshot) {
  JsonWriter json(out);
  json.key("state").text(state_of(snapshot)).key("unjudged");
  if (snapshot.unjudged == Unjudged::none) {
    json.null();
  } else {
    json.begin('{').key("reason").text(to_string(snapshot.unjudged)).key("text").text(explain(snapshot.unjudged));
    json.end('}');
  }
  json.key("flow_count").number(snapshot.flows.size()).key("paths_in_use").number(snapshot.paths_in_use);
  std::uint64_t changes = 0;
  for (const FlowSnapshot& flow : snapshot.flows)
    changes += changes_of(flow);
  json.key("paths_refused").number(snapshot.paths_refused).key("changes").number(changes);
  if (snapshot.oneway != nullptr) append_reflector(json.key("reflector").next(), *snapshot.oneway);
  json.key("coverage");
  snapshot.coverage ? json.ratio(*snapshot.coverage) : json.null();
  json.key("search");
  snapshot.search != nullptr ? append_search(out, *snapshot.search) : static_cast<void>(json.null());
  std::vector<const Statistics*> paths;
  for (const PathSnapshot& path : snapshot.paths)
    paths.push_back(path.statistics.get());
  append_window(json.key("window").next(), Statistics::merged_window(paths));
  const PathSnapshot* const worst = worst_path(snapshot);
  json.key("worst_path");
  if (worst == nullptr) {
    json.null();
    return;
  }
  json.begin('{').key("id").path_id(worst->id).key("ordinal").number(worst->ordinal);
  json.key("flows").number(worst->flows).key("loss_ratio").ratio(window_of(worst->statistics).loss_ratio()).end('}');
}

/// What streams say of a path; null: nothing.
const OnewayPathSnapshot* oneway_of(const DestinationSnapshot& snapshot, std::uint32_t path) {
  if (snapshot.oneway == nullptr || path == 0) return nullptr;
  const auto found = std::ranges::find(snapshot.oneway->paths, path, &OnewayPathSnapshot::path);
  return found == snapshot.oneway->paths.end() ? nullptr : &*found;
}

/// Where the losses of the paths in use begin, as names of nodes.
using LossNodes = std::map<const PathSnapshot*, PathGraph::Place>;

LossNodes loss_nodes(const PathGraph& graph) {
  LossNodes nodes;
  const auto begins = loss_begins(graph);
  for (std::size_t i = 0; i < begins.size(); ++i) {
    const PathGraph::Strand& strand = graph.strands[i];
    // As the figures beside it, of the window alone.
    if (!begins[i] || window_of(strand.path->statistics).losses == 0) continue;
    const PathGraph::Node& node = graph.nodes[strand.stops[begins[i]->at].front().node];
    nodes[strand.path] = {node.ttl, node.address};
  }
  return nodes;
}

void append_path(std::string& out, const PathSnapshot& path, const LossNodes& loss_begins,
                 const OnewayPathSnapshot* oneway) {
  JsonWriter json(out);
  json.begin('{').key("id").path_id(path.id).key("ordinal").number(path.ordinal).key("flows").number(path.flows);
  json.key("length").number(path.length).key("complete").boolean(path.complete);
  json.key("probes").number(path.probes).key("replies").number(path.replies);
  append_window(json.key("window").next(), window_of(path.statistics));
  json.key("loss_begins");
  const auto begins = loss_begins.find(&path);
  begins != loss_begins.end() ? json.node_id(begins->second.ttl, begins->second.address) : json.null();
  json.key("nodes").begin('[');
  for (const HopSnapshot& hop : path.hops)
    json.node_id(hop.ttl, hop.responder);
  json.end(']');
  if (oneway != nullptr) append_oneway_path(json.key("oneway").next(), oneway, oneway);
  json.end('}');
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
  JsonWriter json(out);
  json.begin('{').key("source_port").number(flow.source_port).key("source").address(flow.source);
  json.key("path").path_id(flow.path).key("path_ordinal").number(flow.ordinal);
  json.key("probes").number(flow.probes).key("replies").number(flow.replies).key("changes").number(changes_of(flow));
  if (oneway != nullptr) append_oneway_flow(json.key("oneway").next(), *oneway);
  json.key("newest");
  if (newest == nullptr) {
    json.null().end('}');
    return;
  }
  const Round& round = newest->round;
  json.begin('{').key("time");
  out.push_back('"');
  append_time(out, newest->wall(round.started));
  out.push_back('"');
  json.key("outcome").text(to_string(round.end_to_end)).key("reached").boolean(round.reached()).key("rtt_ns");
  const bool known = round.reached() && round.distance > 0 && round.distance <= round.hops.size();
  known ? json.number(round.hops[round.distance - 1u].rtt.count()) : json.null();
  json.end('}').end('}');
}

/// The ways back that a reflector has reported, with the flows that come back over them.
void append_reverse_paths(std::string& out, const DestinationSnapshot& snapshot) {
  if (snapshot.oneway == nullptr) return;
  std::map<std::uint32_t, std::vector<std::uint32_t>> flows;
  for (std::uint32_t i = 0; i < snapshot.oneway->flows.size(); ++i)
    if (snapshot.oneway->flows[i].reverse_path != 0 && is_steady(*snapshot.facts, i))
      flows[snapshot.oneway->flows[i].reverse_path].push_back(i);
  JsonWriter json(out);
  json.key("reverse_paths").begin('[');
  for (const auto& [id, indices] : flows) {
    json.begin('{').key("id").path_id(id).key("flows").begin('[');
    const std::vector<IpAddress>* routers = nullptr;
    for (const std::uint32_t i : indices) {
      json.number(snapshot.facts->source_ports[i]);
      if (snapshot.oneway->flows[i].reverse_routers != nullptr)
        routers = snapshot.oneway->flows[i].reverse_routers.get();
    }
    json.end(']').key("routers");
    if (routers == nullptr) {
      json.null();
    } else {
      json.begin('[');
      for (const IpAddress& router : *routers)
        json.address(router);
      json.end(']');
    }
    append_oneway_path(json.key("oneway").next(), nullptr, oneway_of(snapshot, id));
    json.end('}');
  }
  json.end(']');
}

void append_balance(std::string& out, const DestinationSnapshot& snapshot) {
  const Balance balance = balance_of(snapshot);
  JsonWriter json(out);
  json.key("balance").begin('{').key("branchings").begin('[');
  for (const Branching& branching : balance.branchings)
    append_detail(json.next(), branching);
  json.end(']').key("polarisations").begin('[');
  for (const Polarisation& polarisation : balance.polarisations)
    append_detail(json.next(), polarisation);
  json.end(']').key("crosswise").begin('[');
  for (const Crosswise& crosswise : crosswise_of(snapshot))
    append_crosswise(json.next(), crosswise);
  json.end(']').end('}');
}

void append_details(std::string& out, const DestinationSnapshot& snapshot, const HopNames& names,
                    const TopologyWriter::NewestRounds& rounds) {
  const PathGraph graph = path_graph(snapshot, PathGraph::Ends::apart);
  const LossNodes begins = loss_nodes(graph);
  JsonWriter json(out);
  json.key("paths").begin('[');
  for (const PathSnapshot& path : snapshot.paths)
    append_path(out, path, begins, oneway_of(snapshot, path.id));
  std::map<std::uint16_t, const RoundRecord*> newest;
  const auto records = rounds(snapshot.facts->name);
  for (const auto& record : records)
    newest[record->source_port] = record.get();
  json.end(']').key("flows").begin('[');
  for (const FlowSnapshot& flow : snapshot.flows) {
    const auto found = newest.find(flow.source_port);
    append_flow(out, flow, oneway_of_flow(snapshot, flow.source_port), found != newest.end() ? found->second : nullptr);
  }
  json.end(']');
  append_gaps(out, graph);
  append_reverse_paths(out, snapshot);
  json.key("unreachable_replies").begin('[');
  for (const UnreachableSnapshot& refusal : snapshot.unreachables) {
    json.begin('{').key("reply").text(packet::to_string(refusal.reply)).key("address").address(refusal.from);
    json.key("name").text(names.name(refusal.from)).key("count").number(refusal.count).end('}');
  }
  json.end(']');
}

/// Of all destinations, whichever are asked for: links know nothing of them.
void append_suspects(std::string& out, const LocalisationReport& report) {
  out.append(",\n");
  JsonWriter json(out);
  json.key("suspected_links").begin('[');
  for (const LinkVerdict& verdict : report.links)
    append_detail(json.next(), verdict);
  json.end(']');
  out.append(",\n");
  json.key("slower_links").begin('[');
  for (const DelayVerdict& verdict : report.delays)
    append_detail(json.next(), verdict);
  json.end(']');
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
    JsonWriter(out).key("left_out").number(options_.left_out).key("destinations").begin('[');
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
  if (section_ == Section::destinations) {
    out.append(std::exchange(first_, false) ? "\n" : ",\n");
    append_facts(out, *snapshot.facts);
    append_overview(out, snapshot);
    if (options_.detail == Detail::full) append_details(out, snapshot, names, rounds);
    if (options_.detail == Detail::full && options_.localisation != nullptr) append_balance(out, snapshot);
    out.push_back('}');
    return true;
  }
  if (section_ == Section::nodes) {
    append_nodes(out, snapshot, names, first_);
  } else {
    append_links(out, snapshot, options_.localisation.get(), first_);
  }
  return true;
}

}  // namespace ecmp::render
