// How much memory models and their snapshots take: memory_bench [destinations] [hours]. Every flow has a path of its
// own, the most there can be to keep; RTTs vary as they do behind queues. Not a test: run it by hand.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "unit/path/round_builder.hpp"

namespace {

using ecmp::Duration;

/// Bytes of this process in memory.
std::size_t resident() {
  std::ifstream statm("/proc/self/statm");
  std::size_t all = 0;
  std::size_t pages = 0;
  statm >> all >> pages;
  return pages * 4096;
}

struct Destination {
  std::unique_ptr<ecmp::DestinationModel> model;
  std::shared_ptr<const ecmp::DestinationSnapshot> told;
};

}  // namespace

int main(int argc, char** argv) {
  constexpr std::uint32_t kFlows = 32;
  constexpr std::uint8_t kHops = 15;
  const std::size_t destinations = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100;
  const double hours = argc > 2 ? std::strtod(argv[2], nullptr) : 1;
  std::mt19937_64 random(1);
  std::exponential_distribution<double> queueing(1.0 / 200e3);  // mean 0.2 ms
  std::uniform_real_distribution<double> chance(0, 1);

  const std::size_t before = resident();
  std::vector<Destination> all(destinations);
  for (Destination& destination : all)
    destination.model =
        std::make_unique<ecmp::DestinationModel>(ecmp::round_builder::facts(kFlows), ecmp::ModelOptions{});
  ecmp::Round round;
  round.hops.resize(kHops);
  const auto rounds = static_cast<std::uint32_t>(hours * 360);
  for (round.number = 0; round.number < rounds; ++round.number) {
    const ecmp::Instant begin(std::chrono::seconds(1000 + 10 * round.number));
    for (std::uint32_t flow = 0; flow < kFlows; ++flow)
      for (Destination& destination : all) {
        round.started = begin + flow * std::chrono::milliseconds(312);
        round.finished = round.started + std::chrono::milliseconds(50);
        const bool lost = round.number > 0 && chance(random) < 0.01;
        round.end_to_end = lost ? ecmp::EndToEnd::lost : ecmp::EndToEnd::reached;
        round.distance = kHops;
        for (std::uint8_t i = 0; i < kHops; ++i) {
          ecmp::HopResult& hop = round.hops[i];
          hop.ttl = static_cast<std::uint8_t>(i + 1);
          hop.outcome = lost && i > 8 ? ecmp::HopOutcome::lost : ecmp::HopOutcome::replied;
          hop.responder = ecmp::IpAddress::v4((10u << 24) | (flow << 16) | hop.ttl);
          hop.rtt = Duration(static_cast<std::int64_t>(1e6 * hop.ttl + queueing(random)));
        }
        destination.model->on_round(flow, round);
        // The exporter publishes each second what has changed.
        if (flow % 3 == 2) destination.told = destination.model->snapshot(round.finished);
      }
  }
  const std::size_t used = resident() - before;
  const std::size_t places = destinations * kFlows * kHops;
  std::printf("%zu destinations x %u flows x %u hops, %.1f h: %.1f MiB, %zu bytes per flow-hop\n", destinations, kFlows,
              unsigned{kHops}, hours, static_cast<double>(used) / (1 << 20), used / places);
  std::size_t bytes = 0;
  for (const ecmp::PathSnapshot& path : all.front().told->paths)
    for (const ecmp::HopSnapshot& hop : path.hops)
      bytes += hop.statistics->rtt().bytes().size() + hop.statistics->jitter().bytes().size() +
               hop.statistics->loss().bytes().size();
  std::printf("%.1f bytes of buckets per hop\n", static_cast<double>(bytes) / (kFlows * kHops));
}
