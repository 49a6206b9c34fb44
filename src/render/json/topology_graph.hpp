#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "path/model/quote_findings.hpp"
#include "path/model/snapshot.hpp"
#include "path/statistics/blend.hpp"

namespace ecmp::render {

/// A responder at a TTL, over all paths in use that it is on. TTL 0 is the address that probes are sent from.
struct TopologyNode {
  std::uint8_t ttl = 0;
  IpAddress address;
  bool destination = false;
  std::uint32_t flows = 0;
  HopCounters counters;
  WindowBlend window;
  const packet::KeptMpls* mpls = nullptr;  ///< of the snapshot; null: none
  /// What its replies give away on any of the paths, by kind and detail.
  std::set<std::pair<FindingKind, std::string>> findings;
  bool limited = false;  ///< limits its ICMP errors
};

/// Two consecutive responders, over all paths in use that both are on.
struct TopologyLink {
  std::uint8_t ttl = 0;  ///< of `to`
  IpAddress from;
  IpAddress to;
  std::uint32_t flows = 0;
  std::vector<std::uint16_t> source_ports;  ///< rising; of the flows whose path is told
  // Of the probes to `to` within the window, and of those to `from` on the same paths: what is lost at the far end and
  // not at the near one is lost on the link (or on the ways back from them).
  std::uint64_t probes = 0;
  std::uint64_t losses = 0;
  std::uint64_t near_probes = 0;
  std::uint64_t near_losses = 0;
};

struct TopologyGraph {
  std::vector<TopologyNode> nodes;  ///< by TTL and address
  std::vector<TopologyLink> links;  ///< by TTL and both addresses
};

/// Points into the snapshot, which must outlive it.
TopologyGraph topology_graph(const DestinationSnapshot& snapshot);

}  // namespace ecmp::render
