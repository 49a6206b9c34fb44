// What localisation costs beside the probing: reading rounds, looking at the window, and memory. Flows of 15 hops over
// five tiers, 10 s apart, one router in the middle with 2 % loss, the other hops with
// 0.001 % each.
//
//   localisation_bench [DESTINATIONS [FLOWS [MINUTES]]]
//
// Not a test: figures are for people.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <memory>
#include <string>
#include <vector>

#include "path/localisation/localisation.hpp"
#include "sim/random.hpp"

using namespace ecmp;

namespace {

constexpr std::uint8_t kHops = 15;
constexpr std::uint8_t kFanFirst = 4;  ///< TTLs 4 to 8 are balanced, over 2, 4, 8, 16 and 32 routers
constexpr std::uint8_t kFanLast = 8;
constexpr std::uint8_t kOwnFirst = 11;  ///< from this TTL on each destination has routers of its own
constexpr Duration kInterval = std::chrono::seconds(10);
constexpr double kBackground = 1e-5;
constexpr double kBad = 0.02;
constexpr std::uint32_t kBadRouter = 5;  ///< of those at TTL 7

double seconds_since(std::chrono::steady_clock::time_point begun) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

struct Flow {
  RoundRecord record;
  double loss = 0;  ///< of one probe of it
};

std::vector<IpAddress> responders(sim::Random& random, std::uint32_t destination, bool& bad) {
  std::vector<IpAddress> made;
  for (std::uint8_t ttl = 1; ttl <= kHops; ++ttl) {
    std::uint32_t router = 0;
    if (ttl >= kFanFirst && ttl <= kFanLast) router = static_cast<std::uint32_t>(random.below(2u << (ttl - kFanFirst)));
    if (ttl >= kOwnFirst) router = destination;
    if (ttl == 7 && router == kBadRouter) bad = true;
    made.push_back(IpAddress::v4((10u << 24) + (static_cast<std::uint32_t>(ttl) << 16) + router));
  }
  return made;
}

std::vector<Flow> make_flows(sim::Random& random, std::uint32_t destinations, std::uint16_t flows) {
  std::vector<Flow> made;
  for (std::uint32_t destination = 0; destination < destinations; ++destination) {
    auto facts = std::make_shared<DestinationFacts>();
    facts->name = "d" + std::to_string(destination);
    facts->address = IpAddress::v4((10u << 24) + (static_cast<std::uint32_t>(kHops) << 16) + destination);
    facts->source_ports = 50000;
    facts->flows = flows;
    facts->interval = kInterval;
    for (std::uint16_t index = 0; index < flows; ++index) {
      Flow flow;
      bool bad = false;
      auto hops = std::make_shared<std::vector<IpAddress>>(responders(random, destination, bad));
      flow.loss = (kHops - 1) * kBackground + (bad ? kBad : 0);
      flow.record.destination = facts;
      flow.record.flow_index = index;
      flow.record.source_port = static_cast<std::uint16_t>(50000 + index);
      flow.record.source = IpAddress::v4(10u << 24);
      flow.record.verdict.path = static_cast<std::uint32_t>(made.size() + 1);
      flow.record.round.flow = static_cast<std::uint32_t>(made.size());
      flow.record.round.distance = kHops;
      for (std::uint8_t ttl = 1; ttl <= kHops; ++ttl) {
        HopResult hop;
        hop.ttl = ttl;
        hop.outcome = HopOutcome::replied;
        hop.responder = (*hops)[ttl - 1u];
        hop.reply = ttl < kHops ? packet::ReplyKind::time_exceeded : packet::ReplyKind::port_unreachable;
        flow.record.round.hops.push_back(hop);
      }
      flow.record.verdict.responders = std::move(hops);
      made.push_back(std::move(flow));
    }
  }
  return made;
}

/// The next round of a flow: RTTs of half a millisecond a hop and some queueing, and now and then a loss.
void next_round(sim::Random& random, Flow& flow, Instant at) {
  Round& round = flow.record.round;
  ++round.number;
  round.started = at;
  round.finished = at + std::chrono::seconds(1);
  const bool lost = random.unit() < flow.loss;
  round.end_to_end = lost ? EndToEnd::lost : EndToEnd::reached;
  for (HopResult& hop : round.hops) {
    hop.outcome = HopOutcome::replied;
    hop.rtt = Duration(hop.ttl * 500'000 + static_cast<std::int64_t>(random.below(50'000)));
  }
  if (lost) round.hops.back().outcome = HopOutcome::lost;
}

}  // namespace

int main(int argc, char** argv) {
  const auto destinations = static_cast<std::uint32_t>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000);
  const auto flows = static_cast<std::uint16_t>(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 32);
  const double minutes = argc > 3 ? std::strtod(argv[3], nullptr) : 6;
  sim::Random random(1);
  std::vector<Flow> all = make_flows(random, destinations, flows);
  const std::size_t before = mallinfo2().uordblks;

  Localisation localisation({});
  Instant now{std::chrono::hours(1)};
  double reading = 0;
  std::uint64_t rounds = 0;
  std::vector<double> passes;
  std::size_t blamed = 0;
  while (static_cast<double>(rounds) < minutes * 6 * static_cast<double>(all.size())) {
    for (Flow& flow : all)
      next_round(random, flow, now);
    const auto begun = std::chrono::steady_clock::now();
    for (const Flow& flow : all)
      localisation.on_round(flow.record);
    reading += seconds_since(begun);
    rounds += all.size();
    for (int look = 0; look < 2; ++look) {  // a look each sixtieth of five minutes
      now += kInterval / 2;
      const auto looked = std::chrono::steady_clock::now();
      const auto report = localisation.pass(now, {});
      passes.push_back(seconds_since(looked));
      blamed = static_cast<std::size_t>(std::ranges::count_if(report->links, &LinkVerdict::blamed));
      static_cast<void>(localisation.take_events());
    }
  }
  const std::size_t bytes = mallinfo2().uordblks - before;
  std::vector<double> full(passes.begin() + static_cast<std::ptrdiff_t>(passes.size() / 2), passes.end());
  std::ranges::sort(full);
  const double per_round = reading / static_cast<double>(rounds);
  const double median = full[full.size() / 2];
  const double rate = static_cast<double>(all.size()) / 10;
  std::printf("%u destinations x %u flows x %u hops, %.0f minutes\n", destinations, flows, kHops, minutes);
  std::printf("  reading a round        %8.0f ns\n", per_round * 1e9);
  std::printf("  a look                 %8.1f ms, at most %.1f\n", median * 1e3, full.back() * 1e3);
  std::printf("  of a core              %8.2f %%\n", 100 * (rate * per_round + median / 5));
  std::printf("  memory                 %8.1f MiB, %.0f bytes per flow-hop\n", static_cast<double>(bytes) / (1 << 20),
              static_cast<double>(bytes) / static_cast<double>(all.size() * kHops));
  std::printf("  links blamed at the end %7zu\n", blamed);
}
