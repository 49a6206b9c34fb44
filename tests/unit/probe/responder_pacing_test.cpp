#include "probe/responder_pacing.hpp"

#include <algorithm>
#include <array>

#include "catch.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

using What = ResponderPacing::Permit::What;

IpAddress router(std::uint32_t number) {
  return IpAddress::v4(0x0a000000u + number);
}

/// A responder that is asked `per_second` times a second by probes that may be left out, and answers what a bucket of
/// `rate` and `burst` lets through.
class Asking {
 public:
  Asking(ResponderPacing& pacing, double rate, double burst)
      : pacing_(pacing), number_(pacing.number_of(router(1), 0)), limiter_(rate, burst) {}

  void run(Duration time, int per_second) {
    for (const Instant end = now + time; now < end; now += Duration(1s) / per_second) {
      const auto permit = pacing_.ask(
          number_, {.dispensable = true, .age = UINT32_MAX, .turn = ++turn_, .patience = 1s, .longest_wait = 0s}, now);
      if (permit.what != What::send) {
        ++left_out;
      } else if (limiter_.available(now) <= now && (lose_every == 0 || ++asked_ % lose_every != 0)) {
        limiter_.take(now);
        ++answered;
        pacing_.answered(number_, now, 1ms);
      } else {
        (permit.trial ? in_trials : silent) += 1;
        pacing_.silent(number_, now, now + 100ms);
      }
    }
  }

  Instant now{1000s};
  int answered = 0;
  int silent = 0;
  int in_trials = 0;
  int left_out = 0;
  int lose_every = 0;  ///< so many answers one gets lost, however seldom it is asked

 private:
  ResponderPacing& pacing_;
  std::uint32_t number_;
  TokenBucket limiter_;
  std::uint32_t turn_ = 0;
  int asked_ = 0;
};

}  // namespace

TEST_CASE("a probe that did not leave this host leaves its token to others", "[pacing]") {
  ResponderPacing pacing(1, false);
  const std::uint32_t number = pacing.number_of(router(1), 0);
  const Instant now{1000s};
  int sent = 0;
  ResponderPacing::Permit permit;
  while ((permit = pacing.ask(number, {}, now)).what == What::send && sent < 100) {
    CHECK(permit.paid);
    ++sent;
  }
  REQUIRE(sent < 100);
  const Instant later = permit.until;  // the next token
  for (int i = 0; i < 100; ++i) {
    const auto again = pacing.ask(number, {.again = true}, later);
    CHECK(again.what == What::send);
    pacing.not_sent(number, again.paid);
  }
  CHECK(pacing.ask(number, {.again = true}, later).what == What::send);
  CHECK(pacing.ask(number, {.again = true}, later).what == What::wait);
  pacing.not_sent(number, false);  // what took none gives none back
  CHECK(pacing.ask(number, {.again = true}, later).what == What::wait);
}

TEST_CASE("responders keep their numbers, and number 0 has no limit", "[pacing]") {
  ResponderPacing pacing(1, true);
  const std::uint32_t first = pacing.number_of(router(1), 0);
  const std::uint32_t second = pacing.number_of(router(2), first);
  CHECK(first != 0);
  CHECK(second != first);
  CHECK(pacing.number_of(router(1), second) == first);
  CHECK(pacing.number_of(router(2), second) == second);
  CHECK(pacing.size() == 2);
  for (int i = 0; i < 1000; ++i)
    CHECK(pacing.ask(0, {.dispensable = true}, Instant(1s)).what == What::send);
}

TEST_CASE("the table of responders is bounded", "[pacing]") {
  ResponderPacing pacing(500, true);
  std::uint32_t number = 1;
  for (std::uint32_t i = 0; i < (1u << 17) + 10; ++i)
    number = pacing.number_of(router(i), 0);
  CHECK(number == 0);
  CHECK(pacing.size() == 1u << 17);
}

TEST_CASE("who answers all is asked as often as wanted", "[pacing]") {
  ResponderPacing pacing(500, true);
  Asking asking(pacing, 1e6, 1e6);
  asking.run(60s, 400);
  CHECK(asking.left_out == 0);
  CHECK(asking.answered == 60 * 400);
}

TEST_CASE("a limit is met by few probes, kept, and confirmed", "[pacing]") {
  ResponderPacing pacing(500, true);
  Asking asking(pacing, 1, 6);
  asking.run(30s, 300);
  CHECK(asking.silent <= 12);
  CHECK(pacing.limiting(1) != Limiting::none);
  asking.silent = 0;
  asking.run(1200s, 300);
  CHECK(asking.silent == 0);
  CHECK(asking.in_trials > 0);
  CHECK(asking.in_trials < 40);
  CHECK(pacing.limiting(1) == Limiting::confirmed);
  CHECK(asking.answered > 600);
}

TEST_CASE("the rate follows a limit that is lifted", "[pacing]") {
  ResponderPacing pacing(500, true);
  Asking limited(pacing, 1, 6);
  limited.run(30s, 100);
  REQUIRE(pacing.rate(1) < 1);
  Asking free(pacing, 1e6, 1e6);
  free.now = limited.now;
  free.run(600s, 100);
  CHECK(pacing.rate(1) > 100);
  CHECK(free.silent == 0);
}

