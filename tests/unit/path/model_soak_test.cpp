#include <algorithm>
#include <array>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "path/model/destination_model.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

using round_builder::Measured;

std::uint64_t changes(const FlowSnapshot& flow) {
  return std::accumulate(flow.changes.begin(), flow.changes.end(), std::uint64_t{0});
}

std::string branch(std::uint32_t number) {
  return "b" + std::to_string(number);
}

}  // namespace

TEST_CASE("30 % silence at a hop: no change and no path that does not exist", "[path]") {
  constexpr std::uint32_t kSeed = 20260101;
  INFO("seed " << kSeed);
  std::mt19937 random(kSeed);
  std::bernoulli_distribution silent(0.3);
  Measured net(32);
  std::uint64_t silences = 0;
  for (int i = 0; i < 10000; ++i)
    net.sweep([&](std::uint32_t flow) {
      const bool quiet = silent(random);
      silences += quiet ? 1 : 0;
      return "a " + (quiet ? "*" : branch(flow % 4)) + " c" + std::to_string(flow % 2) + " D";
    });
  const auto told = net.told();
  REQUIRE(told->paths.size() == 4);
  std::uint64_t told_silences = 0;
  for (const PathSnapshot& path : told->paths) {
    CHECK(path.flows == 8);
    CHECK(path.hops.size() == 4);
    for (const HopSnapshot& hop : path.hops) {
      CHECK(hop.counters.losses == 0);
      CHECK(hop.counters.probes == hop.counters.replies + hop.counters.silences);
      told_silences += hop.counters.silences;
    }
  }
  // What was counted on a path that several flows shared before they were told apart may be gone: a few of the first.
  CHECK(told_silences <= silences);
  CHECK(told_silences + 32 >= silences);
  for (const FlowSnapshot& flow : told->flows) {
    CHECK(changes(flow) == 0);
    CHECK(flow.replies == 10000);
  }
}

TEST_CASE("silence everywhere and loss: no change, and only real paths remain", "[path]") {
  constexpr std::uint32_t kSeed = 7;
  INFO("seed " << kSeed);
  std::mt19937 random(kSeed);
  std::bernoulli_distribution silent(0.3);
  std::bernoulli_distribution lost(0.1);
  Measured net(32);
  for (int i = 0; i < 2000; ++i)
    net.sweep(
        [&](std::uint32_t flow) {
          const std::array<std::string, 5> hops{"a", branch(flow % 4), "c" + std::to_string(flow % 8), "e", "D"};
          std::string seen;
          for (std::size_t at = 0; at < hops.size(); ++at)
            seen += (at + 1 < hops.size() ? silent(random) : lost(random)) ? " *" : " " + hops[at];
          return seen;
        },
        i == 0 ? 0 : 5);
  const auto told = net.told();
  CHECK(told->paths.size() == 8);
  for (const PathSnapshot& path : told->paths) {
    CHECK(path.flows == 4);
    CHECK(path.complete);
    CHECK(path.hops.size() == 5);
  }
  for (const FlowSnapshot& flow : told->flows)
    CHECK(changes(flow) == 0);
}

TEST_CASE("under silence a rerouted branch is reported by exactly its flows, once", "[path]") {
  const std::uint32_t seed = GENERATE(1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u);
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::bernoulli_distribution silent(0.3);
  Measured net(32);
  const auto sweep = [&](int rounds, std::uint32_t replacement) {
    for (int i = 0; i < rounds; ++i)
      net.sweep([&](std::uint32_t flow) {
        const std::uint32_t at = flow % 4 == 1 ? replacement : flow % 4;
        return "a " + (silent(random) ? "*" : branch(at)) + (silent(random) ? " *" : " c" + std::to_string(at)) + " D";
      });
  };
  sweep(100, 1);
  sweep(100, 7);
  const auto told = net.told();
  for (std::uint32_t flow = 0; flow < 32; ++flow) {
    CHECK(told->flows.at(flow).changes.at(static_cast<std::size_t>(ChangeKind::reroute)) == (flow % 4 == 1 ? 1 : 0));
    CHECK(changes(told->flows.at(flow)) == (flow % 4 == 1 ? 1 : 0));
  }
  CHECK(told->paths_in_use == 4);
}

