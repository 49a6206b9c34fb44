// A flow is on no path before what it has heard decides which one: docs/adr/0031-no-path-before-it-is-known.md.
#include <string>

#include "catch.hpp"
#include "path/model/destination_model.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

using round_builder::Measured;

std::string branch(std::uint32_t number) {
  return "a b" + std::to_string(number) + " c D";
}

}  // namespace

TEST_CASE("a flow that several paths fit is on none of them, and counts for its own once that is known", "[model]") {
  Measured net(3);
  const auto waiting = net.sweep([](std::uint32_t flow) { return flow == 2 ? "a . c D" : branch(flow); });
  CHECK(waiting[2].path == 0);
  CHECK(waiting[2].unconfirmed);
  CHECK(net.told()->paths_in_use == 2);
  CHECK(net.told()->flows.at(2).probes == 1);
  const auto first = net.told();
  for (const PathSnapshot& path : first->paths)
    CHECK(path.probes == 1);
  // Lost at the destination: whose loss that is is not known either.
  net.sweep([](std::uint32_t flow) { return flow == 2 ? "a . c *" : branch(flow); }, 4);
  const auto second = net.told();
  for (const PathSnapshot& path : second->paths)
    CHECK(path.probes == path.replies);

  const auto known = net.sweep([](std::uint32_t flow) { return branch(flow % 2); });
  CHECK(known[2].path == known[0].path);
  CHECK_FALSE(known[2].unconfirmed);
  const auto told = net.told();
  REQUIRE(told->paths.size() == 2);
  CHECK(told->paths[0].probes == 6);
  CHECK(told->paths[0].replies == 5);
  CHECK(told->paths[1].probes == 3);
  CHECK(told->paths[1].replies == 3);
}

TEST_CASE("a flow passes whom eight others pass and nobody else does, until somebody else is heard", "[model]") {
  Measured net(10);
  // Flow 9 goes last, flow 8 has another branch that has not answered yet.
  auto verdicts = net.sweep([](std::uint32_t flow) { return flow >= 7 ? "a . c D" : "a b c D"; });
  for (std::uint32_t flow = 7; flow < 10; ++flow)
    CHECK(verdicts[flow].path == 0);
  verdicts = net.sweep([](std::uint32_t flow) { return flow >= 8 ? "a . c D" : "a b c D"; });
  CHECK(verdicts[8].path == verdicts[0].path);
  CHECK(verdicts[9].path == verdicts[0].path);
  CHECK(net.told()->paths_in_use == 1);
  verdicts = net.sweep([](std::uint32_t flow) { return flow == 9 ? "a . c D" : flow == 8 ? "a x c D" : "a b c D"; });
  CHECK(verdicts[8].path != verdicts[0].path);
  CHECK(verdicts[9].path == 0);
  CHECK(net.told()->paths_in_use == 2);
}

TEST_CASE("a router that keeps silent where others answer is one of its own after six rounds", "[model]") {
  Measured net(6);
  for (int round = 0; round < 12; ++round) {
    const auto verdicts = net.sweep([](std::uint32_t flow) { return flow == 5 ? "a * c D" : branch(flow % 2); });
    // The others are known to answer well after 16 probes each.
    CAPTURE(round);
    if (round < 5) CHECK(verdicts[5].path == 0);
    if (round >= 8) CHECK(verdicts[5].path != 0);
    CHECK(verdicts[5].path != verdicts[0].path);
    CHECK(verdicts[5].path != verdicts[1].path);
  }
  const auto told = net.told();
  CHECK(told->paths_in_use == 3);
  CHECK(told->paths.back().probes == 12);
}

TEST_CASE("a hop that nobody ever hears keeps no flow from its path", "[model]") {
  Measured net(4);
  for (const auto& verdict : net.sweep([](std::uint32_t) { return "a * c D"; }))
    CHECK(verdict.path != 0);
  CHECK(net.told()->paths_in_use == 1);
}

TEST_CASE("traces of few rounds place a flow at once", "[model]") {
  Measured net(3, {.wait_for_hops = false});
  const auto verdicts = net.sweep([](std::uint32_t flow) { return flow == 2 ? "a * c D" : branch(flow); });
  CHECK(verdicts[2].path != 0);
  CHECK(net.told()->paths_in_use == 3);
}

}  // namespace ecmp
