#include <algorithm>

#include "probe/engine_state.hpp"

namespace ecmp {
namespace {

/// By then a limit has filled up again that was used up before, for what is asked meanwhile is less than it lets
/// through.
constexpr Duration kFilling = std::chrono::seconds(10);

/// So long an answer may lie in the capture of a busy host. What was sent since then is not silent yet: dozens of
/// probes that a late turn has sent at once would look like the end of a limit.
constexpr Duration kUnread = std::chrono::milliseconds(200);

}  // namespace

std::uint32_t UnpacedProbes::add(Instant sent, bool was_answered) {
  const AskedProbe probe{sent, was_answered};
  if (probes_.size() < kMost) {
    probes_.push_back(probe);
  } else {
    probes_[next_ % kMost] = probe;
  }
  return ++next_;
}

void UnpacedProbes::answered(std::uint32_t number) {
  if (number != 0 && next_ - number < kMost) probes_[(number - 1) % kMost].answered = true;
}

void UnpacedProbes::withdraw(std::uint32_t number) {
  if (number != 0 && next_ - number < kMost)
    probes_[(number - 1) % kMost] = {.sent = Instant::max(), .answered = false};
}

bool UnpacedProbes::limited(Instant known) const {
  std::vector<AskedProbe> settled;
  settled.reserve(probes_.size());
  std::ranges::copy_if(probes_, std::back_inserter(settled),
                       [known](const AskedProbe& probe) { return probe.answered || probe.sent <= known; });
  return limit_explains(settled);
}

/// Whoever searched the destination has used up some of its answers as well.
void Engine::State::note_answer(End& end, const LiveProbe& probe) {
  if (end.unpaced == nullptr) return;
  if (probe.unpaced != 0) {
    end.unpaced->answered(probe.unpaced);
  } else {
    end.unpaced->add(probe.sent, true);
  }
}

void Engine::State::withdraw(const Flow& flow, LiveProbe& probe) {
  if (probe.unpaced == 0 || flow.end == nullptr) return;
  if (flow.end->unpaced != nullptr) flow.end->unpaced->withdraw(probe.unpaced);
  probe.unpaced = 0;
}

/// The round is about to be settled. If its destination kept quiet as one that limits its answers does, this silence is
/// no loss, nor are those of the probes that are under way: from now on it is paced.
void Engine::State::look_for_limit(Flow& flow, LiveRound& round, Instant now) {
  if (flow.end == nullptr || flow.end->unpaced == nullptr) return;
  const std::uint8_t aim = round.aim();
  bool silent = false;
  round.each_probe([&](LiveProbe& probe) {
    const bool left = !flow.stamped || probe.stamped;
    if (probe.state == LiveProbe::State::sent && (!left || probe.gap != Unobserved::none)) withdraw(flow, probe);
  });
  round.each_sent([&](const LiveProbe& probe) {
    silent = silent || (probe.hop.ttl == aim && probe.state == LiveProbe::State::sent && probe.unpaced != 0);
  });
  // What is asked now is answered within the timeout, or late at least by then.
  const Duration longest = std::min<Duration>(flow.plan->timeout, pacing_.usual(flow.end->responder) + kUnread);
  if (!silent || !flow.end->unpaced->limited(now - longest)) return;
  found_limited(*flow.end, now);
}

/// No silence so far of what was asked without regard to the limit is loss.
void Engine::State::found_limited(End& end, Instant now) {
  end.unpaced = nullptr;
  pacing_.found_limited(end.responder, now);
  for (const auto& other : flows_) {
    if (other == nullptr || other->end != &end) continue;
    for (const auto& live : other->live) {
      const bool searched = live->aim() == 0;
      live->each_probe([&](LiveProbe& probe) { probe.owed = probe.owed || searched || probe.unpaced != 0; });
    }
  }
}

/// A few silences look alike whether a limit or loss is behind them, and a trace of few rounds has no more. So the
/// first one of a host is followed by a burst of probes, after a rest in which every limit by default gives an answer
/// again: loss lets most of it through, a limit none of its end. Until that is known the round waits.
bool Engine::State::wait_for_burst(Flow& flow, LiveRound& round, Instant now) {
  constexpr Duration kRest = std::chrono::milliseconds(1100);
  constexpr Duration kGiveUp = std::chrono::seconds(5);  // the flow that was to send it is gone
  if (!may_limit(flow) || flow.end->unpaced == nullptr || flow.end->burst == End::Burst::over) return false;
  if (!round.end_is_silent()) return false;
  End& end = *flow.end;
  const auto answered = end.answered_flow;
  if (end.burst == End::Burst::none) {
    if (!answered) return false;  // dead, as far as anybody can know: what asks it again and again has found nobody
    end.burst = End::Burst::resting;
    end.burst_at = now + kRest;
    const bool there =
        answered && *answered < flows_.size() && flows_[*answered] != nullptr && flows_[*answered]->end == &end;
    end.burst_flow = there ? *answered : flow.number;
    schedule(*flows_[end.burst_flow]);
  } else if (now > end.burst_at + flow.plan->timeout + kGiveUp) {
    end.burst = End::Burst::over;
    return false;
  }
  round.hold(now + kLookAgain);
  return true;
}

/// Whether a probe that may ask the destination has to wait for a burst.
bool Engine::State::holds_asking(const Flow& flow, const LiveRound& round, bool end) const {
  if (flow.end == nullptr || flow.end->unpaced == nullptr || round.is_burst() || (!end && round.aim() != 0))
    return false;
  return flow.end->burst == End::Burst::resting || flow.end->burst == End::Burst::under_way;
}

void Engine::State::begin_burst(Flow& flow, Instant now) {
  constexpr Duration kGap = std::chrono::milliseconds(6);  // queued together, errors of one type become one (xnu)
  constexpr int kUsualWidth = 7;
  if (flow.end == nullptr || flow.end->burst != End::Burst::resting || flow.end->burst_flow != flow.number ||
      now < flow.end->burst_at)
    return;
  if (find_round(flow, static_cast<std::uint8_t>(flow.next_number % ProbeIdentity::kRounds)) != nullptr) {
    flow.end->burst_at = now + kLookAgain;
    return;
  }
  flow.end->burst = End::Burst::under_way;
  const DestinationPlan& plan = *flow.plan;
  const auto furthest = static_cast<std::uint8_t>(std::max(1, plan.max_ttl + 1 - kUsualWidth));
  auto round = std::make_unique<LiveRound>();
  round->begin(flow.next_number++, now,
               RoundTerms{.distance = flow.distance != 0 ? flow.distance : furthest,
                          .burst = true,
                          .max_ttl = plan.max_ttl,
                          .stamped = flow.stamped,
                          .timeout = plan.timeout,
                          .gap = kGap});
  flow.live.push_back(std::move(round));
}

void Engine::State::end_burst(Flow& flow, LiveRound& round, Instant now) {
  constexpr std::size_t kLeast = 18;
  constexpr std::ptrdiff_t kEnd = 8;  // later than any limit of few at once answers to: IOS gives ten (IPv6)
  std::vector<bool> answered;
  bool observed = true;
  round.each_probe([&](const LiveProbe& probe) {
    answered.push_back(probe.destination);
    observed = observed && probe.gap == Unobserved::none && probe.state != LiveProbe::State::send_failed;
  });
  counters.probes_sent[static_cast<std::size_t>(flow.tuple.protocol)] += round.open();
  round.end_burst();
  if (flow.end == nullptr || flow.end->unpaced == nullptr) return;
  End& end = *flow.end;
  end.burst = End::Burst::over;
  if (!observed || answered.size() < kLeast) return;
  // Nobody at all: it has died since it answered, or never did.
  const auto all = std::ranges::count(answered, true);
  const auto last = std::count(answered.end() - kEnd, answered.end(), true);
  if (all > 0 && last <= 1) found_limited(end, now);
}

/// A flow that searches a destination asks it with all that it sends beyond, and the limit of that may be used up by
/// whoever traced it before. So the silence that a search meets is not judged. If nobody answers, only that of the
/// first ones is not: every limit by default answers again within a second, and the next search meets that.
void Engine::State::doubt_search(const Flow& flow, LiveRound& round) const {
  constexpr Duration kDoubt = std::chrono::milliseconds(1200);
  if (round.aim() != 0 || !may_limit(flow) || flow.end->unpaced != nullptr) return;
  if (!round.end_answered()) {
    if (!flow.end->first_search) flow.end->first_search = round.started();
    if (round.started() > *flow.end->first_search + kDoubt) return;
  }
  round.doubt_loss();
}

/// The round is about to be settled. Nobody knows how many answers a destination had left when tracing began: the run
/// before, or somebody else at this address, may have used them up. So what one that does answer keeps quiet at in
/// the first seconds is not judged.
void Engine::State::doubt_first_silences(const Flow& flow, LiveRound& round) const {
  if (!may_limit(flow) || flow.end->unpaced != nullptr || flow.end->responder == 0) return;
  if (round.started() - flow.end->asked < kFilling) round.doubt_loss();
}

}  // namespace ecmp
