#pragma once

// The graphs of path_search_graph.hpp, with routers that choose by the hash functions of real ones.

#include <array>
#include <string>

#include "packet/source_ports.hpp"
#include "path_search_graph.hpp"
#include "sim/hash_functions.hpp"

namespace ecmp::path_search_test {

struct NamedHash {
  const char* name;
  sim::HashFunction function;
};

inline constexpr std::array kHashes = {NamedHash{"CRC16-BISYNC", sim::HashFunction::crc16_bisync},
                                       NamedHash{"CRC16-CCITT", sim::HashFunction::crc16_ccitt},
                                       NamedHash{"CRC-32 upper", sim::HashFunction::crc32_upper},
                                       NamedHash{"CRC-32 lower", sim::HashFunction::crc32_lower},
                                       NamedHash{"XOR16", sim::HashFunction::xor16},
                                       NamedHash{"Toeplitz", sim::HashFunction::toeplitz},
                                       NamedHash{"Linux SipHash", sim::HashFunction::siphash}};

/// Fans of powers of two, of 3 and of 6 (where a CRC keeps the parity), and two stages.
inline std::vector<Graph> hashed_graphs() {
  return {fan("width 2", 2),   fan("width 3", 3),      fan("width 4", 4),      fan("width 6", 6),     fan("width 8", 8),
          fan("width 16", 16), mesh("mesh 4x4", 4, 4), mesh("mesh 2x8", 2, 8), mesh("mesh 3x6", 3, 6)};
}

/// One destination and the routers on the way to it.
struct HashedNetwork {
  HashedNetwork(const Graph& on, sim::HashFunction by, bool equal_seeds, std::uint64_t seed)
      : graph(on), function(by), equal(equal_seeds), number(mixed(seed)) {
    store32(headers, 0, static_cast<std::uint32_t>(mixed(number + 1)));
    store32(headers, 4, static_cast<std::uint32_t>(mixed(number + 2)));
    headers[8] = 6;
    store16(headers, 11, 443);
  }

  /// Where a router sends a flow.
  [[nodiscard]] std::uint32_t choose(std::uint32_t at, std::uint16_t source_port) {
    store16(headers, 9, source_port);
    const auto& next = graph.routers[at].next;
    if (next.size() == 1) return next[0];
    const std::uint64_t seed = mixed(number ^ (equal ? 0 : std::uint64_t{at} << 32));
    return next[choose_by_hash(function, seed, headers, static_cast<std::uint32_t>(next.size()))];
  }

  [[nodiscard]] std::vector<std::uint32_t> way(std::uint16_t source_port) {
    std::vector<std::uint32_t> passed{0};
    while (!graph.routers[passed.back()].next.empty())
      passed.push_back(choose(passed.back(), source_port));
    return passed;
  }

  /// All ways that any of these ports goes.
  [[nodiscard]] std::set<std::vector<std::uint32_t>> reachable(const PortBlock& ports) {
    std::set<std::vector<std::uint32_t>> all;
    for (std::uint32_t port = ports.first; port <= ports.last; ++port)
      all.insert(way(static_cast<std::uint16_t>(port)));
    return all;
  }

  const Graph& graph;
  sim::HashFunction function;
  bool equal;  ///< all routers have one seed
  std::uint64_t number;
  std::array<std::uint8_t, 13> headers{};  ///< addresses, protocol, ports
};

/// One search with the ports that the exporter gives to flows, where nothing is lost. Missed: a way that some port of
/// the block goes was not found.
inline Found search_hashed(const Graph& graph, sim::HashFunction function, bool equal, std::uint64_t seed,
                           double confidence, const SourcePorts& ports, const PortBlock& block = {}) {
  HashedNetwork network(graph, function, equal, seed);
  PathSearch search({.aim = {.confidence = confidence}, .max_flows = 4096, .min_flows_per_path = 1}, {});
  std::set<std::vector<std::uint32_t>> found;
  while (!search.over()) {
    for (const PathSearch::Ask& ask : search.plan()) {
      const auto passed = network.way(ports[ask.flow]);
      found.insert(passed);
      const Round round = round_of(passed);
      for (std::uint32_t i = 0; i < ask.rounds; ++i)
        search.on_round(ask.flow, round);
    }
  }
  const SearchProgress& progress = search.progress();
  // To go through all ports takes a while, and is only needed where seeds or the block leave some ways without any.
  return {.missed = found.size() != ways(graph) && found != network.reachable(block),
          .coverage = progress.coverage,
          .flows = progress.flows_asked,
          .probes = progress.probes,
          .kept = progress.flows_kept};
}

/// The ports of a destination that is named after the seed.
inline SourcePorts spread_ports(std::uint64_t seed) {
  return {PortOrder({}, "destination-" + std::to_string(seed), Protocol::tcp, 443), 4096};
}

}  // namespace ecmp::path_search_test
