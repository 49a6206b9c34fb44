// Rounds of which it is not known yet whether the flow has moved.
#include <algorithm>

#include "catch.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

using round_builder::Measured;

struct Counted {
  std::uint64_t probes = 0;
  std::uint64_t losses = 0;  ///< end to end
  std::uint64_t hop_probes = 0;
  std::uint64_t hop_losses = 0;
};

/// Of the path whose second hop is this one.
Counted over(Measured& net, std::string_view second) {
  Counted sum;
  const auto told = net.told();
  for (const PathSnapshot& path : told->paths) {
    const bool is = std::ranges::any_of(path.hops, [&](const HopSnapshot& hop) {
      return hop.ttl == 2 && hop.responder == round_builder::address(second);
    });
    if (!is) continue;
    sum.probes += path.probes;
    sum.losses += path.probes - path.replies;
    for (const HopSnapshot& hop : path.hops) {
      sum.hop_probes += hop.counters.probes;
      sum.hop_losses += hop.counters.losses;
    }
  }
  return sum;
}

constexpr std::string_view kOld = "a b c D";
constexpr std::string_view kNew = "a x y D";
/// The new path answers at its first hops and loses the rest.
constexpr std::string_view kNewLost = "a x * *";
constexpr std::string_view kAllLost = "* * * *";

void settle(Measured& net) {
  for (int i = 0; i < 5; ++i)
    net.one(kOld);
}

}  // namespace

TEST_CASE("what a flow loses while it moves counts for the path it moves to", "[model]") {
  Measured net(1);
  settle(net);
  CHECK(net.one(kNewLost, 4).unconfirmed);
  CHECK(net.one(kAllLost, 4).unconfirmed);
  CHECK(net.one(kAllLost, 4).unconfirmed);
  CHECK(over(net, "b").probes == 5);
  const PathVerdict confirmed = net.one(kNew);
  CHECK_FALSE(confirmed.unconfirmed);
  CHECK(confirmed.changed == ChangeKind::reroute);
  CHECK(over(net, "b").probes == 5);
  CHECK(over(net, "b").losses == 0);
  CHECK(over(net, "b").hop_losses == 0);
  CHECK(over(net, "x").probes == 4);
  CHECK(over(net, "x").losses == 3);
  CHECK(net.told()->flows[0].probes == 9);
}

TEST_CASE("what a flow loses while somebody else seems to answer counts for its path if that was nothing", "[model]") {
  Measured net(1);
  settle(net);
  CHECK(net.one(kNewLost, 4).unconfirmed);
  CHECK(net.one(kAllLost, 4).unconfirmed);
  CHECK_FALSE(net.one(kOld).unconfirmed);
  CHECK(over(net, "b").probes == 8);
  CHECK(over(net, "b").losses == 2);
  CHECK(over(net, "x").probes == 0);
}

TEST_CASE("a change that is never confirmed leaves its rounds to the path that was", "[model]") {
  Measured net(1);
  settle(net);
  net.one(kNewLost, 4);
  int held = 1;
  // The memory of a candidate: 8 rounds and two for each of the two that confirm a change.
  for (int i = 0; i < 20; ++i)
    held += net.one(kAllLost, 4).unconfirmed ? 1 : 0;
  CHECK(held <= 13);
  CHECK(over(net, "b").probes == 5 + 21);
  CHECK(over(net, "b").losses == 21);
  CHECK(net.told()->flows[0].probes == 26);
}

TEST_CASE("rounds that wait are neither lost nor counted twice when the flow is given another address or rests",
          "[model]") {
  Measured net(1);
  settle(net);
  net.one(kNewLost, 4);
  net.one(kAllLost, 4);
  SECTION("another address") {
    DestinationFacts moved = *round_builder::facts(1);
    moved.address = round_builder::address("z");
    net.model.set_facts(std::make_shared<const DestinationFacts>(moved));
    CHECK(over(net, "b").probes == 7);
    CHECK(over(net, "b").losses == 2);
    net.one(kNew);
    CHECK(over(net, "b").probes == 7);
    CHECK(over(net, "x").probes == 1);
  }
  SECTION("other labels only") {
    DestinationFacts same = *round_builder::facts(1);
    same.labels = {{"site", "fra"}};
    net.model.set_facts(std::make_shared<const DestinationFacts>(same));
    CHECK(over(net, "b").probes == 5);
    net.one(kNew);
    CHECK(over(net, "b").probes == 5);
    CHECK(over(net, "x").probes == 3);
  }
  SECTION("it rests") {
    DestinationFacts resting = *round_builder::facts(1);
    resting.steady = std::make_shared<const std::vector<std::uint16_t>>();
    net.model.set_facts(std::make_shared<const DestinationFacts>(resting));
    CHECK(over(net, "b").probes == 7);
    CHECK(over(net, "b").losses == 2);
  }
}

TEST_CASE("rounds that wait are bounded", "[model]") {
  ModelOptions options;
  options.confirm_rounds = 1000;
  Measured net(1, options);
  settle(net);
  for (int i = 0; i < 500; ++i)
    CHECK(net.one(kNewLost, 4).unconfirmed);
  CHECK(over(net, "b").probes >= 5 + 500 - 64);
}

}  // namespace ecmp
