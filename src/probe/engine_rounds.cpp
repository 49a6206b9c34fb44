// When the rounds of a flow begin, and up to which TTL.
#include <algorithm>

#include "probe/engine_state.hpp"

namespace ecmp {
namespace {

/// The longest pause between two probes of a round when nobody asks for another: short enough that a round is over soon
/// and its hops are seen at nearly the same time, long enough to be no burst.
constexpr Duration kMaxGap = std::chrono::milliseconds(50);

}  // namespace

/// When the round after one that is due now begins.
void Engine::State::plan_next_round(Flow& flow, Instant due, Instant now) {
  const DestinationPlan& plan = *flow.plan;
  if (flow.resting) {
    --flow.asked;
    flow.next_round = flow.asked > 0 ? std::max(due, now) + flow.apart : Instant::max();
    return;
  }
  if (flow.next_number == 1) {
    // Onto the even grid, at least half an interval from here.
    flow.next_round = flow.steady;
    while (flow.next_round < due + plan.interval / 2)
      flow.next_round += plan.interval;
  } else {
    flow.next_round += plan.interval;
  }
  if (flow.next_round <= now) {
    // A whole interval behind: what cannot be made up for is counted, not crammed in.
    const auto behind = static_cast<std::uint64_t>((now - flow.next_round) / plan.interval) + 1;
    counters.rounds_skipped += behind;
    flow.next_number += static_cast<std::uint32_t>(behind);
    flow.next_round += plan.interval * static_cast<Duration::rep>(behind);
  }
}

/// The distance is the same for all flows as a rule. While none knows it, one after the other searches it: whoever asks
/// beyond the destination uses up what it answers.
bool Engine::State::wait_for_search(Flow& flow, Instant now) {
  constexpr Duration kLaterSearch = std::chrono::milliseconds(100);
  constexpr Duration kLook = std::chrono::milliseconds(50);
  constexpr std::uint8_t kLongSearches = 3;  // after so many in vain it answers nobody
  if (flow.distance != 0 || !may_limit(flow) || flow.end->distance != 0) return false;
  if (now < flow.end->search_until) {
    flow.next_round = std::min(flow.end->search_until, now + kLook);
    return true;
  }
  const bool may_find = flow.end->searches < kLongSearches;
  if (may_find) ++flow.end->searches;
  flow.end->search_until = now + std::min(may_find ? End::kSearch : kLaterSearch, flow.plan->timeout);
  return false;
}

void Engine::State::begin_round(Flow& flow, Instant now) {
  if (!flow.first_round_over && flow.rounds_begun == 0 && wait_for_search(flow, now)) return;
  const DestinationPlan& plan = *flow.plan;
  const Instant due = flow.next_round;
  const std::uint32_t number = flow.next_number++;
  if (flow.paces.empty()) flow.paces.resize(plan.max_ttl);  // a flow that always rests needs none
  plan_next_round(flow, due, now);
  // A reply names its round modulo ProbeIdentity::kRounds: two that look alike must not be under way together. Limits
  // can make a round last that long.
  // Nor must two be whose anonymous answers cannot be distinguished, while nobody knows how long an answer takes.
  if (flow.live.size() >= kMaxLiveRounds || (flow.anonymous && !flow.answer_time.known() && !flow.live.empty()) ||
      find_round(flow, static_cast<std::uint8_t>(number % ProbeIdentity::kRounds)) != nullptr) {
    ++counters.rounds_skipped;
    return;
  }
  std::unique_ptr<LiveRound> round;
  if (spare_rounds_.empty()) {
    round = std::make_unique<LiveRound>();
  } else {
    round = std::move(spare_rounds_.back());
    spare_rounds_.pop_back();
  }
  const bool presumed = flow.distance == 0 && may_limit(flow) && flow.end->distance != 0;
  const std::uint8_t distance = presumed ? std::min(flow.end->distance, plan.max_ttl) : flow.distance;
  const int ttls = distance != 0 ? distance : plan.max_ttl;
  round->begin(number, due,
               RoundTerms{.distance = distance,
                          .length = flow.length.value(),
                          .presumed = presumed,
                          .mixed = presumed && flow.end->mixed > 0,
                          .max_ttl = plan.max_ttl,
                          .first = !flow.first_round_over,
                          .hurried = 2 * plan.interval < plan.timeout,
                          .lost_streak = flow.lost_streak,
                          .suspected = flow.suspected,
                          .suspicions = flow.suspicions,
                          .stamped = flow.stamped,
                          .anonymous = flow.anonymous,
                          .timeout = plan.timeout,
                          .gap = plan.ttl_gap.value_or(std::min<Duration>(kMaxGap, plan.interval / (4 * ttls)))});
  flow.live.push_back(std::move(round));
  if (++flow.rounds_begun == plan.rounds) flow.next_round = Instant::max();
}

/// The distance that the next round is to reach. A flow whose packets take paths of two lengths is asked at the longer
/// one, so that every round's one probe gets there whichever way it takes.
void Engine::State::hold_distance(Flow& flow, std::uint8_t found, std::uint32_t number) {
  constexpr std::uint32_t kRemembered = 32;  // rounds
  const bool remembers = flow.longest != 0 && number - flow.longest_round <= kRemembered;
  if (found < flow.distance && !flow.of_two_lengths) {
    flow.longest = flow.distance;
    flow.longest_round = number;
  } else if (found >= flow.longest) {
    if (remembers && found == flow.longest && found > flow.distance) flow.of_two_lengths = true;
    if (found > flow.longest) flow.of_two_lengths = false;
    flow.longest = found;
    flow.longest_round = number;
  } else if (!remembers) {
    flow.of_two_lengths = false;
  }
  flow.distance = flow.of_two_lengths ? flow.longest : found;
}

}  // namespace ecmp
