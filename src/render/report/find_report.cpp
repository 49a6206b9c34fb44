#include "render/report/find_report.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <tuple>

#include "path/localisation/loss_begin.hpp"
#include "render/append.hpp"
#include "render/fan/fan_text.hpp"

namespace ecmp::render {
namespace {

using Flow = DestinationTally::Flow;

constexpr std::size_t kMostLossy = 8;
constexpr std::size_t kMostClean = 4;

bool loses(const Flow& flow) {
  return flow.tally.end_to_end().losses() > 0;
}

void append_host(std::string& out, const IpAddress& address, const HopNames& names) {
  append_address(out, address);
  if (const std::string_view name = names.name(address); !name.empty()) {
    out += " (";
    out += plain_text(name);
    out += ')';
  }
}

void append_flow(std::string& out, const DestinationFacts& facts, const Flow& flow) {
  const ProbeTally& probes = flow.tally.end_to_end();
  out += fmt::format("\n  {} {}: lost {} of {} ({:.1f} %)", has_ports(facts.protocol) ? "port" : "identifier",
                     flow.source_port, probes.losses(), probes.sent(), 100 * probes.loss_ratio());
  if (flow.tally.ordinal() != 0) out += fmt::format(", path {}", flow.tally.ordinal());
  out += '\n';
  for (const std::string& command : flow_commands(facts, flow.source_port, flow.source))
    out += "    " + command + '\n';
}

void append_link(std::string& out, const BadLink& link, const HopNames& names) {
  out += fmt::format("Loss of {} begins ", counted(link.crossing.size(), "flow"));
  if (link.to.is_unspecified()) {
    out += "behind ";
    append_host(out, link.from, names);
  } else if (link.from.is_unspecified()) {
    out += "before ";
    append_host(out, link.to, names);
  } else {
    out += "between ";
    append_host(out, link.from, names);
    out += " and ";
    append_host(out, link.to, names);
  }
  out += fmt::format(", TTL {}:", link.ttl);
  for (const std::uint16_t port : link.crossing)
    out += fmt::format(" {}", port);
  out += ".\n";
}

}  // namespace

std::vector<BadLink> bad_links(const DestinationSnapshot& snapshot) {
  const PathGraph graph = path_graph(snapshot, PathGraph::Ends::apart);
  const auto begins = loss_begins(graph);
  std::map<std::tuple<IpAddress, IpAddress, std::uint8_t>, BadLink> links;
  for (std::size_t i = 0; i < begins.size(); ++i) {
    if (!begins[i]) continue;
    const PathGraph::Strand& strand = graph.strands[i];
    const auto address = [&](std::size_t stop) { return graph.nodes[strand.stops[stop].front().node].address; };
    BadLink link;
    if (begins[i]->after > 0) link.from = address(begins[i]->after);
    link.to = address(begins[i]->at);
    link.ttl = static_cast<std::uint8_t>(begins[i]->at);
    BadLink& known = links.try_emplace({link.from, link.to, link.ttl}, link).first->second;
    for (const FlowSnapshot& flow : snapshot.flows)
      if (flow.path == strand.id && flow.replies < flow.probes) known.crossing.push_back(flow.source_port);
  }
  std::vector<BadLink> sorted;
  for (auto& [place, link] : links) {
    std::ranges::sort(link.crossing);
    if (!link.crossing.empty()) sorted.push_back(std::move(link));
  }
  std::ranges::stable_sort(sorted, std::greater(), [](const BadLink& link) { return link.crossing.size(); });
  return sorted;
}

bool loss_is_clear(const DestinationTally& tally) {
  double worst = 0;
  std::uint64_t cleanest = 0;
  for (const Flow& flow : tally.flows()) {
    const ProbeTally& probes = flow.tally.end_to_end();
    if (probes.losses() >= kClearLosses) worst = std::max(worst, probes.loss_ratio());
    if (probes.losses() == 0) cleanest = std::max(cleanest, probes.sent());
  }
  return worst > 0 && std::pow(1 - worst, static_cast<double>(cleanest)) < 0.01;
}

std::vector<std::string> flow_commands(const DestinationFacts& facts, std::uint16_t source_port,
                                       const IpAddress& source) {
  const std::string host = facts.address.to_string();
  const bool v4 = facts.address.is_v4();
  const std::string family = v4 ? "-4" : "-6";
  const std::string bind = source.is_unspecified() ? "" : " -B " + source.to_string();
  std::vector<std::string> commands;
  switch (facts.protocol) {
    case Protocol::udp:
      // Against `iperf3 -s -p PORT` there: the data, not the control connection, has these ports.
      commands.push_back(fmt::format("iperf3 {} -u -c {} -p {} --cport {}{} -b 1M -t 30", family, host, facts.port,
                                     source_port, bind));
      if (v4)
        commands.push_back(fmt::format("hping3 -2 -s {} -k -p {} -c 100 -i u100000 {}", source_port, facts.port, host));
      break;
    case Protocol::tcp: {
      commands.push_back(
          fmt::format("iperf3 {} -c {} -p {} --cport {}{} -t 30", family, host, facts.port, source_port, bind));
      const std::string from = source.is_unspecified() ? "" : fmt::format(" --interface {}", source.to_string());
      const std::string_view scheme = facts.port == 80 || facts.port == 8080 ? "http" : "https";
      commands.push_back(fmt::format("curl {}{} --local-port {} -k -o /dev/null '{}://{}:{}/'", family, from,
                                     source_port, scheme, v4 ? host : "[" + host + "]", facts.port));
      if (v4)
        commands.push_back(fmt::format("hping3 -S -s {} -k -p {} -c 100 -i u100000 {}", source_port, facts.port, host));
      break;
    }
    case Protocol::icmp:
      break;
  }
  const std::string_view letter = traits(facts.protocol).option;
  const std::string port = has_ports(facts.protocol) ? fmt::format(" -p {}", facts.port) : "";
  commands.push_back(
      fmt::format("ecmp_trace {} {}{} -s {} -P 1 -c 100 --report {}", letter, family, port, source_port, host));
  return commands;
}

void append_find_report(std::string& out, const DestinationFacts& facts, const DestinationTally& tally,
                        const DestinationSnapshot* snapshot, const HopNames& names) {
  std::vector<const Flow*> lossy;
  std::vector<const Flow*> clean;
  for (const Flow& flow : tally.flows()) {
    if (flow.tally.end_to_end().sent() == 0) continue;
    (loses(flow) ? lossy : clean).push_back(&flow);
  }
  const auto worse = [](const Flow* flow) { return flow->tally.end_to_end().loss_ratio(); };
  std::ranges::stable_sort(lossy, std::greater(), worse);
  const std::size_t all = lossy.size() + clean.size();
  if (lossy.empty()) {
    out += fmt::format("\nNo loss: {} answered every one of {}.\n", counted(all, "flow"),
                       counted(tally.rounds(), "probe"));
    return;
  }
  out += fmt::format("\n{} of {} lose, {}.\n", lossy.size(), counted(all, "flow"),
                     clean.empty()
                         ? "none is clean"
                         : fmt::format("{} clean", clean.size() == 1 ? "1 is" : fmt::format("{} are", clean.size())));
  if (snapshot != nullptr) {
    for (const BadLink& link : bad_links(*snapshot))
      append_link(out, link, names);
  }
  out += "\nThese lose:\n";
  for (std::size_t i = 0; i < std::min(lossy.size(), kMostLossy); ++i)
    append_flow(out, facts, *lossy[i]);
  if (lossy.size() > kMostLossy) out += fmt::format("\n  and {} more\n", lossy.size() - kMostLossy);
  if (clean.empty()) return;
  out += "\nThese do not:\n";
  for (std::size_t i = 0; i < std::min(clean.size(), kMostClean); ++i)
    append_flow(out, facts, *clean[i]);
  if (clean.size() > kMostClean) out += fmt::format("\n  and {} more\n", clean.size() - kMostClean);
}

}  // namespace ecmp::render
