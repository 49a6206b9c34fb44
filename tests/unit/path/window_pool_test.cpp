#include "path/model/window_pool.hpp"

#include <deque>

#include "catch.hpp"

using namespace ecmp;

namespace {

PathWindow window_of(std::uint64_t probes) {
  PathWindow window;
  window.figures.probes = probes;
  return window;
}

}  // namespace

TEST_CASE("a window that a round has is never written, and one that none has is used again", "[path]") {
  WindowPool pool;
  std::deque<std::shared_ptr<const PathWindow>> rounds;  // of the last ten
  std::uint64_t begun = 0;
  for (; begun < 100; ++begun) {
    rounds.push_back(pool.make(window_of(begun)));
    if (rounds.size() > 10) rounds.pop_front();
    for (std::size_t i = 0; i < rounds.size(); ++i)
      REQUIRE(rounds[i]->figures.probes == begun + 1 - rounds.size() + i);
    REQUIRE(pool.size() <= 12);
  }
  // All but one are let go: their memory is given back as others are made.
  rounds.erase(rounds.begin(), rounds.end() - 1);
  for (; begun < 120; ++begun) {
    const auto made = pool.make(window_of(begun));
    CHECK(made->figures.probes == begun);
    CHECK(rounds.front()->figures.probes == 99);
  }
  CHECK(pool.size() <= 3);
}
