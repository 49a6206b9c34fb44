// The statistics that verdicts rest on, against figures worked out elsewhere.
#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "catch.hpp"
#include "path/localisation/balance_watch.hpp"
#include "path/localisation/link_delay.hpp"
#include "path/localisation/link_estimators.hpp"
#include "path/localisation/loss_explanation.hpp"
#include "path/statistics/intervals.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

IpAddress address(std::uint32_t number) {
  return IpAddress::v4(0x0a000000 + number);
}

/// A router with `first` next hops, all of which lead to another one with `second`: flows[i][j] of each pair.
DestinationSnapshot two_stages(const std::vector<std::vector<std::uint32_t>>& flows) {
  DestinationSnapshot snapshot;
  auto facts = std::make_shared<DestinationFacts>();
  facts->name = "dst";
  snapshot.facts = facts;
  std::uint32_t id = 0;
  for (std::uint32_t i = 0; i < flows.size(); ++i) {
    for (std::uint32_t j = 0; j < flows[i].size(); ++j) {
      PathSnapshot path;
      path.id = ++id;
      path.length = 5;
      path.complete = true;
      path.flows = flows[i][j];
      std::uint8_t ttl = 0;
      for (const std::uint32_t stop : {1u, 100 + i, 2u, 200 + j, 3u}) {
        HopSnapshot hop;
        hop.ttl = ++ttl;
        hop.responder = address(stop);
        path.hops.push_back(hop);
      }
      snapshot.paths.push_back(path);
    }
  }
  return snapshot;
}

}  // namespace

TEST_CASE("Wilson's interval is that of the books", "[localisation]") {
  // 10 of 100: 0.0552 to 0.1744.
  CHECK(wilson(10, 100).low == Approx(0.05523).margin(1e-4));
  CHECK(wilson(10, 100).high == Approx(0.17437).margin(1e-4));
  CHECK(wilson(0, 10).low == 0);
  CHECK(wilson(0, 10).high == Approx(0.27754).margin(1e-4));
  CHECK(wilson(0, 0).low == 0);
  CHECK(wilson(0, 0).high == 1);
  // 8 of 10 at 95 %, as Brown, Cai and DasGupta (2001) work it out: 0.490 to 0.943.
  CHECK(wilson(8, 10).low == Approx(0.4901).margin(0.0005));
  CHECK(wilson(8, 10).high == Approx(0.9433).margin(0.0005));
  CHECK(wilson(50, 50, 2).high == Approx(1));
  CHECK(wilson(0, 50, 2).low == Approx(0).margin(1e-12));
  const Ranks ranks = median_ranks(100);
  CHECK(ranks.low == 40);
  CHECK(ranks.high == 60);
  CHECK(median_ranks(1).high == 0);
}

TEST_CASE("tails of chi-square are those of the tables", "[localisation]") {
  CHECK(chi_square_tail(3.841459, 1) == Approx(0.05).epsilon(1e-4));
  CHECK(chi_square_tail(16.918978, 9) == Approx(0.05).epsilon(1e-4));
  CHECK(chi_square_tail(2.0, 2) == Approx(0.36787944).epsilon(1e-6));
  CHECK(chi_square_tail(29.588298, 10) == Approx(0.001).epsilon(1e-3));
  CHECK(chi_square_tail(0, 3) == 1);
  CHECK(chi_square_tail(1e6, 3) < 1e-100);
}

TEST_CASE("links that the same rows cross are one group", "[localisation]") {
  Crossings crossings;
  crossings.add({.probes = 10, .losses = 0}, std::array<std::uint32_t, 3>{0, 1, 3});
  crossings.add({.probes = 10, .losses = 0}, std::array<std::uint32_t, 3>{0, 2, 3});
  crossings.index();
  const LinkGroups groups = group_links(crossings);
  REQUIRE(groups.members.size() == 3);
  CHECK(groups.group_of[0] == groups.group_of[3]);
  CHECK(groups.group_of[1] != groups.group_of[2]);
  CHECK(collapse(crossings, groups).links_of(0).size() == 2);
}

