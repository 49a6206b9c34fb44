// What must hold for as long as somebody leaves it running.
#include <string>

#include "sim/engine_fixture.hpp"
#include "sim/scenario_files.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

TEST_CASE("ten hours with 30 % of one router's replies lost bring no change and no path that is not there",
          "[engine][hours]") {
  const Seed seed(110);
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp}) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      CAPTURE(static_cast<int>(protocol), static_cast<int>(family));
      EngineRun run(load_scenario("reply_loss_30"), seed, {.protocol = protocol, .family = family, .interval = 10s});
      run.run(10h);
      const auto snapshot = run.snapshot("dst");
      CHECK(run.changes().empty());
      CHECK(snapshot->paths.size() == 4);
      CHECK(snapshot->paths_in_use == 4);
      CHECK(run.totals("dst").rounds >= 32 * 3599);
      CHECK(run.totals("dst").lost == 0);
      CHECK(run.totals("dst").hops_lost == 0);
      CHECK(run.totals("dst").hops_silent > 500);
      for (std::uint32_t flow = 0; flow < 32; ++flow) {
        CHECK(run.found_path("dst", flow) == run.true_path("dst", flow, run.network().now()).responders);
      }
    }
  }
}

TEST_CASE("ten hours of 10 % loss on one branch stay on it, and are 10 %", "[engine][hours]") {
  const Seed seed(111);
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    CAPTURE(static_cast<int>(protocol));
    EngineRun run(load_scenario("branch_loss_10"), seed, {.protocol = protocol, .interval = 10s});
    run.run(10h);
    CHECK(run.changes().empty());
    const auto snapshot = run.snapshot("dst");
    CHECK(snapshot->paths.size() == 4);
    for (const PathSnapshot& path : snapshot->paths) {
      CAPTURE(path.flows, path.probes, path.replies);
      const double loss = 1 - static_cast<double>(path.replies) / static_cast<double>(path.probes);
      if (path.hops.at(1).responder == run.network().address("b3")) {
        // Some 25,000 rounds: 0.1 +- 0.0075 is four standard deviations. A loss that asking again turned into an
        // answer, or an answer into growth, would show here.
        CHECK(loss > 0.0925);
        CHECK(loss < 0.1075);
      } else {
        CHECK(path.replies == path.probes);
      }
    }
  }
}
