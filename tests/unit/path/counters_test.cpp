// Counters go on where they ended, whatever becomes of what they count.
#include <map>

#include "catch.hpp"
#include "path/model/destination_model.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

using round_builder::Measured;

const PathSnapshot* find(const DestinationSnapshot& told, std::uint32_t id) {
  const auto found = std::ranges::find(told.paths, id, &PathSnapshot::id);
  return found != told.paths.end() ? &*found : nullptr;
}

/// Everything that is told as a counter and is less than it was.
class Watched {
 public:
  void look(const DestinationSnapshot& told) {
    for (const FlowSnapshot& flow : told.flows) {
      see("flow probes", flow.source_port, 0, flow.probes);
      see("flow replies", flow.source_port, 0, flow.replies);
      for (std::size_t i = 0; i < flow.changes.size(); ++i)
        see("changes", flow.source_port, i, flow.changes[i]);
    }
    for (const PathSnapshot& path : told.paths) {
      see("path probes", path.id, 0, path.probes);
      see("path replies", path.id, 0, path.replies);
      see("path rtts", path.id, 0, path.statistics->rtt().count());
      see("path losses", path.id, 0, path.statistics->loss().count());
      for (const HopSnapshot& hop : path.hops) {
        const std::uint64_t place = hop.ttl * 1000u + hop.responder.bytes().back();
        see("hop probes", path.id, place, hop.counters.probes);
        see("hop replies", path.id, place, hop.counters.replies);
        see("hop losses", path.id, place, hop.counters.losses);
        see("hop silences", path.id, place, hop.counters.silences);
        see("hop rtts", path.id, place, hop.statistics->rtt().count());
        see("hop jitters", path.id, place, hop.statistics->jitter().count());
      }
    }
  }

  std::vector<std::string> falls;

 private:
  void see(const char* what, std::uint64_t of, std::uint64_t at, std::uint64_t value) {
    std::uint64_t& known = known_[{what, of, at}];
    if (value < known) falls.push_back(std::string(what) + " of " + std::to_string(of));
    known = value;
  }

  std::map<std::tuple<std::string, std::uint64_t, std::uint64_t>, std::uint64_t> known_;
};

}  // namespace

TEST_CASE("a path that comes back after its retention goes on counting", "[path][counters]") {
  Measured net(2);
  for (int i = 0; i < 10; ++i)
    net.one("a b D");
  const std::uint32_t id = net.told()->paths.at(0).id;
  const auto before = *find(*net.told(), id);
  for (int i = 0; i < 90; ++i)
    net.one("a c D");
  CHECK(find(*net.told(), id) == nullptr);  // 10 minutes without a flow
  for (int i = 0; i < 5; ++i)
    net.one("a b D");
  const auto told = net.told();
  const PathSnapshot* const after = find(*told, id);
  REQUIRE(after != nullptr);
  CHECK(after->probes > before.probes);
  CHECK(after->statistics->rtt().count() > before.statistics->rtt().count());
  CHECK(after->hops.at(1).counters.replies > before.hops.at(1).counters.replies);
  CHECK(after->began == before.began);
  // The window holds what it holds.
  CHECK(after->statistics->window.probes <= 10);
}

TEST_CASE("paths that sleep count among those that there may be", "[path][counters]") {
  Measured net(1, {.max_paths = 2});
  const auto stay = [&](std::string_view hops) {
    for (int i = 0; i < 80; ++i)
      net.one(hops);
    return net.told()->paths.at(0).probes;
  };
  const auto first = stay("a b1 D");
  stay("a b2 D");
  stay("a b3 D");  // the first had to go for it
  CHECK(stay("a b1 D") <= first);
}

TEST_CASE("a flow that a reload takes away and gives back goes on counting", "[path][counters]") {
  Measured net(4);
  net.model.begin(WallTime(std::chrono::seconds(1'700'000'000)));
  for (int i = 0; i < 5; ++i)
    net.one("a b D");
  Watched watched;
  watched.look(*net.told());
  const auto facts_of = [&](std::uint16_t first, std::uint16_t flows) {
    DestinationFacts facts = *round_builder::facts(flows);
    facts.source_ports = first;
    return std::make_shared<const DestinationFacts>(facts);
  };
  for (const auto& [first, flows] : {std::pair{50000, 2}, {50000, 4}, {50002, 4}, {50000, 4}, {60000, 1}, {50000, 4}}) {
    net.model.set_facts(facts_of(static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(flows)),
                        WallTime(std::chrono::seconds(1'700'000'100)));
    watched.look(*net.told());
    net.model.on_round(0, round_builder::round("a b D", net.now));
    net.now += 10;
    watched.look(*net.told());
  }
  CHECK(watched.falls == std::vector<std::string>{});
}

TEST_CASE("nothing falls while paths are learned hop by hop, lost and found", "[path][counters]") {
  std::uint32_t random = 1;
  const auto next = [&](std::uint32_t bound) {
    random = random * 1664525 + 1013904223;
    return (random >> 16) % bound;
  };
  Measured net(3);
  Watched watched;
  for (int i = 0; i < 3000; ++i) {
    net.sweep(
        [&](std::uint32_t flow) {
          std::string hops = "a";
          const std::uint32_t branch = static_cast<std::uint32_t>(i) / 150 % 5 + (flow == 2 ? 5 : 0);
          for (const char place : {'b', 'c', 'd'})
            hops += next(4) == 0 ? " *" : std::string(" ") + place + std::to_string(place == 'c' ? branch : 0);
          return hops + (next(5) == 0 ? " *" : " D");
        },
        5);
    watched.look(*net.told());
  }
  CHECK(watched.falls == std::vector<std::string>{});
}

}  // namespace ecmp
