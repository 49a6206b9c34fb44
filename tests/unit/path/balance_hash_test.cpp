// Verdicts on balance rest on independent samples. Are spread ports such, for the functions that routers hash with?
#include <map>

#include "catch.hpp"
#include "path/localisation/balance.hpp"
#include "path_search_hashes.hpp"

using namespace ecmp;
using namespace ecmp::path_search_test;

namespace {

constexpr std::uint32_t kFlows = 64;
constexpr std::uint64_t kSeeds = 60;  // of each row

/// A fan of four, a router where it comes together, and another fan of four behind that.
Graph two_fans() {
  Graph graph{"two fans", std::vector<Router>(11)};
  for (std::uint32_t i = 0; i < 4; ++i) {
    graph.routers[0].next.push_back(1 + i);
    graph.routers[1 + i].next = {5};
    graph.routers[5].next.push_back(6 + i);
    graph.routers[6 + i].next = {10};
  }
  return graph;
}

/// The second fan is hashed for by another function.
Balance balance(sim::HashFunction first, sim::HashFunction second, std::uint64_t seed, const SourcePorts& ports) {
  const Graph graph = two_fans();
  HashedNetwork one(graph, first, false, seed), two(graph, second, false, seed);
  std::map<std::vector<std::uint32_t>, std::uint32_t> paths;
  for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
    auto way = one.way(ports[flow]);
    way[3] = two.choose(5, ports[flow]);
    ++paths[way];
  }
  DestinationSnapshot snapshot;
  snapshot.facts = std::make_shared<const DestinationFacts>();
  for (const auto& [way, flows] : paths) {
    PathSnapshot& path = snapshot.paths.emplace_back();
    path.id = static_cast<std::uint32_t>(snapshot.paths.size());
    path.length = static_cast<std::uint8_t>(way.size());
    path.flows = flows;
    for (std::size_t i = 0; i < way.size(); ++i) {
      HopSnapshot& hop = path.hops.emplace_back();
      hop.ttl = static_cast<std::uint8_t>(i + 1);
      hop.responder = IpAddress::v4(0x0a000001u + way[i]);
    }
    for (std::uint32_t i = 0; i < flows; ++i) {
      FlowSnapshot& flow = snapshot.flows.emplace_back();
      flow.path = path.id;
      flow.source = IpAddress::v4(0xc0000201);
    }
  }
  return balance_of(snapshot);
}

}  // namespace

TEST_CASE("spread ports make no router look uneven or polarised that is not", "[balance]") {
  std::uint64_t judged = 0, uneven = 0, polarised = 0;
  for (const NamedHash& first : kHashes) {
    for (const NamedHash& second : kHashes) {
      if (first.function == second.function) continue;
      for (std::uint64_t seed = 0; seed < kSeeds / 6; ++seed) {
        const Balance found = balance(first.function, second.function, seed, spread_ports(seed));
        judged += found.branchings.front().decided ? 1u : 0u;
        uneven += found.branchings.front().uneven ? 1u : 0u;
        for (const Polarisation& pair : found.polarisations)
          polarised += pair.polarised ? 1u : 0u;
      }
    }
  }
  // One in a thousand is uneven by chance, one in ten thousand polarised.
  CHECK(judged == 42 * kSeeds / 6);
  CHECK(uneven <= 3);
  CHECK(polarised <= 2);
}

TEST_CASE("stages that hash alike are polarised with a CRC, whatever their seeds", "[balance]") {
  for (const NamedHash& hash : kHashes) {
    std::uint64_t polarised = 0;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      const Balance found = balance(hash.function, hash.function, seed, spread_ports(seed));
      const bool any = std::ranges::any_of(found.polarisations, &Polarisation::polarised);
      polarised += any ? 1u : 0u;
    }
    CAPTURE(hash.name);
    if (hash.function == sim::HashFunction::siphash) {
      CHECK(polarised <= 1);
    } else {
      CHECK(polarised == kSeeds);
    }
  }
}
