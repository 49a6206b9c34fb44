#include <algorithm>
#include <cassert>

#include "packet/probe_datagram.hpp"
#include "probe/engine_state.hpp"

namespace ecmp {
namespace {

/// A hop that would have to wait longer for its responder is left out: the round is one moment of its path.
constexpr Duration kLongestWait = std::chrono::milliseconds(250);

constexpr std::array<Duration, 15> kLagBounds = [] {
  std::array<Duration, 15> bounds{};
  Duration decade = std::chrono::microseconds(100);
  for (std::size_t i = 0; i < bounds.size(); i += 3, decade *= 10) {  // 0.1 ms, 0.25 ms, 0.5 ms, 1 ms, ... 5 s
    bounds[i] = decade;
    bounds[i + 1] = decade * 5 / 2;
    bounds[i + 2] = decade * 5;
  }
  return bounds;
}();

}  // namespace

std::span<const Duration> schedule_lag_bounds() {
  return kLagBounds;
}

/// Asks the limits; when one says no, leaves a time to come back.
void Engine::State::try_to_send(Flow& flow, LiveRound& round, const LiveRound::Due& due, Instant now) {
  const Instant global = bucket_.available(now);
  if (global > now) {
    if (blocked_until_ <= now) ++counters.rate_limited;
    blocked_until_ = global;
    return;
  }
  HopPace& pace = flow.paces[due.ttl - 1u];
  const Asked asked = asked_by(flow, round, due);
  if (holds_asking(flow, round, asked.end)) return round.delay(now + kLookAgain);
  const Duration interval = flow.plan->interval;
  // A destination that may limit its answers takes its turn as routers do. Another is never left out, nor are probes
  // that search it. That a path has become shorter shows when the hop before the destination has its turn: until then
  // the destination still answers to the longer distance.
  const std::uint8_t aim = round.aim();
  const bool near = aim != 0 ? due.attempt == 0 && due.ttl < aim : !flow.anonymous;
  const bool own = pacing_.address(asked.responder) == flow.tuple.destination;
  const bool unpaced = asked.end && flow.end->unpaced != nullptr && pacing_.adaptive();
  // What a check asks of one that has shown no limit is not taken from what its flows may ask.
  const bool free = round.is_check() && pacing_.limiting(asked.responder) == Limiting::none;
  const auto permit = free ? ResponderPacing::Permit{}
                      : unpaced
                          ? ResponderPacing::Permit{.paid = pacing_.charge(asked.responder, now)}
                          : pacing_.ask(asked.responder,
                                        {.dispensable = asked.end ? due.attempt == 0 && due.ttl == aim : near && !own,
                                         .again = round.delayed(),
                                         .urgent = pace.urgent > 0,
                                         .age = pace.asked == 0 ? UINT32_MAX : round.number() + 1 - pace.asked,
                                         .turn = flow.number * 2654435761u + round.number() * 40503u,
                                         .patience = flow.plan->timeout + interval / 4 + std::chrono::milliseconds(100),
                                         .longest_wait = std::min<Duration>(interval / 8, kLongestWait)},
                                        now);
  if (permit.what == ResponderPacing::Permit::What::wait) {
    ++counters.responder_delayed;
    return round.delay(permit.until);
  }
  if (permit.what == ResponderPacing::Permit::What::leave_out) {
    ++counters.left_out;
    return round.leave_out();
  }
  bucket_.take(now);
  // A round of a trial is not judged: the flow still waits for one that is.
  if (!round.is_burst() && (!asked.end || !permit.trial)) pace.asked = (round.number() + 1) & 0x0fffffffu;
  if (pace.urgent > 0) --pace.urgent;
  if (flow.end != nullptr && flow.end->asked == Instant::max()) flow.end->asked = now;
  LiveProbe& probe = round.begin_probe(now);
  probe.trial = permit.trial || (asked.end && !round.is_burst() && follows_check(*flow.end, now));
  probe.owed = permit.owed && asked.end;
  if (unpaced && !round.is_burst()) probe.unpaced = flow.end->unpaced->add(now);
  probe.charged = asked.responder;
  probe.paid = permit.paid;
  if (asked.end && due.attempt == 0 && due.ttl == aim) plan_look(flow, round, now);
  send(flow, round, due, now, probe);
}

/// Whose limit a probe counts against.
Engine::State::Asked Engine::State::asked_by(const Flow& flow, const LiveRound& round,
                                             const LiveRound::Due& due) const {
  if (may_limit(flow) && round.aim() != 0 && due.ttl >= round.aim() && flow.end->responder != 0)
    return {flow.end->responder, true};
  const HopPace& pace = flow.paces[due.ttl - 1u];
  const Family family = flow.tuple.destination.family();
  std::uint32_t responder = pace.responder != 0 ? pace.responder : pacing_.expected(family, due.ttl);
  // A flow that rests is asked for a few rounds only, to hear whom it crosses: its turn would not come in these.
  if (responder == 0 && pace.quiet != 0 && !flow.resting) responder = pacing_.limiting_at(family, due.ttl);
  // What answers as a service, a SYN or an echo request does not use up what it has for ICMP errors.
  if (!may_limit(flow) && pacing_.guarded(responder) && pacing_.address(responder) == flow.tuple.destination)
    responder = 0;
  return {responder, false};
}

void Engine::State::send(Flow& flow, LiveRound& round, const LiveRound::Due& due, Instant now, LiveProbe& probe) {
  count_lag(now - due.at);
  if (flow.tuple.source.is_unspecified()) {
    ++counters.send_errors[static_cast<std::size_t>(flow.no_source)];
    round.on_send_failed(probe);
    withdraw(flow, probe);
    pacing_.not_sent(probe.charged, probe.paid);
    return;
  }
  packet::ProbeDatagram datagram{.tuple = flow.tuple, .dscp = flow.plan->dscp, .total_size = flow.packet_size};
  const auto [bytes, mark] =
      write(flow, datagram, {.ttl = due.ttl, .round = round.round_field(), .attempt = due.attempt});
  round.set_mark(mark);
  bytes_used_ += flow.packet_size;
  batch_.push_back({.bytes = bytes, .flow = flow.number});
  handed_.push_back({flow.number, round.number(), due.ttl, due.attempt});
  departures_.add(bytes, handed_.back());
}

void Engine::State::count_lag(Duration lag) {
  const auto bound = std::ranges::lower_bound(kLagBounds, lag);
  ++counters.schedule_lag[static_cast<std::size_t>(bound - kLagBounds.begin())];
  counters.schedule_lag_sum += lag;
}

void Engine::State::on_sent(std::span<const Outgoing> batch) {
  assert(batch.size() == handed_.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Departed& handed = handed_[i];
    if (handed.flow == kNoFlow) continue;
    if (handed.of_stream) {
      const bool left = batch[i].error == SendError::none;
      if (!left) ++counters.send_errors[static_cast<std::size_t>(batch[i].error)];
      if (left) ++counters.stream_packets_sent;
      streams_.on_sent(handed.flow, handed.round, batch[i].at, left);
      continue;
    }
    Flow& flow = *flows_[handed.flow];
    for (const auto& round : flow.live) {
      if (round->number() != handed.round) continue;
      LiveProbe& probe = *round->find(handed.ttl, handed.attempt);
      if (batch[i].error == SendError::none) {
        probe.sent = batch[i].at;
      } else {
        ++counters.send_errors[static_cast<std::size_t>(batch[i].error)];
        round->on_send_failed(probe);
        withdraw(flow, probe);
        pacing_.not_sent(probe.charged, probe.paid);
        schedule(flow);
      }
      break;
    }
  }
}

}  // namespace ecmp