TEST_CASE("one lossy link is explained by its own ratio", "[localisation]") {
  // Links 0 shared, 1 and 2 of one row each; 5 % on link 1.
  Crossings crossings;
  crossings.add({.probes = 1000, .losses = 50}, std::array<std::uint32_t, 2>{0, 1});
  crossings.add({.probes = 1000, .losses = 0}, std::array<std::uint32_t, 2>{0, 2});
  crossings.index();
  const Explanation explanation = explain_losses(crossings);
  REQUIRE(!explanation.links.empty());
  const ExplainedLink& worst = explanation.links.front();
  CHECK(worst.link == 1);
  CHECK(worst.blamed);
  CHECK(worst.loss == Approx(0.05).margin(0.001));
  // Profile likelihood of 50 of 1000; Wilson's is 0.0381 to 0.0653.
  CHECK(worst.interval.low == Approx(0.0377).margin(0.002));
  CHECK(worst.interval.high == Approx(0.0647).margin(0.002));
  CHECK(worst.lossy_flows == 1);
  for (std::size_t i = 1; i < explanation.links.size(); ++i)
    CHECK_FALSE(explanation.links[i].blamed);
  CHECK(blame_by_descent(crossings).front().link == 1);
  // Both of its links have the row's whole vote; the first stands first.
  CHECK(blame_by_votes(crossings).front().link == 0);
}

TEST_CASE("of two lossy links the one behind both is not blamed, though few flows speak for it", "[localisation]") {
  // As met: 16 flows over link 0; 6 and 7 of them over links 1 and 2, which lost a while after each other, and 3 clean.
  const auto rows = [](std::uint64_t clean_probes) {
    Crossings crossings;
    for (const std::uint64_t losses : {5u, 5u, 5u, 4u, 4u, 5u, 5u})
      crossings.add({.probes = 25, .losses = losses, .flows = 1}, std::array<std::uint32_t, 2>{0, 1});
    for (const std::uint64_t losses : {2u, 3u, 2u, 2u, 2u, 4u})
      crossings.add({.probes = 20, .losses = losses, .flows = 1}, std::array<std::uint32_t, 2>{0, 2});
    crossings.add({.probes = clean_probes, .losses = 0, .flows = 3}, std::array<std::uint32_t, 2>{0, 3});
    crossings.index();
    return crossings;
  };
  const auto blamed = [](const Crossings& crossings) {
    std::set<std::uint32_t> links;
    for (const ExplainedLink& link : explain_losses(crossings).links)
      if (link.blamed) links.insert(link.link);
    return links;
  };
  CHECK(blamed(rows(5)) == std::set<std::uint32_t>{0});       // could well be
  CHECK(blamed(rows(20)).empty());                            // either
  CHECK(blamed(rows(120)) == std::set<std::uint32_t>{1, 2});  // it cannot
}

TEST_CASE("of two links that explain a loss nearly alike none is blamed", "[localisation]") {
  // What is lost is lost where 0 and 1 are crossed both. Others cross one of them only, and lose nothing.
  const auto explain = [](std::uint64_t over_first, std::uint64_t over_second) {
    Crossings crossings;
    crossings.add({.probes = 400, .losses = 40}, std::array<std::uint32_t, 2>{0, 1});
    crossings.add({.probes = over_first, .losses = 0}, std::array<std::uint32_t, 2>{0, 2});
    crossings.add({.probes = over_second, .losses = 0}, std::array<std::uint32_t, 2>{1, 3});
    crossings.index();
    return explain_losses(crossings);
  };
  for (const auto& [first, second] : {std::pair(20, 20), std::pair(20, 30), std::pair(10, 30)}) {
    CAPTURE(first, second);
    const Explanation alike = explain(static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(second));
    CHECK(std::ranges::none_of(alike.links, &ExplainedLink::blamed));
    CHECK(std::ranges::count_if(alike.links, &ExplainedLink::contested) == 1);
    CHECK(std::ranges::none_of(alike.links, &ExplainedLink::uneven));
    const auto contested = std::ranges::find_if(alike.links, &ExplainedLink::contested);
    CHECK(contested->suspicion < 1);
  }
  const Explanation clear = explain(10, 200);
  CHECK(std::ranges::count_if(clear.links, &ExplainedLink::blamed) == 1);
  CHECK(clear.links.front().blamed);
  CHECK(clear.links.front().link == 0);
  CHECK_FALSE(clear.links.front().contested);
}

TEST_CASE("a probe or two lost anywhere blame nothing", "[localisation]") {
  Crossings crossings;
  crossings.add({.probes = 60, .losses = 1}, std::array<std::uint32_t, 2>{0, 1});
  crossings.add({.probes = 60, .losses = 1}, std::array<std::uint32_t, 2>{0, 2});
  crossings.add({.probes = 6000, .losses = 0, .flows = 100}, std::array<std::uint32_t, 2>{0, 3});
  crossings.index();
  for (const ExplainedLink& link : explain_losses(crossings).links)
    CHECK_FALSE(link.blamed);
  CHECK(explain_losses(Crossings()).links.empty());
}

