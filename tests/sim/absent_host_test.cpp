// Destinations that nobody answers for, beside one that answers: what they lose says nothing about the links that both
// cross. docs/reality.md, "Whose loss it is".
// ECMP_SIM_SEEDS=200 build/dev/tests/sim/sim_tests "[absent_host]" is the full size.
#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "sim/localisation_run.hpp"
#include "sim/scenario.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

/// Why nobody answers for the address.
enum class Why : std::uint8_t {
  no_host,   ///< nobody answers ARP, and the router behind which it would be says nothing of it, or a filter drops it
  loop,      ///< the router behind which it would be sends it back to where it came from
  far_loop,  ///< that one as well, so that three routers repeat
};

constexpr auto kWhys = {Why::no_host, Why::loop, Why::far_loop};

/// All routers and hosts answer as Linux does by default: net.ipv4.icmp_ratelimit, one a second and six at once.
Scenario network(bool fan = true) {
  constexpr std::string_view kLimit =
      "icmp_limit = { rate = 1, burst = 6, concerns = [\"time_exceeded\", \"unreachable\"] }\n";
  std::string text = fan ? "wires = [\"agent - r1 - (b1..b4) - r2 - edge - (dst ghost)\"]\n"
                         : "wires = [\"agent - r1 - r2 - edge - ghost\"]\n";
  text += "[link.\"*\"]\ndelay = \"1ms\"\n";
  for (const std::string_view router : {"r1", "b1", "b2", "b3", "b4", "r2", "edge"})
    if (fan || router.front() != 'b') text += "[router." + std::string(router) + "]\n" + std::string(kLimit);
  if (fan) text += "[destination.dst]\n" + std::string(kLimit);
  text += "[destination.ghost]\n" + std::string(kLimit);
  auto parsed = parse_scenario(text, "absent host");
  if (!parsed) throw std::runtime_error(parsed.error());
  return std::move(*parsed);
}

void take_away(Topology& topology, Why why) {
  if (why == Why::no_host) {
    topology.node("ghost").silent = true;
    return;
  }
  topology.set_route("edge", "ghost", {"r2"});
  const std::string back = topology.nodes.size() > 6 ? "b1" : "r1";
  if (why == Why::far_loop) topology.set_route("r2", "ghost", {back});
  if (why == Why::far_loop && back != "r1") topology.set_route("b1", "ghost", {"r1"});
  topology.compute_routes();
}

/// Of all verdicts at any time.
struct Found {
  int passes = 0;     ///< that blamed a link
  int elsewhere = 0;  ///< links blamed that are not the last one before the absent host
  int begins = 0;
  int ends = 0;
  Duration up{};       ///< until then the ghost was
  std::string blamed;  ///< the different ones, by links
};

std::string text_of(const LinkVerdict& verdict) {
  std::string text;
  for (const LinkEnds& link : verdict.links)
    text += link.from.to_string() + ">" + link.to.to_string() + " ";
  return text;
}

Found watch(LocalisationRun& run, Duration time) {
  Found found;
  const std::vector<LinkEnds> last{run.link("edge-ghost")};
  for (Duration at{}; at < time; at += 2s) {
    run.run(2s);
    if (run.engine_run().snapshot("ghost")->up) found.up = at + 2s;
    const auto& links = run.report().links;
    if (std::ranges::any_of(links, &LinkVerdict::blamed)) ++found.passes;
    for (const LinkVerdict& verdict : links)
      if (verdict.blamed && found.blamed.find(text_of(verdict)) == std::string::npos)
        found.blamed += text_of(verdict) + "| ";
    found.elsewhere += static_cast<int>(std::ranges::count_if(
        links, [&](const LinkVerdict& verdict) { return verdict.blamed && verdict.links != last; }));
  }
  for (const auto& event : run.events()) {
    if (event->kind != EventKind::loss_verdict) continue;
    ++(event->ended ? found.ends : found.begins);
  }
  return found;
}

TraceOptions options_of(Protocol protocol, Family family) {
  return {.protocol = protocol,
          .family = family,
          .port = 443,
          .flows = 16,
          .interval = 2s,
          .timeout = 1s,
          .adapt_to_responders = true};
}

}  // namespace

