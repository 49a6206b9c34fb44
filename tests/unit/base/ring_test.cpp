#include "base/ring.hpp"

#include <deque>
#include <memory>
#include <random>
#include <thread>

#include "base/sole_owner.hpp"
#include "catch.hpp"

using namespace ecmp;

TEST_CASE("a ring is a queue, whatever comes and goes", "[base]") {
  std::mt19937 random(7);
  Ring<std::unique_ptr<int>> ring;
  std::deque<int> expected;
  int next = 0;
  for (int step = 0; step < 20'000; ++step) {
    // Grows and shrinks by turns, so that its items lie across the end of its memory when it grows.
    if (random() % 100 < (step / 1000 % 2 == 0 ? 60u : 40u)) {
      CHECK(*ring.push_back(std::make_unique<int>(next)) == next);
      expected.push_back(next++);
    } else if (!expected.empty()) {
      ring.pop_front();
      expected.pop_front();
    }
    REQUIRE(ring.size() == expected.size());
    REQUIRE(ring.empty() == expected.empty());
    if (expected.empty()) continue;
    REQUIRE(*ring.front() == expected.front());
    REQUIRE(*ring.back() == expected.back());
    const std::size_t at = random() % expected.size();
    REQUIRE(*ring[at] == expected[at]);
  }
}

TEST_CASE("what has left a ring is let go at once", "[base]") {
  Ring<std::shared_ptr<int>> ring;
  const auto item = std::make_shared<int>(1);
  ring.push_back(item);
  CHECK(item.use_count() == 2);
  ring.pop_front();
  CHECK(item.use_count() == 1);
}

TEST_CASE("a pointer has one owner once all others have let go, whichever thread they are on", "[base]") {
  auto ours = std::make_shared<int>(0);
  CHECK(is_sole_owner(ours));
  std::thread other([theirs = ours]() mutable {
    ++*theirs;
    theirs.reset();
  });
  while (!is_sole_owner(ours)) {
    std::this_thread::yield();
  }
  ++*ours;  // a race, if the other one's write were not over
  CHECK(*ours == 2);
  other.join();
  CHECK_FALSE(is_sole_owner(std::shared_ptr<int>()));
}
