#include <string>

#include "catch.hpp"
#include "path/model/destination_model.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

using round_builder::address;
using round_builder::at;
using round_builder::Measured;

std::string branch(std::uint32_t number) {
  return "a b" + std::to_string(number) + " c D";
}

}  // namespace

TEST_CASE("flows of the same responders share a path", "[path]") {
  Measured net(8);
  const auto verdicts = net.sweep([](std::uint32_t flow) { return branch(flow % 4); });
  const auto told = net.told();
  REQUIRE(told->paths.size() == 4);
  for (std::uint32_t i = 0; i < 4; ++i) {
    CHECK(told->paths[i].ordinal == i + 1);
    CHECK(told->paths[i].flows == 2);
    CHECK(verdicts[i].path == verdicts[i + 4].path);
    CHECK(told->flows.at(i).ordinal == i + 1);
  }
  CHECK(told->paths_in_use == 4);
}

TEST_CASE("in a short trace an unknown slot that fits one path only is taken for that path", "[path]") {
  Measured net(2, {.wait_for_hops = false});
  const auto verdicts = net.sweep([](std::uint32_t flow) { return flow == 0 ? "a b c D" : "a * c D"; });
  CHECK(verdicts[0].path == verdicts[1].path);
  CHECK(net.told()->paths.size() == 1);
}

TEST_CASE("a flow that proves not to be on the path it was taken for moves without a change", "[path]") {
  Measured net(2);
  net.sweep([](std::uint32_t flow) { return flow == 0 ? "a b c D" : "a * c D"; });
  const auto verdicts = net.sweep([](std::uint32_t flow) { return flow == 0 ? "a b c D" : "a x c D"; });
  CHECK(verdicts[1].changed == ChangeKind::none);
  CHECK(verdicts[0].path != verdicts[1].path);
  CHECK(net.told()->paths.size() == 2);
}

TEST_CASE(
    "in a short trace an unknown slot that fits several paths makes one of its own, which merges when it is filled",
    "[path]") {
  Measured net(4, {.wait_for_hops = false});
  const auto first = net.sweep([](std::uint32_t flow) { return flow < 2 ? branch(flow) : "a * c D"; });
  CHECK(first[2].path != first[0].path);
  CHECK(first[2].path != first[1].path);
  CHECK(first[2].path == first[3].path);
  const auto second = net.sweep([](std::uint32_t flow) { return branch(flow % 2); });
  CHECK(second[2].path == first[0].path);
  CHECK(second[3].path == first[1].path);
  for (const PathVerdict& verdict : second)
    CHECK(verdict.changed == ChangeKind::none);
  CHECK(net.told()->paths.size() == 2);
}

TEST_CASE("what the only flow of a sketched path counted is not lost when it merges", "[path]") {
  Measured net(3);
  net.sweep([](std::uint32_t flow) { return flow < 2 ? branch(flow) : "a * c D"; });
  net.sweep([](std::uint32_t flow) { return branch(flow % 2); });
  const auto told = net.told();
  REQUIRE(told->paths.size() == 2);
  CHECK(told->paths[0].probes == 4);
  CHECK(told->paths[0].hops.at(0).counters.replies == 4);
  CHECK(told->paths[0].hops.at(1).counters.probes == 4);
  CHECK(told->paths[0].hops.at(1).counters.silences == 1);
  CHECK(told->paths[1].probes == 2);
}

TEST_CASE("a path keeps its id and ordinal over its retention and beyond it", "[path]") {
  ModelOptions options;
  options.path_retention = std::chrono::seconds(60);
  Measured net(1, options);
  const PathVerdict before = net.one("a b D");
  net.one("a x D");
  const PathVerdict away = net.one("a x D");
  CHECK(away.previous == before.path);
  CHECK(away.ordinal == 2);
  auto told = net.told();
  REQUIRE(told->paths.size() == 2);
  CHECK(told->paths[0].flows == 0);
  CHECK(told->paths[0].probes == 1);

  SECTION("back in time: the same object, counters go on") {
    net.one("a b D");
    const PathVerdict back = net.one("a b D");
    CHECK(back.path == before.path);
    CHECK(back.ordinal == 1);
    CHECK(net.told()->paths.at(0).probes == 3);
  }
  SECTION("back after it was told no more: the same name, counters go on") {
    for (int i = 0; i < 7; ++i)
      net.one("a x D");
    told = net.told();
    REQUIRE(told->paths.size() == 1);
    CHECK(told->paths[0].ordinal == 2);
    net.one("a b D");
    const PathVerdict back = net.one("a b D");
    CHECK(back.path == before.path);
    CHECK(back.ordinal == 1);
    told = net.told();
    CHECK(told->paths.at(0).id == before.path);
    CHECK(told->paths.at(0).probes == 3);
  }
}

TEST_CASE("a path that was refined gets its old name back too", "[path]") {
  ModelOptions options;
  options.path_retention = std::chrono::seconds(30);
  Measured net(1, options);
  const PathVerdict sketched = net.one("a * D");
  net.one("a b D");
  for (int i = 0; i < 8; ++i)
    net.one("a x D");
  REQUIRE(net.told()->paths.size() == 1);
  net.one("a b D");
  const PathVerdict back = net.one("a b D");
  CHECK(back.path == sketched.path);
  CHECK(back.ordinal == 1);
}

TEST_CASE("beyond max_paths a path is not told, until retention makes room", "[path]") {
  ModelOptions options;
  options.max_paths = 2;
  options.path_retention = std::chrono::seconds(30);
  Measured net(3, options);
  const auto verdicts = net.sweep([](std::uint32_t flow) { return branch(flow); });
  CHECK(verdicts[2].path == 0);
  CHECK(verdicts[2].ordinal == 0);
  REQUIRE(verdicts[2].responders);
  CHECK(verdicts[2].responders->at(1) == address("b2"));
  auto told = net.told();
  CHECK(told->paths.size() == 2);
  CHECK(told->paths_refused == 1);
  CHECK(told->flows.at(2).probes == 1);
  CHECK(told->flows.at(2).path == 0);
  for (int i = 0; i < 10; ++i) {
    net.sweep([](std::uint32_t flow) { return branch(flow == 1 ? 0 : flow); });
    told = net.told();
    CHECK(told->paths.size() <= 2);
  }
  CHECK(told->paths.size() == 2);
  CHECK(told->flows.at(2).path != 0);
  CHECK(told->flows.at(2).ordinal == 3);
  CHECK(told->paths_refused == 1);
}

TEST_CASE("the ids of paths are fixed", "[path]") {
  Measured net(4, {.wait_for_hops = false});
  const auto verdicts = net.sweep([](std::uint32_t flow) {
    const char* const seen[] = {"a b D", "a * * D", "a", "a D"};
    return seen[flow];
  });
  CHECK(verdicts[0].path == 0x801f4261u);
  CHECK(verdicts[1].path == 0x9a66f1b1u);
  CHECK(verdicts[2].path == 0xc1f92a9fu);
  CHECK(verdicts[3].path == 0xb4c1e5f6u);
}

}  // namespace ecmp
