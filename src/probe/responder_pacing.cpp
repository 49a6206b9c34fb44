#include "probe/responder_pacing.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "probe/responder_pacing_terms.hpp"

namespace ecmp {

using namespace pacing;

namespace {

/// Past it responders share number 0. The table is bounded by the network as well: only answers that carried a true
/// identity come here.
constexpr std::size_t kMostResponders = 1u << 17;
/// Linux sends each peer one ICMP error a second (icmp_ratelimit = 1000 ms). A fifth less lets its bucket fill up
/// again, and makes up for a probe that was held up on its way and meets the next one at the router.
constexpr double kBaseRate = 0.8;
constexpr float kLeastRate = 0.1F;  ///< as rates are kept: one that was lowered to it has to be equal to it
/// An open responder may owe so many answers in a row, and one more for each that it has given: who never failed may be
/// asked in bursts, who is new may not. Linux gives six at once.
constexpr std::uint16_t kFirstRun = 8;
constexpr std::uint16_t kLongestRun = 256;
constexpr std::uint32_t kEnough = 8;
constexpr Duration kLossesKnown = std::chrono::seconds(5);
/// Turns come at chance times: with as many as there are tokens, some tokens would not be used.
constexpr double kEager = 1.25;
/// Tokens: with the one that may be there all the same half of what Linux lets through at once.
constexpr double kMostOwed = 2;
constexpr float kMissedTurns = 2;  ///< times as many rounds as it takes for all to have had a turn
constexpr float kLeastMissed = 4;  ///< rounds
constexpr float kMostHaste = 0.005F;
constexpr float kHurry = 0.8F;
constexpr float kEase = 1.05F;
constexpr double kGrowth = 1.5;  ///< less than the double that was tried
constexpr float kLowering = 0.6F;
constexpr double kVariation = 0.4;
/// Turns of flows that were asked less than half a turn ago come no sooner, however many tokens are left.
constexpr float kMostHasteOfEnds = 0.5F;
constexpr Duration kDemandWindow = std::chrono::seconds(5);
double burst_of(double rate) {
  return std::max(1.0, rate / 10);
}

}  // namespace

ResponderPacing::Responder::Responder(double ceiling)
    : run_most(kFirstRun), rate(static_cast<float>(ceiling)), hold(kFirstHold), bucket(ceiling, burst_of(ceiling)) {}

ResponderPacing::ResponderPacing(double ceiling, bool adaptive) : ceiling_(ceiling), adaptive_(adaptive) {
  responders_.emplace_back(1e9);  // number 0: a hop whose responder is not known
}

void ResponderPacing::set_rules(double ceiling, bool adaptive) {
  ceiling_ = ceiling;
  adaptive_ = adaptive;
  for (std::size_t number = 1; number < responders_.size(); ++number) {
    Responder& responder = responders_[number];
    if (!adaptive) responder.guarded = false;
    if (!adaptive || responder.state == State::open || responder.rate > ceiling) {
      responder.state = State::open;
      responder.rate = static_cast<float>(ceiling);
      responder.bucket.set_rate(ceiling, burst_of(ceiling));
    }
  }
}

double ResponderPacing::base_rate() const {
  return std::min(kBaseRate, ceiling_);
}

std::uint32_t ResponderPacing::number_of(const IpAddress& address, std::uint32_t likely) {
  if (likely != 0 && responders_[likely].address == address) return likely;
  const auto found = numbers_.find(address);
  if (found != numbers_.end()) return found->second;
  if (responders_.size() > kMostResponders) return 0;
  const auto number = static_cast<std::uint32_t>(responders_.size());
  responders_.emplace_back(ceiling_).address = address;
  numbers_.emplace(address, number);
  return number;
}

void ResponderPacing::count_demand(Responder& responder, Instant now) const {
  if (responder.asks == 0 && responder.demand == 0) responder.asks_since = now;
  ++responder.asks;
  const Duration elapsed = now - responder.asks_since;
  if (elapsed < kDemandWindow) return;
  const auto newest = static_cast<float>(responder.asks / seconds(elapsed));
  responder.demand = responder.demand == 0 ? newest : (responder.demand + newest) / 2;
  responder.asks = 0;
  responder.asks_since = now;
}

double ResponderPacing::wanted(const Responder& responder, Instant now) const {
  if (responder.demand > 0) return responder.demand;
  return responder.asks / std::max(1.0, seconds(now - responder.asks_since));
}

/// Whether the flow's turn has come. When x times as much is wanted as may be asked, each flow asks in every x-th
/// round; between the two whole numbers around x, as many flows take the lower one as make the mean right. A flow whose
/// turn it was but which got no token is still due in its next round, and those who got one are not: nobody starves.
bool ResponderPacing::turn_of(const Responder& responder, const Request& request) {
  double excess = responder.demand / responder.rate;
  if (excess <= 1 || request.urgent) return true;
  if (excess > kEager) excess = std::max(kEager, 0.93 * excess);
  excess = std::max(1.0, excess * static_cast<double>(responder.haste));
  const double above = std::ceil(excess);
  if (request.age >= above) return true;
  if (request.age + 1 < above) return false;
  const double place = static_cast<double>((request.turn * 0x9e3779b9u) >> 8) * 0x1p-24;
  return place < above - excess;
}

/// Who has to confirm a change goes before those who only take their turns: they wait until the debt is paid. So does
/// who has missed a whole turn: tokens come at times that some flows' rounds never meet, as 1.25 s and 0.5 s apart.
bool ResponderPacing::may_owe(const Responder& responder, const Request& request, Instant now) {
  if (responder.state == State::open || responder.guarded) return false;
  const bool asked = request.age != std::numeric_limits<std::uint32_t>::max();
  const float turn = responder.demand / responder.rate;
  const bool missed = asked && static_cast<float>(request.age) > std::max(kMissedTurns * turn, kLeastMissed);
  if (!request.urgent && !missed) return false;
  return seconds(responder.bucket.available(now) - now) * static_cast<double>(responder.rate) < kMostOwed;
}

/// When the rate falls, or all have just asked, nobody's turn comes for long. So turns come sooner as long as tokens
/// are left, and later again once they are short: one step for each token that could have been taken.
void ResponderPacing::balance_turns(Responder& responder, bool due, Instant now) {
  const Duration token(static_cast<Duration::rep>(1e9 / static_cast<double>(responder.rate)));
  if (now - responder.balanced < token) return;
  if (now - responder.taken > 2 * token) {
    responder.haste = std::max(responder.guarded ? kMostHasteOfEnds : kMostHaste, responder.haste * kHurry);
  } else if (due && responder.bucket.available(now) > now) {
    responder.haste = std::min(1.0F, responder.haste * kEase);
  } else {
    return;
  }
  responder.balanced = now;
}

ResponderPacing::Permit ResponderPacing::ask(std::uint32_t number, const Request& request, Instant now) {
  using What = Permit::What;
  if (number == 0) return {};
  number = stands_for(number);
  Responder& responder = responders_[number];
  if (adaptive_) {
    if (!request.again) count_demand(responder, now);
    if (responder.state == State::limited && now >= responder.next && wanted(responder, now) > 1.2 * responder.rate)
      begin_trial(responder, now);
    if (request.dispensable) {
      // New responders, and those that fall silent: not more until it is known whether there is a limit.
      const bool owing = responder.state == State::open && responder.run >= responder.run_most;
      if (owing && now - responder.last_sent < request.patience && now >= responder.next)
        return {.what = What::leave_out};
      const bool due = turn_of(responder, request);
      if (responder.state != State::open) balance_turns(responder, due, now);
      if (!due) return {.what = What::leave_out};
    } else if (responder.state != State::open) {
      // What cannot be left out counts, but does not wait for a router on the way.
      const double debt = seconds(responder.bucket.available(now) - now) * static_cast<double>(responder.rate);
      const bool paid = charge(number, now);
      return {.trial = unfair(responder), .owed = debt > kMostOwed, .paid = paid};
    }
  }
  Instant available = responder.bucket.available(now);
  // Who waits has a place in a queue: if all came back for the same token, each would be looked at once for every
  // other.
  if (!request.again) available = std::max(available, responder.queue_end);
  if (available > now && !may_owe(responder, request, now)) {
    if (adaptive_ && request.dispensable && available - now > request.longest_wait) return {.what = What::leave_out};
    responder.queue_end = std::max(available, responder.queue_end) +
                          Duration(static_cast<Duration::rep>(1e9 / static_cast<double>(responder.rate)));
    return {.what = What::wait, .until = available};
  }
  responder.bucket.take(now);
  if (responder.guarded && responder.state != State::trial) {
    const double place = static_cast<double>((++responder.guard.taken * 0x9e3779b97f4a7c15u) >> 11) * 0x1p-53;
    responder.bucket.put_off(
        Duration(static_cast<Duration::rep>(1e9 * kVariation * place / static_cast<double>(responder.rate))));
  }
  responder.taken = now;
  if (responder.run < responder.run_most) {
    ++responder.run;
    responder.last_sent = now;
  }
  return {.trial = unfair(responder), .paid = true};
}

void ResponderPacing::begin_trial(Responder& responder, Instant now) const {
  if (!responder.guarded) return enter(responder, State::trial, std::min(2.0 * responder.known_good, ceiling_), now);
  // One standard deviation above what was seen, for it was seen on few probes.
  const double seen = responder.silences + responder.answers + 5.0;
  const double share = (responder.silences + 0.5) / seen;
  responder.guard.safe_share = static_cast<float>(share + std::sqrt(share * (1 - share) / seen));
  enter(responder, State::trial, std::min<double>(responder.guard.factor * responder.known_good, ceiling_), now);
}

void ResponderPacing::answered(std::uint32_t number, Instant sent, Duration rtt) {
  if (number == 0 || !adaptive_) return;
  Responder& responder = responders_[number];
  responder.run = 0;
  responder.moved_to = 0;
  if (responder.run_most < kLongestRun) ++responder.run_most;
  // Decays from above: what is overdue must be so for slow answers as well.
  responder.rtt = rtt > responder.rtt ? rtt : responder.rtt - (responder.rtt - rtt) / 16;
  count(responder, true);
  if (sent < responder.since) return;
  ++responder.answers;
  judge(responder, sent + rtt);
}

void ResponderPacing::silent(std::uint32_t number, Instant sent, Instant now) {
  if (number == 0 || !adaptive_) return;
  Responder& responder = responders_[number];
  count(responder, false);
  if (sent < responder.since) return;
  if (responder.silences++ == 0) responder.doubted = now;
  judge(responder, now);
}

Limiting ResponderPacing::limiting(std::uint32_t number) const {
  const Responder& responder = responders_[number];
  if (responder.state == State::open || (responder.guarded && responder.guard.presumed)) return Limiting::none;
  return responder.confirmed ? Limiting::confirmed : Limiting::suspected;
}

void ResponderPacing::enter(Responder& responder, State state, double rate, Instant now) const {
  responder.state = state;
  responder.since = now;
  if (!responder.guarded && rate < static_cast<double>(responder.rate)) {
    // `now` is the stamp of an answer that may be read late: what was sent meanwhile left at the former rate, and its
    // silence says nothing about the new one.
    responder.since = std::max(now, responder.taken + Duration(1));
  }
  responder.answers = responder.silences = responder.losses = 0;
  responder.rate = static_cast<float>(rate);
  responder.bucket = responder.guarded
                         ? TokenBucket(state == State::trial ? rate : rate / kShortest, kEvenly)
                         : TokenBucket(rate, burst_of(rate));  // no debts: they would hold back what cannot be left out
  if (responder.guarded) responder.bucket.take(now);           // nor two at once, whenever the newest was
  responder.queue_end = now;  // those who wait come at their times, and get a token or are left out
}

void ResponderPacing::open(Responder& responder, Instant now, Duration ignoring) const {
  enter(responder, State::open, ceiling_, now);
  responder.next = now + ignoring;
  responder.confirmed = false;
  responder.hold = kFirstHold;
}

/// Loss on the way to a hop makes it silent in as many rounds as it makes the destination lost. What goes beyond that,
/// and beyond chance, may be a limit. That a round is lost is known later than that a hop is silent: unless nearly all
/// is silent, the losses are waited for.
bool ResponderPacing::suspicious(const Responder& responder, Instant now) {
  const double expected = responder.losses + 3 * std::sqrt(static_cast<double>(responder.losses));
  const double own = responder.silences - expected;
  const double all = static_cast<double>(responder.silences) + responder.answers;
  if (own < kSuspicious || all < kEnough || own < kSuspiciousShare * all) return false;
  return own > 0.5 * all || now - responder.doubted > kLossesKnown;
}

void ResponderPacing::judge(Responder& responder, Instant now) {
  if (responder.guarded) return judge_guarded(responder, now);
  const double share = share_of(responder.silences, responder.answers);
  switch (responder.state) {
    case State::open:
      if (now >= responder.next && suspicious(responder, now)) {
        if (wanted(responder, now) > base_rate()) {
          responder.silent_share = static_cast<float>(share);
          responder.known_good = static_cast<float>(base_rate());
          enter(responder, State::testing, base_rate(), now);
          responder.bucket.take(responder.since);  // the limiter is empty now
        } else {
          responder.silences = responder.answers = responder.losses = 0;  // seldom as it is asked, it is not our rate
        }
      }
      break;
    case State::testing:
      if (responder.silences + responder.answers < kTestProbes) return;
      if (responder.silences > 1 && share > responder.silent_share / 3) return open(responder, now, kIgnoring);
      enter(responder, State::limited, responder.known_good, now);
      responder.next = now + responder.hold;
      break;
    case State::limited:
      judge_limited(responder, now);
      break;
    case State::trial:
      judge_trial(responder, now);
      break;
    case State::contested:  // guarded ones alone are
      break;
    case State::resting:
      if (responder.silences + responder.answers < kRestProbes) return;
      responder.confirmed = share < kSuspiciousShare;
      enter(responder, State::limited, responder.known_good, now);
      responder.next = now + responder.hold;
      responder.hold = std::min(2 * responder.hold, kLongestHold);
      break;
  }
  if (responder.silences + responder.answers >= kMemory && responder.state != State::trial) {
    responder.silences /= 2;
    responder.answers /= 2;
    responder.losses /= 2;
  }
}

void ResponderPacing::judge_limited(Responder& responder, Instant now) {
  const double share = share_of(responder.silences, responder.answers);
  if (responder.silences < 2 || share < kSuspiciousShare) return;
  if (responder.known_good <= kLeastRate) return open(responder, now, kIgnoring);  // it is not our rate
  responder.silent_share = static_cast<float>(share);
  responder.known_good = std::max(kLeastRate, responder.known_good * kLowering);
  enter(responder, State::limited, responder.known_good, now);
  responder.bucket.take(now);
  responder.next = now + responder.hold;
}

void ResponderPacing::judge_trial(Responder& responder, Instant now) {
  const double share = share_of(responder.silences, responder.answers);
  if (responder.silences >= kSuspicious && share >= kSuspiciousShare) {
    enter(responder, State::resting, responder.known_good / 2, now);
    responder.bucket.take(now);
    return;
  }
  if (responder.answers < kTrialProbes || now - responder.since < kTrialTime) return;
  // All wanted or allowed is answered: nothing to hold back any more. Where less was asked than might have been, less
  // is known to be good.
  responder.confirmed = false;
  responder.hold = kFirstHold;
  const double asked = responder.answers / seconds(now - responder.since);
  const double good = std::clamp<double>(asked * kGrowth / 2, responder.known_good, kGrowth * responder.known_good);
  responder.known_good = static_cast<float>(std::min(good, ceiling_));
  if (responder.known_good >= ceiling_) return open(responder, now, Duration{});
  enter(responder, State::limited, responder.known_good, now);  // and the next trial at once, if more is wanted
  responder.next = now;
}

}  // namespace ecmp
