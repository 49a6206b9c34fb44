// Flows of a destination that is asked in turn: what is known of their end before their turn has come.
#include "catch.hpp"
#include "path/model/destination_model.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

/// Three flows over one path, or as told.
struct Turns {
  /// The round does not ask the destination, which other flows reach at TTL `end`.
  PathVerdict left_out(std::uint32_t flow, std::string_view hops, std::uint8_t end) {
    Round round = round_builder::round(hops, now += 10);
    round.presumed = end;
    return model.on_round(flow, round, {});
  }
  PathVerdict asked(std::uint32_t flow, std::string_view hops) {
    return model.on_round(flow, round_builder::round(hops, now += 10), {});
  }
  std::shared_ptr<const DestinationSnapshot> told() { return model.snapshot(round_builder::at(now)); }

  ModelOptions options = {};
  DestinationModel model{round_builder::facts(3), options};
  double now = 1000;
};

}  // namespace

TEST_CASE("a flow whose destination was not asked yet is on the path of those that go its way", "[path][end]") {
  Turns net;
  const PathVerdict first = net.asked(0, "a b D");
  CHECK(net.left_out(1, "a b .", 3).path == first.path);
  CHECK(net.left_out(2, "a c .", 3).path != first.path);
  auto told = net.told();
  CHECK(told->paths_in_use == 2);
  REQUIRE(told->paths.size() == 2);
  CHECK(told->paths[1].length == 3);
  const std::uint32_t id = told->paths[1].id;
  // Its turn: it is the path that it was thought to be, and nothing has changed.
  const PathVerdict turn = net.asked(2, "a c D");
  CHECK(turn.path == id);
  CHECK(turn.changed == ChangeKind::none);
  told = net.told();
  CHECK(told->paths_in_use == 2);
  CHECK(told->paths[1].probes == 1);
}

TEST_CASE("a path that nobody has reached the destination over is gone when it turns out to be longer", "[path][end]") {
  Turns net;
  net.asked(0, "a b D");
  net.left_out(1, "a c .", 3);
  const PathVerdict longer = net.asked(1, "a c e D");
  CHECK(longer.changed == ChangeKind::none);
  const auto told = net.told();
  REQUIRE(told->paths.size() == 2);
  CHECK(told->paths[1].length == 4);
  CHECK(told->paths[1].ordinal == 2);
  CHECK(told->paths[1].probes == 1);
}

TEST_CASE("what was counted on a path that turned out to be another is counted once, also when it comes back",
          "[path][end]") {
  Turns net{.options = {.wait_for_hops = false}};
  const PathVerdict whole = net.asked(0, "a b D");
  const PathVerdict rough = net.asked(1, "a b *");
  CHECK(net.asked(1, "a b D").path == whole.path);
  CHECK(net.asked(2, "a b *").path == rough.path);  // as flow 1 at first
  std::uint64_t probes = 0;
  std::uint64_t probes_at_b = 0;
  const auto told = net.told();
  for (const PathSnapshot& path : told->paths) {
    probes += path.probes;
    probes_at_b += path.hops.at(1).counters.probes;
  }
  CHECK(probes == 4);
  CHECK(probes_at_b == 4);
}

TEST_CASE("a flow that has lost the destination is not taken to reach it", "[path][end]") {
  Turns net;
  const PathVerdict first = net.asked(0, "a b D");
  const PathVerdict lost = net.asked(1, "a b *");
  CHECK(lost.path == 0);
  CHECK(lost.unconfirmed);
  CHECK(net.left_out(1, "a b .", 3).path == 0);
  CHECK(net.told()->paths.size() == 1);
  // The loss is that of the path which it turns out to be on.
  CHECK(net.asked(1, "a b D").path == first.path);
  const auto told = net.told();
  REQUIRE(told->paths.size() == 1);
  CHECK(told->paths[0].probes == 3);
  CHECK(told->paths[0].replies == 2);
}

TEST_CASE("flows that reach the destination at several distances presume none", "[path][end]") {
  Turns net;
  const PathVerdict first = net.asked(0, "a b D");
  const PathVerdict other = net.left_out(1, "a b .", 0);
  CHECK(other.path == 0);
  CHECK(net.told()->paths.size() == 1);
  CHECK(net.asked(1, "a b D").path == first.path);
  CHECK(net.told()->paths.size() == 1);
}

}  // namespace ecmp