TEST_CASE("through changes under silence no path is told that never existed", "[path]") {
  const std::uint32_t seed = GENERATE(range(21u, 61u));
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::bernoulli_distribution silent(0.4);
  std::bernoulli_distribution longer(0.3);
  std::bernoulli_distribution lost(0.1);
  std::uniform_int_distribution<std::uint32_t> pick(0, 5);
  constexpr std::uint32_t kFlows = 12;
  using Hops = std::vector<std::string>;
  std::set<std::vector<IpAddress>> real;
  std::vector<Hops> now(kFlows);
  Measured net(kFlows);
  std::uint64_t moves = 0;
  for (int epoch = 0; epoch < 20; ++epoch) {
    for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
      if (epoch > 0 && pick(random) > 1) continue;
      const std::string where = std::to_string(pick(random));
      Hops hops{"a", "b" + where, "c" + where, "d" + where, "e"};
      if (longer(random)) hops.push_back("f" + where);
      hops.push_back("D");
      if (epoch > 0 && hops != now[flow]) ++moves;
      now[flow] = hops;
      std::vector<IpAddress> path;
      for (const std::string& hop : hops)
        path.push_back(round_builder::address(hop));
      real.insert(path);
    }
    for (int i = 0; i < 40; ++i) {
      const auto verdicts = net.sweep([&](std::uint32_t flow) {
        std::string seen;
        for (std::size_t at = 0; at < now[flow].size(); ++at)
          seen += (at + 1 < now[flow].size() ? silent(random) : lost(random)) ? " *" : " " + now[flow][at];
        return seen;
      });
      for (const PathVerdict& verdict : verdicts) {
        const std::vector<IpAddress>& told = *verdict.responders;
        const bool exists = std::any_of(real.begin(), real.end(), [&](const std::vector<IpAddress>& path) {
          const bool complete = !told.empty() && told.back() == path.back();
          return told.size() <= path.size() && (!complete || told.size() == path.size()) &&
                 std::equal(told.begin(), told.end(), path.begin(), [](const IpAddress& said, const IpAddress& is) {
                   return said.is_unspecified() || said == is;
                 });
        });
        if (!exists) {
          std::string text;
          for (const IpAddress& responder : told)
            text += " " + responder.to_string();
          FAIL_CHECK("epoch " << epoch << " round " << i << " told" << text);
        }
      }
    }
  }
  std::uint64_t told_changes = 0;
  const auto final_told = net.told();
  for (const FlowSnapshot& flow : final_told->flows)
    told_changes += changes(flow);
  CHECK(told_changes == moves);
}

TEST_CASE("random per-packet balancing is found out once and is quiet then", "[path]") {
  const std::uint32_t seed = GENERATE(11u, 12u, 13u, 14u);
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::uniform_int_distribution<std::uint32_t> pick(0, 3);
  Measured net(16);
  const auto sweep = [&](int rounds) {
    for (int i = 0; i < rounds; ++i)
      net.sweep([&](std::uint32_t) {
        const std::uint32_t at = pick(random);
        return "a " + branch(at) + " c" + std::to_string(at) + " D";
      });
  };
  sweep(40);
  std::vector<std::uint64_t> early;
  const auto final_told = net.told();
  for (const FlowSnapshot& flow : final_told->flows) {
    CHECK(flow.changes.at(static_cast<std::size_t>(ChangeKind::per_packet)) == 1);
    early.push_back(changes(flow));
  }
  sweep(2000);
  const auto told = net.told();
  for (std::size_t flow = 0; flow < 16; ++flow)
    CHECK(changes(told->flows.at(flow)) == early[flow]);
  CHECK(told->paths_in_use == 1);
  CHECK(told->paths.back().hops.size() == 10);
}

TEST_CASE("answers from ever other addresses stay within bounds", "[path]") {
  constexpr std::uint32_t kSeed = 99;
  INFO("seed " << kSeed);
  std::mt19937 random(kSeed);
  std::uniform_int_distribution<int> number(1, 60000);
  std::uniform_int_distribution<int> length(1, 12);
  ModelOptions options;
  options.max_paths = 16;
  options.confirm_rounds = 1;
  options.path_retention = std::chrono::seconds(50);
  Measured net(8, options);
  for (int i = 0; i < 2000; ++i) {
    net.sweep([&](std::uint32_t) {
      std::string seen;
      const int hops = length(random);
      for (int at = 0; at < hops; ++at)
        seen += number(random) % 3 == 0 ? std::string(" *")
                                        : (number(random) % 7 == 0 ? " !x" : " x") + std::to_string(number(random));
      return seen + (number(random) % 2 == 0 ? " D" : "");
    });
  }
  const auto told = net.told();
  CHECK(told->paths.size() <= 16);
  CHECK(told->paths_refused > 0);
  CHECK(told->unreachables.size() <= 80);
  std::set<std::uint32_t> ids;
  std::uint32_t flows = 0;
  for (const PathSnapshot& path : told->paths) {
    ids.insert(path.id);
    flows += path.flows;
    CHECK(path.hops.size() <= 12 * 16 + 1);
  }
  CHECK(ids.size() == told->paths.size());
  CHECK(ids.count(0) == 0);
  CHECK(flows <= 8);
}

}  // namespace ecmp
