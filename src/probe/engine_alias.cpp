#include "probe/engine_state.hpp"

namespace ecmp {

/// Whether a probe of any flow to this destination has expired at that address.
bool Engine::State::was_passed(const Flow& flow, const IpAddress& router) const {
  const auto here = [&](std::size_t number) {
    return number < flows_.size() && flows_[number] != nullptr && flows_[number]->refusers == flow.refusers;
  };
  std::size_t first = flow.number;
  while (first > 0 && here(first - 1))
    --first;
  for (std::size_t number = first; here(number); ++number) {
    for (const HopPace& pace : flows_[number]->paces)
      if (pace.responder != 0 && pacing_.address(pace.responder) == router) return true;
  }
  return false;
}

/// Called before the answer is among what the flow knows of its hops.
void Engine::State::note_refusal(const Flow& flow, const HopResult& hop) {
  if (hop.reply == packet::ReplyKind::time_exceeded) return flow.refusers->exceeded(hop.responder);
  if (!Refusers::is_final(hop.reply) || flow.refusers->knows(hop.responder)) return;
  flow.refusers->add(hop.responder, was_passed(flow, hop.responder));
}

/// Takes for answers of the destination what another address of it has answered. That it is one, and no box on the way,
/// is held when all of this speaks for it: no probe to the destination has expired there (Refusers); the TTL that it
/// quotes (RFC 1122 section 3.2.2.1: as received) puts it right behind a router that answers, so that it took a probe
/// with the last of its TTL, which a box that forwards would have let expire; and nobody answers from there or beyond.
/// What falls short of it stays a refusal.
void Engine::State::recognise_destination(const Flow& flow, LiveRound& round) const {
  int furthest = 0;  // where a probe has expired
  bool itself = false;
  bool any = false;
  round.each_answered([&](const LiveProbe& probe) {
    itself = itself || probe.destination;
    if (probe.time_exceeded()) furthest = std::max<int>(furthest, probe.hop.ttl);
    any = any || (probe.refused() && flow.refusers->may_be_destination(probe.hop.responder));
  });
  if (!any || itself) return;
  round.each_answered([&](LiveProbe& probe) {
    const HopResult& hop = probe.hop;
    if (!probe.refused() || !Refusers::is_final(hop.reply) || !flow.refusers->may_be_destination(hop.responder)) return;
    const int distance = hop.ttl - hop.quoted_ttl + 1;
    if (hop.quoted_ttl == 0 || distance < 1 || distance <= furthest) return;
    if (distance > 1 && flow.paces[static_cast<std::size_t>(distance) - 2].responder == 0) return;
    probe.destination = true;
  });
}

}  // namespace ecmp
