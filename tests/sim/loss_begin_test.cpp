// Where loss begins, found from what hops leave unanswered.
#include "path/localisation/loss_begin.hpp"

#include "sim/engine_fixture.hpp"
#include "sim/scenario.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

struct Found {
  int right = 0;
  int wrong = 0;
};

/// Traces the network for a while; of the lossy paths over `near`, how many are told to begin to lose at `far`.
Found found(const std::string& text, std::uint64_t seed, const char* near, const char* far, Duration time) {
  const auto scenario = parse_scenario(text, "loss");
  REQUIRE(scenario);
  // Every hop is asked in every round: routers that lose many of their answers would be left out while pacing finds out
  // whether they limit them.
  EngineRun run(*scenario, seed, {.flows = 64, .adapt_to_responders = false});
  run.run(time);
  const auto told = run.snapshot("dst");
  const PathGraph graph = path_graph(*told, PathGraph::Ends::apart);
  const auto begins = loss_begins(graph);
  REQUIRE(begins.size() == graph.strands.size());
  Found count;
  for (std::size_t i = 0; i < begins.size(); ++i) {
    const PathSnapshot& path = *graph.strands[i].path;
    CHECK(begins[i].has_value() == (figures_of({&graph.strands[i].observed, 1}).losses > 0));
    if (!begins[i]) continue;
    const auto& stops = graph.strands[i].stops;
    const bool over = std::ranges::any_of(
        path.hops, [&](const HopSnapshot& hop) { return hop.responder == run.network().address(near, Family::ipv4); });
    // A link that lets nothing through hides what is behind it.
    const bool beyond = begins[i]->at + 1 == stops.size() && !path.complete;
    const PathGraph::Node& last = graph.nodes[stops[beyond ? begins[i]->after : begins[i]->at].front().node];
    const bool there = last.address == run.network().address(beyond ? near : far, Family::ipv4);
    ++(over && there ? count.right : count.wrong);
  }
  return count;
}

const std::string kTwoStages = R"(
  wires = ["agent - r1 - (a1..a4) - r2 - (b1..b4) - r3 - dst"]
  [link."*"]
  delay = "1ms"
)";

}  // namespace

TEST_CASE("loss behind a branch of the first stage begins there on every path over it", "[loss]") {
  for (const char* const share : {"3%", "10%", "40%", "100%"}) {
    Found all;
    for (std::uint64_t number = 0; number < 10; ++number) {
      const Seed seed(8600 + number);
      const Found one =
          found(kTwoStages + "[link.\"a2-r2\"]\nforward = { loss = \"" + share + "\" }\n[destination.dst]\n", seed,
                "a2", "r2", 120s);
      all.right += one.right;
      all.wrong += one.wrong;
    }
    CAPTURE(share, all.right, all.wrong);
    CHECK(all.right >= (share == std::string("100%") ? 10 : 30));
    CHECK(all.wrong * 20 <= all.right);
  }
}

TEST_CASE("loss before the second stage, and at the end, is found as well", "[loss]") {
  Found second;
  Found last;
  for (std::uint64_t number = 0; number < 10; ++number) {
    const Seed seed(8700 + number);
    const Found one = found(kTwoStages + "[link.\"r2-b3\"]\nforward = { loss = \"10%\" }\n[destination.dst]\n", seed,
                            "r2", "b3", 120s);
    second.right += one.right;
    second.wrong += one.wrong;
    const Found other = found(kTwoStages + "[link.\"r3-dst\"]\nforward = { loss = \"10%\" }\n[destination.dst]\n", seed,
                              "r3", "dst", 120s);
    last.right += other.right;
    last.wrong += other.wrong;
  }
  CAPTURE(second.right, second.wrong, last.right, last.wrong);
  CHECK(second.right >= 30);
  CHECK(second.wrong * 20 <= second.right);
  CHECK(last.right >= 100);
  CHECK(last.wrong * 20 <= last.right);
}

TEST_CASE("routers that keep quiet are not where loss begins", "[loss]") {
  Found all;
  for (std::uint64_t number = 0; number < 10; ++number) {
    const Seed seed(8800 + number);
    const Found one =
        found(kTwoStages +
                  "[router.r1]\nreply_loss = 0.5\n[router.r2]\nreply_loss = 0.3\n[router.b2]\nsilent = true\n"
                  "[link.\"a2-r2\"]\nforward = { loss = \"20%\" }\n[destination.dst]\n",
              seed, "a2", "r2", 120s);
    all.right += one.right;
    all.wrong += one.wrong;
  }
  CAPTURE(all.right, all.wrong);
  CHECK(all.right >= 30);
  CHECK(all.wrong * 10 <= all.right);
}
