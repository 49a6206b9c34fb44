#include "fans.hpp"

#include <sstream>

#include "snapshots.hpp"

namespace ecmp::render::test {

DestinationSnapshot made_fan(const std::vector<MadePath>& paths, std::uint32_t pathless) {
  DestinationFacts facts;
  facts.name = "fra-edge";
  facts.host = "192.0.2.1";
  facts.address = ip("192.0.2.1");
  facts.port = 33434;
  facts.source_ports = 50000;
  DestinationSnapshot snapshot;
  snapshot.measured = true;
  std::uint32_t number = 0;
  for (const MadePath& made : paths) {
    PathSnapshot path;
    path.ordinal = ++number;
    path.id = 0xabcd0000u + number;
    path.length = static_cast<std::uint8_t>(made.hops.size());
    path.complete = made.complete;
    path.flows = made.flows;
    path.probes = made.probes;
    path.replies = made.complete ? made.probes - made.losses : 0;
    snapshot.up = snapshot.up || made.complete;
    for (std::size_t i = 0; i < made.hops.size(); ++i) {
      std::istringstream responders(made.hops[i]);
      for (std::string responder; responders >> responder;) {
        HopSnapshot hop;
        hop.ttl = static_cast<std::uint8_t>(i + 1);
        hop.responder = ip(responder.c_str());
        const std::uint64_t missed = i < made.missed.size() ? made.missed[i] : 0;
        hop.counters = {made.probes, made.probes - missed, 0, missed};
        path.hops.push_back(hop);
      }
    }
    snapshot.paths.push_back(std::move(path));
  }
  std::vector<std::uint32_t> left;
  for (const MadePath& made : paths)
    left.push_back(made.flows);
  std::uint16_t port = facts.source_ports[0];
  const auto add_flow = [&](std::uint32_t path) {
    FlowSnapshot flow;
    flow.source_port = port++;
    flow.source = ip("198.51.100.1");
    flow.path = path;
    flow.probes = 10;
    snapshot.flows.push_back(flow);
  };
  for (bool any = true; any;) {
    any = false;
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (left[i] == 0) continue;
      --left[i];
      any = true;
      add_flow(snapshot.paths[i].id);
    }
  }
  for (std::uint32_t i = 0; i < pathless; ++i)
    add_flow(0);
  facts.flows = static_cast<std::uint16_t>(snapshot.flows.size());
  snapshot.facts = std::make_shared<const DestinationFacts>(facts);
  return snapshot;
}

std::vector<MadePath> plain_branches(std::uint32_t count) {
  std::vector<MadePath> paths;
  for (std::uint32_t i = 1; i <= count; ++i)
    paths.push_back(
        {.hops = {"10.0.0.1", IpAddress::v4(0x0a010000u + i).to_string(), "10.0.0.2", "192.0.2.1"}, .flows = 2});
  return paths;
}

}  // namespace ecmp::render::test