TEST_CASE("a destination that has never answered blames no link", "[reality][absent_host][localisation]") {
  for (const Why why : kWhys) {
    for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
      for (const Family family : {Family::ipv4, Family::ipv6}) {
        for (std::uint64_t seed = 1; seed <= seeds(protocol == Protocol::udp ? 10 : 3); ++seed) {
          Scenario scenario = network();
          take_away(scenario.topology, why);
          LocalisationRun run(scenario, seed, options_of(protocol, family), {});
          const Found found = watch(run, 2min);
          CAPTURE(static_cast<int>(why), static_cast<int>(protocol), static_cast<int>(family), seed, found.blamed);
          CHECK(run.engine_run().totals("ghost").lost > 0);
          CHECK(run.engine_run().totals("ghost").reached == 0);
          CHECK(run.engine_run().totals("dst").reached > 0);
          CHECK(found.passes == 0);
          CHECK(run.events().empty());
        }
      }
    }
  }
}

TEST_CASE("a host that goes away is one lasting verdict on the last link to it, or none where packets go in circles",
          "[reality][absent_host][localisation]") {
  struct Row {
    Duration interval;
    Duration begin;
    Duration lasts;
    LocalisationOptions options;
  };
  for (const Row& row : {Row{2s, 2min, 5min, {.window = 2min}}, Row{10s, 6min, 10min, {}}}) {
    for (const bool fan : {true, false}) {
      for (const Why why : kWhys) {
        for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
          for (std::uint64_t seed = 1; seed <= seeds(2); ++seed) {
            Scenario scenario = network(fan);
            scenario.changes.push_back(
                {.at = row.begin, .what = "away", .apply = [why](Topology& topology) { take_away(topology, why); }});
            TraceOptions options = options_of(protocol, Family::ipv4);
            options.interval = row.interval;
            LocalisationRun run(scenario, seed, options, row.options);
            const Found before = watch(run, row.begin);
            const Found found = watch(run, row.lasts);
            CAPTURE(fan, static_cast<int>(why), static_cast<int>(protocol), row.interval / 1s, seed, found.blamed);
            CHECK(before.passes == 0);
            CHECK(found.elsewhere == 0);
            CHECK(found.ends == 0);
            // What is silent over UDP has to be proved first (docs/adr/0032), which may take longer than this.
            CHECK(found.begins <= (why == Why::no_host ? 1 : 0));
            if (why == Why::no_host && protocol != Protocol::udp) CHECK(found.begins == 1);
            if (why == Why::no_host) CHECK(found.up <= 3min);
            // TCP and echo are asked in each round. One in which a router answers where the destination did searches
            // on, for up to four timeouts.
            if (protocol != Protocol::udp) CHECK(found.up <= row.interval + 4 * options.timeout);
          }
        }
      }
    }
  }
}

TEST_CASE("a host that comes back ends its verdict, and none begins", "[reality][absent_host][localisation]") {
  for (const bool fan : {true, false}) {
    for (const Why why : kWhys) {
      for (const Protocol protocol : {Protocol::tcp, Protocol::icmp}) {
        for (std::uint64_t seed = 1; seed <= seeds(2); ++seed) {
          Scenario scenario = network(fan);
          scenario.changes.push_back(
              {.at = 2min, .what = "away", .apply = [why](Topology& topology) { take_away(topology, why); }});
          scenario.changes.push_back({.at = 6min, .what = "back", .apply = [](Topology& topology) {
                                        topology.node("ghost").silent = false;
                                        topology.set_route("edge", "ghost", {"ghost"});
                                        topology.set_route("r2", "ghost", {"edge"});
                                        if (topology.nodes.size() > 6) topology.set_route("b1", "ghost", {"r2"});
                                        topology.compute_routes();
                                      }});
          LocalisationRun run(scenario, seed, options_of(protocol, Family::ipv4), {.window = 2min});
          const Found found = watch(run, 10min);
          CAPTURE(fan, static_cast<int>(why), static_cast<int>(protocol), seed, found.blamed);
          CHECK(run.engine_run().snapshot("ghost")->up);
          CHECK(found.elsewhere == 0);
          CHECK(found.begins == (why == Why::no_host ? 1 : 0));
          CHECK(found.ends == found.begins);
        }
      }
    }
  }
}
