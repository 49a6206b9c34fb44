#include <algorithm>

#include "probe/engine_state.hpp"

namespace ecmp {

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
  const Duration longest = std::min<Duration>(flow.plan->timeout, pacing_.usual(flow.end->responder));
  if (!silent || !flow.end->unpaced->limited(now - longest)) return;
  flow.end->unpaced = nullptr;
  pacing_.found_limited(flow.end->responder, now);
  for (const auto& other : flows_) {
    if (other == nullptr || other->end != flow.end) continue;
    for (const auto& live : other->live) {
      live->each_probe([](LiveProbe& probe) { probe.owed = probe.owed || probe.unpaced != 0; });
    }
  }
}

}  // namespace ecmp
