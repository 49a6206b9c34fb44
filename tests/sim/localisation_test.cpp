// Links that lose, found from what all flows of all destinations lost.
#include <algorithm>
#include <cmath>
#include <set>

#include "path/localisation/link_estimators.hpp"
#include "sim/localisation_run.hpp"
#include "sim/localisation_sampler.hpp"
#include "sim/random.hpp"
#include "sim/scenario.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

constexpr int kLeaves = 4;
constexpr int kDestinations = 8;

/// 1 + 4 + 24 + 24 + 8 links. Some routers limit their ICMP, as the kernel does, some keep quiet now and then.
std::string three_tiers(const std::string& more) {
  std::string text = R"toml(wires = ["agent - r1 - (a1..a4) - (c1..c6) - (l1..l4)")toml";
  for (int i = 1; i <= kDestinations; ++i)
    text += ", \"l" + std::to_string(1 + i % kLeaves) + " - d" + std::to_string(i) + "\"";
  text += "]\n[link.\"*\"]\ndelay = \"1ms\"\njitter = \"uniform 20us\"\n";
  text += "[router.a2]\nicmp_limit = { rate = 1, burst = 6 }\n[router.c3]\nicmp_limit = { rate = 0.5, burst = 3 }\n";
  text += "[router.l2]\nreply_loss = 0.4\n[router.c5]\nreply_loss = 0.05\n";
  for (int i = 1; i <= kDestinations; ++i)
    text += "[destination.d" + std::to_string(i) + "]\n";
  return text + more;
}

std::vector<std::string> links() {
  std::vector<std::string> all{"agent-r1"};
  const auto name = [](char kind, int number) { return kind + std::to_string(number); };
  for (int a = 1; a <= 4; ++a) {
    all.push_back("r1-" + name('a', a));
    for (int c = 1; c <= 6; ++c)
      all.push_back(name('a', a) + "-" + name('c', c));
  }
  for (int c = 1; c <= 6; ++c)
    for (int l = 1; l <= kLeaves; ++l)
      all.push_back(name('c', c) + "-" + name('l', l));
  for (int i = 1; i <= kDestinations; ++i)
    all.push_back(name('l', 1 + i % kLeaves) + "-" + name('d', i));
  return all;
}

/// Whether what is blamed is the link, or a stretch of two with it. Flows that never hear from the router between,
/// which limits its ICMP, cross the stretch.
bool covers(LocalisationRun& run, const LinkEnds& blamed, const std::string& bad) {
  const LinkEnds ends = run.link(bad);
  const auto is_link = [&](const IpAddress& from, const IpAddress& to) {
    return std::ranges::any_of(links(), [&](const std::string& name) { return run.link(name) == LinkEnds{from, to}; });
  };
  return blamed == ends || (blamed.from == ends.from && is_link(ends.to, blamed.to)) ||
         (blamed.to == ends.to && is_link(blamed.from, ends.from));
}

/// As in production: routers are asked as often as they answer, and the destination's answers to TCP are not limited.
constexpr TraceOptions kTrace{
    .protocol = Protocol::tcp, .flows = 32, .interval = 10s, .timeout = 1s, .max_ttl = 12, .adapt_to_responders = true};

}  // namespace

TEST_CASE("loss right before a destination behind a fan is not blamed on what all of its flows share",
          "[localisation][whose_loss]") {
  for (const double loss : {0.1, 0.2, 0.5}) {
    for (const Duration clean : {0s, 75s}) {
      for (std::uint64_t number = 1; number <= seeds(5); ++number) {
        auto scenario = parse_scenario(
            "wires = [\"agent - h1 - h2 - (b1..b4) = (c1..c4) - dst\"]\n[link.\"*\"]\ndelay = \"1ms\"\n"
            "[destination.dst]\n",
            "last links");
        REQUIRE(scenario);
        scenario->changes.push_back({.at = clean, .what = "loss", .apply = [loss](Topology& topology) {
                                       for (const char* name : {"c1", "c2", "c3", "c4"})
                                         topology.link(name, "dst").loss = Probability::of(loss);
                                     }});
        LocalisationRun run(*scenario, number, {.protocol = Protocol::tcp, .flows = 16, .interval = 10s, .timeout = 1s},
                            {});
        std::uint64_t wrong = 0;
        std::uint64_t right = 0;
        std::string blamed;
        const IpAddress& end = run.engine_run().network().address("dst");
        for (int pass = 0; pass < 60; ++pass) {
          run.run(5s);
          for (const LinkVerdict& verdict : run.report().links) {
            if (!verdict.blamed) continue;
            const bool last = verdict.links.back().to == end;
            ++(last ? right : wrong);
            if (!last)
              blamed += verdict.links.front().from.to_string() + ">" + verdict.links.back().to.to_string() + " ";
          }
        }
        CAPTURE(loss, clean / 1s, number, blamed);
        CHECK(wrong == 0);
        CHECK(right > 0);
      }
    }
  }
}

