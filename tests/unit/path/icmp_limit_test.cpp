#include "path/model/icmp_limit.hpp"

#include <cmath>
#include <random>
#include <vector>

#include "catch.hpp"

using namespace ecmp;

namespace {

/// Answered shares of `probes` rounds: each link loses `loss[i]`, each hop but the last keeps quiet in `quiet[i]`.
std::vector<AnsweredShare> observe(std::mt19937_64& random, int probes, const std::vector<double>& loss,
                                   const std::vector<double>& quiet) {
  std::vector<AnsweredShare> seen(loss.size());
  std::uniform_real_distribution<double> chance;
  for (int round = 0; round < probes; ++round) {
    for (std::size_t hop = 0; hop < loss.size(); ++hop) {  // each hop is asked by a probe of its own
      bool answered = chance(random) >= quiet[hop];
      for (std::size_t link = 0; link <= hop; ++link)
        answered = chance(random) >= loss[link] && answered;
      ++seen[hop].probes;
      seen[hop].answers += answered ? 1u : 0u;
    }
  }
  return seen;
}

}  // namespace

TEST_CASE("suppression and loss are taken apart", "[icmp_limit]") {
  const std::vector<AnsweredShare> hops{{1000, 1000}, {1000, 200}, {1000, 900}, {0, 0}, {1000, 450}, {1000, 900}};
  const auto found = take_apart(hops);
  REQUIRE(found.size() == hops.size());
  CHECK_FALSE(found[0].limited);
  CHECK(found[0].loss == Approx(0));
  CHECK(found[1].limited);
  CHECK(found[1].loss == Approx(0.1));
  CHECK(found[1].suppression == Approx(1 - 200.0 / 900));
  CHECK_FALSE(found[2].limited);
  CHECK_FALSE(found[3].limited);
  CHECK(found[3].loss == Approx(0.1));
  CHECK(found[4].limited);
  CHECK(found[4].suppression == Approx(0.5));
  CHECK(found[5].loss == Approx(0.1));
  CHECK(found[5].suppression == 0);
}

TEST_CASE("little evidence flags nobody", "[icmp_limit]") {
  CHECK(take_apart({}).empty());
  const std::vector<AnsweredShare> few{{4, 2}, {4, 4}};
  CHECK_FALSE(take_apart(few)[0].limited);
  const std::vector<AnsweredShare> none{{0, 0}, {0, 0}};
  CHECK_FALSE(take_apart(none)[0].limited);
  const std::vector<AnsweredShare> dead{{100, 0}, {100, 0}};
  CHECK_FALSE(take_apart(dead)[0].limited);
}

TEST_CASE("a hop that is limited is flagged, and loss on the way never is", "[icmp_limit]") {
  std::size_t flagged = 0;
  std::size_t blamed = 0;
  constexpr int kSeeds = 300;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    std::mt19937_64 random(static_cast<std::uint64_t>(seed));
    std::uniform_int_distribution<std::size_t> place(0, 6);
    const std::size_t limited = place(random);
    std::vector<double> loss(8, 0.0);
    std::vector<double> quiet(8, 0.0);
    loss[place(random)] = std::vector{0.01, 0.05, 0.2}[static_cast<std::size_t>(seed) % 3];
    quiet[limited] = 0.3;
    const auto found = take_apart(observe(random, 300, loss, quiet));
    for (std::size_t hop = 0; hop < found.size(); ++hop) {
      if (hop == limited) {
        flagged += found[hop].limited ? 1u : 0u;
      } else {
        blamed += found[hop].limited ? 1u : 0u;
      }
      if (hop + 1 < found.size()) CHECK(found[hop].loss <= found[hop + 1].loss + 1e-9);
    }
  }
  CAPTURE(flagged, blamed);
  CHECK(flagged >= kSeeds * 95 / 100);
  CHECK(blamed <= 2);  // of 2,100 judgements, each at 99.9 % on either side
}
