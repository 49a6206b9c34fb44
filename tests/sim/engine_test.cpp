// Engine and path model over the simulated network: what they find is what is there.
#include <algorithm>
#include <string>
#include <tuple>

#include "sim/engine_fixture.hpp"
#include "sim/scenario.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

void check_paths(EngineRun& run, std::string_view destination, std::uint16_t flows) {
  for (std::uint32_t flow = 0; flow < flows; ++flow) {
    CAPTURE(destination, flow);
    const TruePath path = run.true_path(destination, flow, run.network().now());
    REQUIRE(path.exact);
    CHECK(path.reached);
    CHECK(run.found_path(destination, flow) == path.responders);
  }
}

}  // namespace

TEST_CASE("every flow is found on its true path, over every protocol and family", "[engine]") {
  const Seed seed(100);
  for (const std::string scenario : {"fan_4", "fan_16", "two_stage_4x4", "unequal_lengths"}) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
        CAPTURE(scenario, static_cast<int>(family), static_cast<int>(protocol));
        EngineRun run(load_scenario(scenario), seed, {.protocol = protocol, .family = family});
        run.run(10s);
        check_paths(run, "dst", 32);
        CHECK(run.totals("dst").lost == 0);
        CHECK(run.totals("dst").rounds >= 32 * 9);
        CHECK(run.changes().empty());
      }
    }
  }
}
