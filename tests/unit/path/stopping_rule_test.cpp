#include "path/search/stopping_rule.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"

using namespace ecmp;

namespace {

/// The chance that the rule stops too early at a router of `width` equal branches, flow after flow: exact.
double failure(std::uint32_t width, double eps) {
  const StoppingRule rule(eps, 0);
  std::vector<double> seen(width + 1);  // chance to know so many branches and still go on
  seen[1] = 1;
  double failed = 0;
  for (std::uint32_t flows = 1; flows < 100'000; ++flows) {
    double going_on = 0;
    for (std::uint32_t known = 1; known < width; ++known) {
      if (flows >= rule.needed(known)) {
        failed += seen[known];
        seen[known] = 0;
      }
      going_on += seen[known];
    }
    if (going_on < 1e-12) break;
    for (std::uint32_t known = width; known > 0; --known) {
      const double stays = seen[known] * known / width;
      const double comes = seen[known - 1] * (width - known + 1) / width;
      seen[known] = stays + comes;
    }
  }
  return failed;
}

}  // namespace

TEST_CASE("flows that a number of branches takes are those of the literature", "[stopping_rule]") {
  const std::vector<std::uint32_t> at_95 = {6, 11, 16, 21, 27, 33, 38, 44, 51, 57, 63, 70, 76, 83, 90, 96};
  const std::vector<std::uint32_t> at_99 = {8, 15, 21, 28, 36, 43, 51, 58, 66, 74, 82, 90, 98, 106, 115, 123};
  for (std::uint32_t k = 2; k <= 17; ++k) {
    CAPTURE(k);
    CHECK(flows_to_see(k, 0.05) == at_95[k - 2]);
    CHECK(flows_to_see(k, 0.01) == at_99[k - 2]);
  }
  CHECK(flows_to_see(24, 0.05) == 145);
  CHECK(flows_to_see(32, 0.05) == 203);
  CHECK(flows_to_see(64, 0.05) == 453);
  CHECK(flows_to_see(24, 0.01) == 183);
  CHECK(flows_to_see(32, 0.01) == 255);
  CHECK(flows_to_see(64, 0.01) == 557);
}

TEST_CASE("the chance to miss a branch is a chance for any number of flows", "[stopping_rule]") {
  CHECK(chance_to_miss(1, 1) == 0);
  CHECK(chance_to_miss(2, 1) == 1);
  CHECK(chance_to_miss(2, 2) == Approx(0.5));
  CHECK(chance_to_miss(3, 3) == Approx(1 - 6.0 / 27));
  for (std::uint32_t k = 1; k <= 512; k = k < 20 ? k + 1 : 2 * k) {
    double before = 1;
    for (std::uint32_t n = 0; n < 8 * k; ++n) {
      const double chance = chance_to_miss(k, n);
      CAPTURE(k, n);
      REQUIRE(chance >= 0);
      REQUIRE(chance <= before + 1e-9);
      before = chance;
    }
  }
}

TEST_CASE("the rule misses a branch as seldom as it says, at every width", "[stopping_rule]") {
  for (const double eps : {0.05, 0.01}) {
    for (std::uint32_t width = 2; width <= 64; ++width) {
      CAPTURE(width, eps);
      const double failed = failure(width, eps);
      // Each n(k) alone keeps to eps; to stop at the wrong one of several adds up to a hair more. A search, where one
      // more router is reckoned with than is seen, stays below.
      CHECK(failed <= 1.02 * eps);
      CHECK(failed > eps / 3);  // nor does it ask far more than it would have to
    }
  }
}

TEST_CASE("many dividing hops together keep to the aim", "[stopping_rule]") {
  CHECK(error_per_hop(0.95, 1) == Approx(0.05));
  for (std::uint32_t hops = 1; hops <= 64; hops *= 2)
    CHECK(std::pow(1 - error_per_hop(0.95, hops), hops) == Approx(0.95));
}

TEST_CASE("branches of unequal shares take as many flows as the smallest one needs", "[stopping_rule]") {
  const StoppingRule even(0.05, 0);
  const StoppingRule uneven(0.05, 0.05);
  CHECK(even.needed(1) == 6);
  CHECK(uneven.needed(1) == static_cast<std::uint32_t>(std::ceil(std::log(0.05 / 2) / std::log(0.95))));
  CHECK(uneven.needed(3) == static_cast<std::uint32_t>(std::ceil(std::log(0.05 / 4) / std::log(0.95))));
  CHECK(uneven.needed(16) >= even.needed(16));
}