TEST_CASE("links of 5 % loss are found packet by packet, and no router that limits its ICMP is blamed",
          "[localisation]") {
  int blamed = 0;
  int right = 0;
  int forward = 0;
  int consistent = 0;
  int bad = 0;
  int found = 0;
  for (std::uint64_t number = 0; number < 10; ++number) {
    const Seed seed(9100 + number);
    Random random(seed);
    const auto all = links();
    std::set<std::string> lossy;
    while (lossy.size() < 1 + number % 2)
      lossy.insert(all[random.below(all.size())]);
    std::string text;
    for (const std::string& link : lossy)
      text += "[link.\"" + link + "\"]\nforward = { loss = \"5%\" }\n";
    const auto scenario = parse_scenario(three_tiers(text), "tiers");
    REQUIRE(scenario);
    LocalisationRun run(*scenario, seed, kTrace, {.window = 10min});
    run.run(300s);
    std::set<std::string> left = lossy;
    for (const LinkVerdict& verdict : run.report().links) {
      if (!verdict.blamed) continue;
      ++blamed;
      bool hit = false;
      for (const std::string& link : lossy) {
        if (std::ranges::none_of(verdict.links, [&](const LinkEnds& one) { return covers(run, one, link); })) continue;
        hit = true;
        left.erase(link);
        CHECK(verdict.interval.low <= verdict.loss);
        CHECK(verdict.loss <= verdict.interval.high);
        CAPTURE(verdict.probes, verdict.losses, verdict.loss, verdict.interval.low, verdict.interval.high);
        // A stretch over a router that was not heard yet may have been crossed by a handful of probes.
        CHECK((verdict.probes < 200 ? verdict.interval.low < 0.05 && 0.05 < verdict.interval.high
                                    : std::abs(verdict.loss - 0.05) < 0.04));
        CHECK(verdict.lossy_flows > 0);
        CHECK(!verdict.reproduced_by.empty());
        // Behind the last link there is no hop; before it a few probes may say too little.
        const bool last = link.find("-d") != std::string::npos;
        CHECK_FALSE((last && verdict.forward_consistent));
        forward += last ? 0 : 1;
        consistent += verdict.forward_consistent ? 1 : 0;
      }
      right += hit ? 1 : 0;
      CAPTURE(verdict.links.front().from.to_string(), verdict.links.front().to.to_string());
      CHECK(hit);
    }
    bad += static_cast<int>(lossy.size());
    found += static_cast<int>(lossy.size() - left.size());
  }
  CAPTURE(bad, found, blamed, right);
  CHECK(right == blamed);
  CHECK(consistent * 10 >= forward * 8);
  CHECK(found * 10 >= bad * 9);
}

TEST_CASE("routers that limit their ICMP are blamed for nothing when nothing is lost", "[localisation]") {
  const Seed seed(9200);
  const auto scenario = parse_scenario(three_tiers(""), "tiers");
  REQUIRE(scenario);
  LocalisationRun run(*scenario, seed, kTrace, {.window = 5min});
  run.run(300s);
  CHECK(run.report().links.empty());
  CHECK(run.report().losses == 0);
  CHECK(run.report().links_known >= 60);
  CHECK(run.events().empty());
}