TEST_CASE("flows are judged uneven only when there are enough of them", "[localisation]") {
  const Balance even = balance_of(two_stages({{4, 4}, {4, 4}}));
  REQUIRE(even.branchings.size() == 2);
  CHECK(even.branchings[0].chi_square == 0);
  CHECK(even.branchings[0].decided);
  CHECK_FALSE(even.branchings[0].uneven);
  // 30 against 2: chi-square 24.5.
  const Balance skewed = balance_of(two_stages({{15, 15}, {1, 1}}));
  CHECK(skewed.branchings[0].chi_square == Approx(24.5));
  CHECK(skewed.branchings[0].uneven);
  CHECK_FALSE(skewed.branchings[1].uneven);
  const Balance few = balance_of(two_stages({{4, 3}, {0, 1}}));
  CHECK_FALSE(few.branchings[0].decided);
  CHECK_FALSE(few.branchings[0].uneven);
}

TEST_CASE("four of sixteen pairs in use are polarised, sixteen are not", "[localisation]") {
  const std::vector<std::vector<std::uint32_t>> diagonal{{8, 0, 0, 0}, {0, 8, 0, 0}, {0, 0, 8, 0}, {0, 0, 0, 8}};
  const Balance polarised = balance_of(two_stages(diagonal));
  REQUIRE(polarised.polarisations.size() == 1);
  const Polarisation& pair = polarised.polarisations.front();
  CHECK(pair.polarised);
  CHECK(pair.pairs == 4);
  CHECK(pair.possible == 16);
  CHECK(pair.expected == Approx(13.97).margin(0.01));
  const Balance independent = balance_of(two_stages({{2, 2, 2, 2}, {2, 2, 2, 2}, {2, 2, 2, 2}, {2, 2, 2, 2}}));
  REQUIRE(independent.polarisations.size() == 1);
  CHECK_FALSE(independent.polarisations.front().polarised);
  // Too few flows for a verdict.
  CHECK(balance_of(two_stages({{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}})).polarisations.empty());

  BalanceWatch watch;
  for (int look = 0; look < 5; ++look)
    watch.on_snapshot(two_stages(diagonal), WallTime(1s * look));
  auto events = watch.take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0]->kind == EventKind::polarised);
  CHECK_FALSE(events[0]->ended);
  for (int look = 5; look < 10; ++look)
    watch.on_snapshot(two_stages({{2, 2, 2, 2}, {2, 2, 2, 2}, {2, 2, 2, 2}, {2, 2, 2, 2}}), WallTime(1s * look));
  events = watch.take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0]->ended);
}

TEST_CASE("a step of a link's delay is told, a router that answers slower is not", "[localisation]") {
  // agent - 1 - 2 - 3, 1 ms each; jitter of some microseconds. What comes on top of link 1-2, or of router 2's answers.
  const auto run = [](Duration on_link, Duration of_router_2) {
    LinkDelays delays({.period = 60s});
    std::vector<DelayVerdict> standing;
    const std::array<IpAddress, 4> at{address(9), address(1), address(2), address(3)};
    delays.pass(Instant(0s));
    for (int second = 0; second < 360; ++second) {
      const bool changed = second >= 180;
      const Duration jitter = std::chrono::microseconds(second * 7 % 50);
      const Duration more = changed ? on_link : Duration{};
      const std::array<Duration, 4> rtt{Duration{}, 1ms + jitter, 2ms + more + (changed ? of_router_2 : Duration{}),
                                        3ms + more + jitter};
      for (std::size_t i = 0; i < 3; ++i)
        delays.add({at[i], at[i + 1]}, rtt[i], rtt[i + 1], rtt[3]);
      standing = delays.pass(Instant(1s * (second + 1)));
    }
    return standing;
  };
  const auto stepped = run(5ms, 0ms);
  REQUIRE(stepped.size() == 1);
  CHECK(stepped[0].link == LinkEnds{address(1), address(2)});
  CHECK(stepped[0].now - stepped[0].before > 4900us);
  CHECK(stepped[0].now - stepped[0].before < 5100us);
  CHECK(run(0ms, 5ms).empty());     // slower: the link before it seems to step up
  CHECK(run(0ms, -900us).empty());  // quicker: the link behind it does
  CHECK(run(0ms, 0ms).empty());
}