TEST_CASE("no flow of a few waits for its turn much longer than the others", "[pacing]") {
  ResponderPacing pacing(500, true);
  Asking asking(pacing, 1, 6);
  asking.run(30s, 300);
  REQUIRE(pacing.rate(1) < 1);
  // Rounds of half a second, a token each second and a quarter: who comes right behind the others would find none.
  constexpr std::array<std::chrono::milliseconds, 5> kPhases{17ms, 173ms, 204ms, 267ms, 300ms};
  std::array<std::uint32_t, 5> age{};
  std::array<std::uint32_t, 5> longest{};
  TokenBucket router(1, 6);
  int sent = 0;
  for (std::uint32_t round = 0; round < 1200; ++round) {
    for (std::uint32_t flow = 0; flow < kPhases.size(); ++flow) {
      const Instant now = asking.now + 500ms * round + kPhases[flow];
      const auto permit = pacing.ask(1,
                                     {.dispensable = true,
                                      .age = ++age[flow],
                                      .turn = flow * 2654435761u + round * 40503u,
                                      .patience = 500ms,
                                      .longest_wait = 0s},
                                     now);
      longest[flow] = std::max(longest[flow], age[flow]);
      if (permit.what != What::send) continue;
      ++sent;
      age[flow] = 0;
      if (router.available(now) > now) {
        pacing.silent(1, now, now + 100ms);
      } else {
        router.take(now);
        pacing.answered(1, now, 1ms);
      }
    }
  }
  CAPTURE(longest, sent);
  // Each in every 12th round or so, which is what 0.8 a second are for five; half of that while a trial is paid for.
  for (std::uint32_t flow = 0; flow < kPhases.size(); ++flow) {
    CAPTURE(flow);
    CHECK(longest[flow] <= 45);
  }
  CHECK(sent > 400);
  CHECK(sent < 620);
}

TEST_CASE("who is silent however seldom it is asked is asked as often as wanted again", "[pacing]") {
  ResponderPacing pacing(500, true);
  Asking limited(pacing, 1, 6);
  limited.run(30s, 100);
  REQUIRE(pacing.rate(1) < 1);
  Asking lossy(pacing, 1e6, 1e6);
  lossy.now = limited.now;
  lossy.lose_every = 4;
  lossy.run(1200s, 100);
  CHECK(pacing.limiting(1) == Limiting::none);
  lossy.left_out = 0;
  lossy.run(60s, 100);
  CHECK(lossy.left_out == 0);
}

TEST_CASE("a probe that cannot be left out waits for the ceiling only", "[pacing]") {
  ResponderPacing pacing(10, true);
  const std::uint32_t number = pacing.number_of(router(1), 0);
  CHECK(pacing.ask(number, {}, Instant(1s)).what == What::send);
  const auto second = pacing.ask(number, {}, Instant(1s));
  CHECK(second.what == What::wait);
  CHECK(second.until == Instant(1100ms));
  // Those who wait stand in a queue.
  CHECK(pacing.ask(number, {}, Instant(1s)).until == Instant(1200ms));
  CHECK(pacing.ask(number, {.again = true}, Instant(1100ms)).what == What::send);
}

TEST_CASE("without adapting nothing is left out", "[pacing]") {
  ResponderPacing pacing(500, false);
  Asking asking(pacing, 1, 6);
  asking.run(10s, 300);
  CHECK(asking.left_out == 0);
  CHECK(asking.silent > 2900);
  CHECK(pacing.limiting(1) == Limiting::none);
}

TEST_CASE("a destination is never asked more often than it answers, outside of trials", "[pacing]") {
  // Limit and burst as delivered (REALITY: Linux v4 and v6, IOS, KAME, FreeBSD), and what is wanted.
  for (const auto& [rate, burst] : {std::pair{1.0, 6.0}, {10.0, 6.0}, {2.0, 1.0}, {100.0, 100.0}, {200.0, 200.0}}) {
    for (const int wanted : {1, 2, 7, 64}) {
      CAPTURE(rate, burst, wanted);
      ResponderPacing pacing(500, true);
      Asking destination(pacing, rate, burst);
      pacing.guard(pacing.number_of(router(1), 0), destination.now);
      destination.run(10min, wanted);
      CHECK(destination.silent == 0);
      CHECK(destination.answered >= 250);  // one that does not wait may find no token each second time
    }
  }
}

TEST_CASE("a destination without a limit is asked in every round before long", "[pacing]") {
  for (const int wanted : {3, 64}) {
    CAPTURE(wanted);
    ResponderPacing pacing(500, true);
    Asking destination(pacing, 1e6, 1e6);
    const std::uint32_t number = pacing.number_of(router(1), 0);
    pacing.guard(number, destination.now);
    destination.run(3min, wanted);
    destination.left_out = 0;
    destination.run(10min, wanted);
    CHECK(destination.left_out == 0);
    CHECK(pacing.limiting(number) == Limiting::none);
  }
}

TEST_CASE("loss on the way to a destination is not taken for a limit of it", "[pacing]") {
  for (const int every : {50, 10, 4}) {
    CAPTURE(every);
    ResponderPacing pacing(500, true);
    Asking destination(pacing, 1e6, 1e6);
    destination.lose_every = every;
    const std::uint32_t number = pacing.number_of(router(1), 0);
    pacing.guard(number, destination.now);
    destination.run(10min, 17);
    CHECK(pacing.limiting(number) == Limiting::none);
    CHECK(pacing.rate(number) >= 16);
  }
}