TEST_CASE("a verdict of loss begins once and ends once, with what speaks for it", "[localisation]") {
  const Seed seed(9300);
  // Nothing to tell r1-r2 and r2-r3 apart but r2, which answers.
  const auto scenario = parse_scenario(R"(
    wires = ["agent - (a1 a2) - r1 - r2 - r3 - dst"]
    [link."*"]
    delay = "1ms"
    [destination.dst]
    [[change]]
    at = "60s"
    for = "180s"
    link = "r2-r3"
    forward = { loss = "20%" }
  )",
                                       "once");
  if (!scenario) FAIL(scenario.error());
  LocalisationRun run(*scenario, seed, {.flows = 16, .interval = 5s, .timeout = 1s, .max_ttl = 12}, {.window = 2min});
  run.run(600s);
  REQUIRE(run.events().size() == 2);
  const PathEvent& begun = *run.events()[0];
  const PathEvent& ended = *run.events()[1];
  CHECK(begun.kind == EventKind::loss_verdict);
  CHECK_FALSE(begun.ended);
  CHECK(ended.ended);
  CHECK(ended.settled == begun.settled);
  CHECK(begun.time < ended.time);
  REQUIRE(begun.get<LinkVerdict>() != nullptr);
  CHECK(begun.get<LinkVerdict>()->links == std::vector<LinkEnds>{run.link("r2-r3"), run.link("r3-dst")});
  CHECK(begun.get<LinkVerdict>()->forward_consistent);
  CHECK(begun.get<LinkVerdict>()->reproduced_by.front().destination->name == "dst");
  CHECK(begun.get<LinkVerdict>()->not_reproduced_by.empty());  // all flows cross it
}

TEST_CASE("loss on the way back blames no link of the way there", "[localisation]") {
  Score score;
  for (std::uint64_t number = 0; number < 20; ++number) {
    const Seed seed(number);
    const Sample sample = sample_network(seed, {.loss = 0.2, .on_the_way_back = true});
    const LinkGroups groups = group_links(sample.crossings);
    score.add(judge(blame_by_explanation(collapse(sample.crossings, groups)), groups, sample.bad));
  }
  CHECK(score.blamed == 0);
}

TEST_CASE("at 2 % and 10 minutes precision and recall are above 0.95", "[localisation]") {
  Score score;
  for (std::uint64_t number = 1; number <= 60; ++number) {
    const Seed seed(number);
    const Sample sample = sample_network(seed, {.bad_links = 1 + static_cast<std::uint32_t>(number % 2), .loss = 0.02});
    const LinkGroups groups = group_links(sample.crossings);
    score.add(judge(blame_by_explanation(collapse(sample.crossings, groups)), groups, sample.bad));
  }
  CAPTURE(score.bad, score.found, score.blamed, score.right);
  CHECK(score.precision() > 0.95);
  CHECK(score.recall() > 0.95);
}

TEST_CASE("routers that limit their ICMP hide no bad link and are blamed for none", "[localisation]") {
  // The long version is tests/bench/localisation_sweep.cpp.
  LimitedScore score;
  for (std::uint64_t number = 1; number <= 20; ++number) {
    const Seed seed(number);
    LimitedOptions options;
    options.sample.loss = 0.02;
    options.sample.bad_links = 1 + static_cast<std::uint32_t>(number % 2);
    score.add(localise_limited(seed, options, {options.sample.rounds}).front());
  }
  CAPTURE(score.bad, score.found, score.blamed, score.right, score.at_limited, score.limited_routers);
  CHECK(score.limited_routers > 60);
  CHECK(score.right == score.blamed);
  CHECK(score.at_limited == 0);
  CHECK(static_cast<double>(score.found) > 0.95 * static_cast<double>(score.bad));
}

TEST_CASE("the plain estimators find a bad link of 20 % as well", "[localisation]") {
  Score votes;
  Score descent;
  for (std::uint64_t number = 1; number <= 20; ++number) {
    const Seed seed(number);
    const Sample sample = sample_network(seed, {.loss = 0.2});
    const LinkGroups groups = group_links(sample.crossings);
    const Crossings collapsed = collapse(sample.crossings, groups);
    votes.add(judge(blame_by_votes(collapsed), groups, sample.bad));
    descent.add(judge(blame_by_descent(collapsed), groups, sample.bad));
  }
  CHECK(descent.recall() == 1);
  // Seen from one place all flows share the first link, which every vote goes to.
  CHECK(votes.recall() < 0.5);
}
