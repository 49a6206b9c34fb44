// Destinations that answer with ICMP errors: how often they are asked, and what their silence says of that.
#include <algorithm>
#include <array>
#include <cmath>

#include "probe/responder_pacing.hpp"
#include "probe/responder_pacing_terms.hpp"

namespace ecmp {

using namespace pacing;

namespace {

constexpr float kLeastContested = 0.2F;  ///< of the rate of a destination whose answers others use up
/// Its rate is tried four times as high as long as it has shown no limit: that takes a fast one to what is wanted
/// within a minute, and a slow one shows its limit within seconds.
constexpr float kFirstFactor = 4;
constexpr float kLaterFactor = 2;
/// Of the rate that was tried and answered so much is used: 300 probes let a bucket of 100 hide a limit a third lower.
constexpr double kTrust = 0.65;
/// Limits that hosts and routers have by default, in errors a second, and the most that one of them gives at once to
/// who asks so seldom (docs/reality.md). Where less is wanted than may be tried, a trial goes on until none of them can
/// hide between what its bucket would have given and what was asked, or until this many probes.
constexpr std::array<double, 9> kKnownLimits = {1, 2, 4, 10, 100, 150, 200, 500, 1000};
constexpr double kHidden = 8;
constexpr std::uint32_t kMostTrialProbes = 160;
/// Limits of 10 a second and more come with buckets of up to 100 (SR OS, KAME), and others may use up some of them.
constexpr double kDeepFrom = 5;
constexpr std::uint32_t kDeepTrialProbes = 300;
/// All that is wanted is asked, and there is room for chance.
constexpr double kRoom = 1.25;
constexpr Duration kFirstTrial = std::chrono::seconds(10);
/// From one trial that went well to the next, so that most of the time is measured.
constexpr Duration kBetweenTrials = std::chrono::seconds(10);
constexpr std::uint32_t kDegraded = 5;

/// The least of the known limits that lets so much through.
double least_known(double rate) {
  const auto found = std::ranges::lower_bound(kKnownLimits, 0.98 * rate);
  return found != kKnownLimits.end() ? *found : rate;
}

}  // namespace

void ResponderPacing::guard(std::uint32_t number, Instant now) {
  if (number == 0 || !adaptive_) return;
  Responder& responder = responders_[number];
  if (responder.guarded) return;
  responder.guarded = true;
  responder.guard = {};
  responder.guard.factor = kFirstFactor;
  responder.known_good = static_cast<float>(base_rate());
  responder.confirmed = false;
  responder.hold = kFirstHold;
  enter(responder, State::limited, base_rate(), now);
  responder.bucket =
      TokenBucket(base_rate() / kShortest, kEvenly);  // that which has answered is charged by whoever calls
  responder.next = now + kFirstTrial;
}

void ResponderPacing::found_limited(std::uint32_t number, Instant now) {
  Responder& responder = responders_[number];
  if (!responder.guarded) return;
  responder.guard.presumed = false;
  responder.guard.factor = kLaterFactor;
  enter(responder, State::limited, base_rate(), now);
  responder.next = now + responder.hold;
}

void ResponderPacing::unguard(std::uint32_t number, Instant now, bool is_service) {
  Responder& responder = responders_[number];
  if (number == 0 || !responder.guarded) return;
  responder.guarded = false;
  if (responder.guard.presumed || is_service) open(responder, now, Duration{});
}

void ResponderPacing::count(Responder& responder, bool answer) {
  constexpr std::uint32_t kMost = 200;
  Guard& guard = responder.guard;
  ++(answer ? guard.heard : guard.missed);
  if (guard.heard + guard.missed < kMost) return;
  guard.heard /= 2;
  guard.missed /= 2;
}

double ResponderPacing::least_limit(std::uint32_t number) const {
  return least_known(static_cast<double>(responders_[number].known_good));
}

void ResponderPacing::gives_one(std::uint32_t number) {
  Responder& responder = responders_[number];
  responder.guard.single = true;
  const double most = kShortest * least_limit(number);
  responder.known_good = std::min(responder.known_good, static_cast<float>(most));
}

void ResponderPacing::contest(std::uint32_t number, Instant now) {
  Responder& responder = responders_[number];
  if (!responder.guarded) return;
  responder.guard.presumed = false;
  responder.guard.factor = kLaterFactor;
  const float base = static_cast<float>(base_rate());
  responder.known_good =
      responder.known_good > 1.01F * base ? base : std::max(kLeastContested, responder.known_good / 2);
  enter(responder, State::contested, responder.known_good, now);
}

void ResponderPacing::end_contest(std::uint32_t number, bool away, Instant now) {
  Responder& responder = responders_[number];
  if (responder.state != State::contested) return;
  if (away) responder.known_good = static_cast<float>(base_rate());
  enter(responder, State::limited, responder.known_good, now);
  responder.next = now + responder.hold;
}

/// A destination. Its silence at the rate that is known to be good is loss, as long as it stays when the rate is
/// lowered.
void ResponderPacing::judge_guarded(Responder& responder, Instant now) {
  Guard& guard = responder.guard;
  const std::uint32_t all = responder.silences + responder.answers;
  const double share = share_of(responder.silences, responder.answers);
  switch (responder.state) {
    case State::open:  // a ceiling below the base rate
    case State::limited:
      if (responder.known_good > 1.01 * base_rate() && now >= guard.trusting && responder.silences >= kDegraded &&
          share >= kSuspiciousShare) {
        responder.silent_share = static_cast<float>(share);
        guard.resume = responder.known_good;
        enter(responder, State::testing, base_rate(), now);
        return;
      }
      break;
    case State::testing:
      if (all < kTestProbes) return;
      if (responder.silences > 1 && share > static_cast<double>(responder.silent_share) / 3) {
        responder.known_good = guard.resume;  // loss, which does not care how often is asked
        guard.trusting = now + kIgnoring;
        enter(responder, State::limited, responder.known_good, now);
        return;
      }
      guard.presumed = false;
      guard.factor = kLaterFactor;
      responder.known_good = static_cast<float>(base_rate());
      enter(responder, State::limited, responder.known_good, now);
      responder.next = now + responder.hold;
      return;
    case State::trial:
      return judge_guarded_trial(responder, now);
    case State::contested:
      return judge_contested(responder, now);
    case State::resting:
      if (all < kRestProbes) return;
      responder.confirmed = share < std::max<double>(kSuspiciousShare, 2.0 * static_cast<double>(guard.safe_share));
      enter(responder, State::limited, responder.known_good, now);
      responder.next = now + responder.hold;
      responder.hold = std::min(2 * responder.hold, kLongestHold);
      return;
  }
  if (all >= kMemory) {
    responder.silences /= 2;
    responder.answers /= 2;
  }
}

void ResponderPacing::judge_guarded_trial(Responder& responder, Instant now) {
  Guard& guard = responder.guard;
  const std::uint32_t all = responder.silences + responder.answers;
  const double expected = all * static_cast<double>(guard.safe_share);
  const bool beyond_loss = responder.silences > expected + 3 * std::sqrt(expected + 1);
  if (responder.silences >= kSuspicious && beyond_loss) {
    guard.presumed = false;
    guard.factor = kLaterFactor;
    enter(responder, State::resting, responder.known_good / 2, now);
    return;
  }
  const Duration elapsed = now - responder.since;
  const std::uint32_t enough = responder.rate > kDeepFrom ? kDeepTrialProbes : kTrialProbes;
  if (all < enough || elapsed < kTrialTime) return;
  const double asked = all / seconds(elapsed);
  const double tried = static_cast<double>(responder.rate);
  const double certain = (responder.answers - kHidden) / seconds(elapsed);
  double good = kTrust * std::min(asked, tried);
  if (asked < 0.8 * tried && asked > 0.9 * wanted(responder, now)) {  // all that is wanted was asked
    const bool may_hide =
        std::ranges::any_of(kKnownLimits, [&](double limit) { return limit > 0.98 * certain && limit < 1.05 * asked; });
    if (may_hide && all < kMostTrialProbes) return;
    good = may_hide ? certain : kRoom * asked;
  }
  if (guard.single) good = std::min(good, kShortest * least_known(asked));
  // Back to what nearly all let through, after others had used up what it answers.
  if (tried <= 1.01 * base_rate()) good = std::max(good, std::min(asked, tried));
  responder.known_good = std::max(responder.known_good, static_cast<float>(std::min(good, ceiling_)));
  responder.confirmed = false;
  responder.hold = kFirstHold;
  enter(responder, State::limited, responder.known_good, now);
  responder.next = now + kBetweenTrials;
}

/// All but one is answered at the rate that it was lowered to: that is judged from now on, and more is tried later.
void ResponderPacing::judge_contested(Responder& responder, Instant now) const {
  if (responder.silences + responder.answers < kRestProbes) return;
  if (responder.silences > 1) {
    responder.known_good = std::max(kLeastContested, responder.known_good / 2);
    return enter(responder, State::contested, responder.known_good, now);
  }
  enter(responder, State::limited, responder.known_good, now);
  responder.next = now + responder.hold;
  responder.hold = std::min(2 * responder.hold, kLongestHold);
}

}  // namespace ecmp
