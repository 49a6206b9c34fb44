#include "probe/timer_queue.hpp"

#include <random>
#include <set>
#include <utility>

#include "catch.hpp"

using namespace ecmp;

namespace {

/// Does the same as a set of pairs, which is in order by itself.
class Both {
 public:
  void push(Instant at, std::uint32_t flow) {
    queue_.push(at, flow);
    expected_.emplace(at, flow);
    REQUIRE(queue_.size() == expected_.size());
  }
  /// The time of what was due first.
  Instant pop() {
    const auto first = *expected_.begin();
    REQUIRE(!queue_.empty());
    REQUIRE(queue_.top().at == first.first);
    REQUIRE(queue_.top().flow == first.second);
    queue_.pop();
    expected_.erase(expected_.begin());
    REQUIRE(queue_.empty() == expected_.empty());
    return first.first;
  }
  [[nodiscard]] bool empty() const { return expected_.empty(); }

 private:
  TimerQueue queue_;
  std::multiset<std::pair<Instant, std::uint32_t>> expected_;
};

}  // namespace

TEST_CASE("timers come up in the order of their times and flows, however far off they are", "[probe][timers]") {
  std::mt19937_64 random(1);
  const auto below = [&](std::int64_t limit) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(limit));
  };
  Both both;
  Instant now(std::chrono::hours(5));
  for (int turn = 0; turn < 200'000; ++turn) {
    if (both.empty() || below(2) == 0) {
      // Now and then before what has come up already, within a slot, within all of them, and beyond.
      constexpr std::array<std::int64_t, 5> kReach = {1000, 1'000'000, 50'000'000, 300'000'000, 60'000'000'000};
      const Duration ahead(below(kReach[static_cast<std::size_t>(below(5))]) - (below(8) == 0 ? 5'000'000 : 0));
      both.push(now + ahead, static_cast<std::uint32_t>(below(50)));
    } else {
      now = std::max(now, both.pop());
    }
  }
  while (!both.empty())
    both.pop();
}

TEST_CASE("timers of one moment come up by flow, and a queue that ran empty begins anew", "[probe][timers]") {
  Both both;
  for (const Instant at :
       {Instant(std::chrono::hours(9)), Instant(std::chrono::seconds(1)), Instant::max(), Instant{}}) {
    for (const std::uint32_t flow : {7u, 3u, 9u, 3u})
      both.push(at, flow);
    while (!both.empty())
      both.pop();
  }
}
