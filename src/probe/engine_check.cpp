// Whether the silence of a destination that answers with ICMP errors is loss: see SilenceCheck.
#include <algorithm>
#include <cmath>

#include "packet/probe_datagram.hpp"
#include "probe/engine_state.hpp"

namespace ecmp {
namespace {

constexpr Duration kRest = std::chrono::seconds(4);  ///< after a check, which has used up what it answers
constexpr int kMost = 6;                             ///< answers that Linux gives at once, the fewest of a bucket
constexpr int kSpare = 3;                            ///< probes of a check that may be lost
constexpr double kFast = 20;    ///< a limit above it nobody uses up by chance; and it is no matter of single answers
constexpr double kQuick = 0.2;  ///< answers that come back while a check is prepared
constexpr Duration kUnread = std::chrono::milliseconds(200);  ///< see engine_unpaced.cpp
constexpr Duration kFilling = std::chrono::seconds(10);       ///< the same: silence is not judged yet
constexpr Duration kGiveUp = std::chrono::seconds(5);         ///< the flow that was to send a check is gone
constexpr int kEchoes = 3;
constexpr Duration kBetweenEchoes = std::chrono::milliseconds(20);

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// Answers that have to come at `at` for one to have been there at `sent`.
int needed(double limit, Instant sent, Instant at) {
  return 1 + std::max(1, static_cast<int>(std::ceil(limit * seconds(at - sent))));
}

}  // namespace

/// A silence has to be looked into soon: a bucket fills up again. The probe that decides has just been let through.
void Engine::State::plan_look(const Flow& flow, LiveRound& round, Instant now) const {
  if (!may_limit(flow) || flow.end->unpaced != nullptr || flow.end->responder == 0) return;
  if (flow.tuple.protocol != Protocol::udp) return;
  if (pacing_.least_limit(flow.end->responder) > kFast) return;
  round.look_at(now + pacing_.usually(flow.end->responder));
}

/// Whether this silence needs to be proved.
bool Engine::State::is_checked(const Flow& flow, const LiveRound& round, const LiveProbe& probe, Instant now) const {
  constexpr Duration kTrusted = std::chrono::seconds(60);
  constexpr Duration kJustNow = std::chrono::seconds(20);
  constexpr std::uint32_t kStreak = 2;
  const End& end = *flow.end;
  const SilenceCheck& check = end.check;
  if (flow.tuple.protocol != Protocol::udp || check.dead || check.single || now - end.asked < kFilling) return false;
  if (check.failed == 0 && !pacing_.may_be_used_up(end.responder)) return false;
  if (probe.state != LiveProbe::State::sent || probe.attempt != 0 || probe.hop.ttl != round.aim()) return false;
  if (probe.trial || probe.owed || probe.undecided || probe.gap != Unobserved::none) return false;
  // Just proved; or a flow that loses all that it sends, while what others send is answered.
  const bool proved = check.state == SilenceCheck::State::over && check.answers > 1 && now - check.at < kTrusted;
  if (proved && (now - check.at < kJustNow || flow.lost_streak >= kStreak)) return false;
  const double limit = pacing_.least_limit(end.responder);
  return limit <= kFast && needed(limit, probe.sent, probe.sent + pacing_.usually(end.responder)) <= kMost - 1;
}

/// Whether the answers that a check has used up may still be missing: what is asked then is no fair sample.
bool Engine::State::follows_check(const End& end, Instant now) const {
  const SilenceCheck& check = end.check;
  if (check.state == SilenceCheck::State::under_way) return true;
  // Where a limit is known, what it has used up was taken from what may be asked.
  if (check.state != SilenceCheck::State::over || check.dead || pacing_.limiting(end.responder) != Limiting::none)
    return false;
  return seconds(now - check.at) * pacing_.least_limit(end.responder) < check.asked;
}

/// The flow that a check goes over when this one was silent.
std::uint32_t Engine::State::flow_of_check(const Flow& flow) const {
  for (const auto& number : {flow.end->steady_flow, flow.end->answered_flow}) {
    if (!number || *number >= flows_.size() || flows_[*number] == nullptr) continue;
    if (flows_[*number]->end == flow.end && flows_[*number]->distance != 0) return *number;
  }
  return flow.number;
}

void Engine::State::want_check(Flow& flow, int probes, Instant now) {
  SilenceCheck& check = flow.end->check;
  check.state = SilenceCheck::State::wanted;
  check.flow = flow_of_check(flow);
  check.at = now;
  check.asked = static_cast<std::uint8_t>(std::min(kMost, probes));
  schedule(*flows_[check.flow]);
}

/// One that has shown a limit is asked whether it answers echo requests, which costs nothing of what it has for probes.
void Engine::State::ask_echoes(Flow& flow, Instant now) {
  SilenceCheck& check = flow.end->check;
  if (check.echoes_asked || flow.end->unpaced != nullptr || flow.end->responder == 0 || !may_limit(flow)) return;
  if (pacing_.limiting(flow.end->responder) == Limiting::none) return;
  plan_echoes(flow, kEchoes, now);
  check.echoes_asked = true;
}

/// A host that rejects echo requests as well would answer these with errors.
void Engine::State::plan_echoes(const Flow& flow, int count, Instant now) {
  const SilenceCheck& check = flow.end->check;
  if (flow.tuple.protocol != Protocol::udp || (check.echoes_asked && !check.echoes)) return;
  for (int i = 0; i < count; ++i)
    controls_.push({now + i * kBetweenEchoes, flow.number, flow.tuple.destination});
}

/// The round is about to be settled, or it is time to look at its end. True: not yet.
bool Engine::State::check_silence(Flow& flow, LiveRound& round, Instant now) {
  const bool early = round.take_look(now);
  if (!may_limit(flow) || flow.end->unpaced != nullptr || flow.end->responder == 0 || round.aim() == 0) return early;
  LiveProbe* const probe = round.find(round.aim(), 0);
  if (probe == nullptr || !is_checked(flow, round, *probe, now)) return early;
  SilenceCheck& check = flow.end->check;
  using State = SilenceCheck::State;
  const bool later = check.state != State::none && check.at >= probe->sent;
  if (later && check.state == State::over) {
    const double limit = pacing_.least_limit(flow.end->responder);
    const bool lost = check.judged_lost || check.answers >= needed(limit, probe->sent, check.at);
    if (!lost) probe->trial = true;
    return early;
  }
  const bool busy = check.state == State::wanted || check.state == State::under_way;
  if (busy && now > check.at + flow.plan->timeout + kGiveUp) {
    check.state = State::none;
    probe->trial = true;
    return early;
  }
  if (!busy) {
    if (check.state == State::over && now - check.at < kRest) {
      probe->trial = true;  // the check has used up what it had
      return early;
    }
    want_check(flow, kSpare + needed(pacing_.least_limit(flow.end->responder), probe->sent, now), now);
  }
  if (!early) round.hold(now + kLookAgain);
  return true;
}

void Engine::State::begin_check(Flow& flow, Instant now) {
  constexpr Duration kGap = std::chrono::milliseconds(6);  // queued together, errors of one type become one (xnu)
  if (flow.end == nullptr || !flow.end->check.waits_for(flow.number) || now < flow.end->check.at) return;
  SilenceCheck& check = flow.end->check;
  if (find_round(flow, static_cast<std::uint8_t>(flow.next_number % ProbeIdentity::kRounds)) != nullptr) {
    check.at = now + kLookAgain;
    return;
  }
  const DestinationPlan& plan = *flow.plan;
  const int highest = plan.max_ttl + 1 - check.asked;
  auto round = std::make_unique<LiveRound>();
  round->begin(
      flow.next_number++, now,
      RoundTerms{.distance = flow.distance != 0 ? flow.distance : static_cast<std::uint8_t>(std::max(1, highest)),
                 .burst = true,
                 .width = check.asked,
                 .max_ttl = plan.max_ttl,
                 .stamped = flow.stamped,
                 .timeout = std::min<Duration>(plan.timeout, pacing_.usual(flow.end->responder) + kUnread),
                 .gap = kGap});
  flow.live.push_back(std::move(round));
  check.state = SilenceCheck::State::under_way;
  check.at = now;
  check.echoes_of_check = 0;
  plan_echoes(flow, kEchoes, now);
}

void Engine::State::end_check(Flow& flow, LiveRound& round, Instant now) {
  std::uint8_t answers = 0;
  bool observed = true;
  Instant last = round.started();
  round.each_probe([&](const LiveProbe& probe) {
    if (probe.destination) ++answers;
    last = std::max(last, probe.sent);
    observed = observed && probe.gap == Unobserved::none && probe.state != LiveProbe::State::send_failed;
  });
  counters.probes_sent[static_cast<std::size_t>(flow.tuple.protocol)] += round.open();
  round.end_burst();
  if (flow.end == nullptr || flow.end->check.state != SilenceCheck::State::under_way) return;
  End& end = *flow.end;
  SilenceCheck& check = end.check;
  check.state = SilenceCheck::State::over;
  check.at = last;
  check.answers = answers;
  check.judged_lost = false;
  if (!observed) return;
  const double limit = pacing_.least_limit(end.responder);
  const bool quick = limit * seconds(pacing_.usually(end.responder)) < kQuick;
  constexpr std::uint8_t kCertain = 3;
  constexpr std::uint8_t kOnes = 5;
  constexpr std::uint8_t kRefilled = 3;  // while it is contested: more than others leave by chance
  if (answers > 1) {
    check.ones = 0;
    check.single = false;
    check.several = true;
    check.failed = 0;
    if (answers >= kRefilled) pacing_.end_contest(end.responder, false, now);
    return;
  }
  // One whose bucket has just been found empty has none; one that never has more than one has just that.
  if (answers == 1 && quick) {
    check.ones = static_cast<std::uint8_t>(std::min(check.ones + 1, 100));
    check.single = check.ones >= kOnes && !check.several;
    check.judged_lost = check.single;
    if (check.single) pacing_.gives_one(end.responder);
  } else {
    check.ones = 0;
  }
  const bool all_silent = answers == 0 && check.echoes && check.echoes_of_check == 0;
  // The echo requests may have gone over a dead branch, when its answers were used up: it is asked again.
  check.all_silent = all_silent ? static_cast<std::uint8_t>(std::min(check.all_silent + 1, 100)) : std::uint8_t{0};
  check.dead = check.all_silent >= kCertain;
  check.judged_lost = check.judged_lost || check.dead;
  if (all_silent) return;
  // Loss may take most of a check as well, but hardly of three.
  check.failed = check.judged_lost ? std::uint8_t{0} : static_cast<std::uint8_t>(std::min(check.failed + 1, 100));
  if (check.failed >= kCertain && !pacing_.contested(end.responder)) contest(end, now);
}

/// What it was asked so far, and did not answer, is no loss.
void Engine::State::contest(End& end, Instant now) {
  pacing_.contest(end.responder, now);
  end.check.heard = std::max(end.check.heard, now);
  end.check.unanswered = 0;
  end.check.flows = 0;
  for (const auto& other : flows_) {
    if (other == nullptr || other->end != &end) continue;
    ++end.check.flows;
    for (const auto& live : other->live) {
      LiveProbe* const probe = live->aim() == 0 ? nullptr : live->find(live->aim(), 0);
      if (probe != nullptr) probe->trial = true;
    }
  }
}

/// A round of a destination whose answers others use up is over. It may be away meanwhile: one that answers neither
/// probes nor echo requests any more, or no probes for so long that whoever else asks would have left it one.
void Engine::State::note_contested(Flow& flow, const LiveRound& round, Instant now) {
  constexpr Duration kEchoEvery = std::chrono::seconds(10);
  constexpr Duration kCheckEvery = std::chrono::seconds(30);
  constexpr std::uint32_t kLeast = 12;
  constexpr Duration kAway = std::chrono::seconds(60);
  constexpr Duration kOneFlow = std::chrono::seconds(300);
  constexpr std::uint32_t kFewFlows = 4;
  if (!pacing_.contested(flow.end->responder)) return;
  SilenceCheck& check = flow.end->check;
  round.each_sent([&](const LiveProbe& probe) {
    if (probe.hop.ttl == round.aim() && probe.state == LiveProbe::State::timed_out) ++check.unanswered;
    if (probe.hop.ttl + 1 == round.aim() && probe.answered()) check.router_heard = now;
  });
  // Loss keeps it silent at any rate; who finds that it has answers left judges it again.
  if (check.state == SilenceCheck::State::over && now - check.at > kCheckEvery) {
    want_check(flow, kMost, now);
  }
  if (check.unanswered == 0) return;
  const Duration quiet = now - check.heard;
  if (now - check.echo_sent >= kEchoEvery && quiet > kEchoEvery) {
    check.echo_sent = now;
    plan_echoes(flow, 1, now);
  }
  // That it answers echo requests says that it is there. That no probe gets to it over any flow is another matter: of
  // one flow it may be, unless the router before it is heard.
  const bool passed = round.aim() == 1 || check.flows >= kFewFlows || now - check.router_heard < kAway;
  const bool there = check.echoes && check.echoes_missed == 0;
  const bool away = check.echoes && check.echoes_missed >= kEchoes && quiet > kEchoEvery * kEchoes &&
                    now - check.echo_missed > kEchoEvery * (kEchoes - 1);
  const bool long_quiet = check.unanswered >= kLeast && quiet > (there ? kOneFlow : kAway);
  if (away || (long_quiet && !(there && passed))) {
    check.dead = true;
    pacing_.end_contest(flow.end->responder, true, now);
  }
}

/// A destination that answers with ICMP errors has answered, or has not though it was asked.
void Engine::State::note_end(Flow& flow, const LiveRound& round, Instant now) {
  if (flow.end == nullptr) return;
  constexpr int kLossy = 32;
  if (round.end_to_end() == EndToEnd::lost) flow.lossy = static_cast<std::uint8_t>(std::min(flow.lossy + kLossy, 255));
  if (round.end_to_end() == EndToEnd::reached) {
    flow.lossy = static_cast<std::uint8_t>(flow.lossy - (flow.lossy + 7) / 8);
    const std::uint32_t steady = flow.end->steady_flow.value_or(flow.number);
    const bool gone = steady >= flows_.size() || flows_[steady] == nullptr || flows_[steady]->end != flow.end;
    if (gone || flow.lossy <= flows_[steady]->lossy) flow.end->steady_flow = flow.number;
    ask_echoes(flow, now);
  }
  if (round.nearer() && flow.distance > 1) flow.paces[flow.distance - 2u].urgent = 1;
  if (round.distance() != 0 && (round.end_to_end() == EndToEnd::reached || flow.end->distance == 0)) {
    constexpr std::uint8_t kAlike = 64;
    End& end = *flow.end;
    if (end.distance != 0 && end.distance != round.distance()) {
      end.mixed = kAlike;
    } else if (end.mixed > 0) {
      --end.mixed;
    }
    end.distance = round.distance();
  }
  const std::uint8_t aim = round.aim();
  if (aim == 0 || flow.end->responder == 0) return;
  round.each_sent([&](const LiveProbe& probe) {
    if (probe.hop.ttl == aim && flow.end->unpaced == nullptr && probe.charged == flow.end->responder &&
        probe.state == LiveProbe::State::timed_out)
      pacing_.silent(probe.charged, probe.sent, now);
  });
  note_contested(flow, round, now);
}

FlowCodec Engine::State::control_codec(const FiveTuple& tuple) const {
  return {Protocol::icmp, derive_flow_secret(options_.secret, tuple)};
}

void Engine::State::send_controls(Instant now) {
  constexpr std::uint8_t kTtl = 64;
  while (!controls_.empty() && controls_.top().due <= now && batch_.size() < maximum_) {
    const Control control = controls_.top();
    controls_.pop();
    const Flow* const flow = control.flow < flows_.size() ? flows_[control.flow].get() : nullptr;
    if (flow == nullptr || flow->end == nullptr || flow->tuple.destination != control.destination) continue;
    if (flow->tuple.source.is_unspecified() || bucket_.available(now) > now) continue;
    bucket_.take(now);
    FiveTuple tuple = flow->tuple;
    tuple.protocol = Protocol::icmp;
    tuple.source_port = static_cast<std::uint16_t>(kControlIdentifier + control_round_ % kControlIdentifiers);
    tuple.destination_port = 0;
    const auto size = static_cast<std::uint16_t>(packet::minimum_size(tuple.destination.family(), Protocol::icmp));
    packet::ProbeDatagram datagram{.tuple = tuple, .dscp = flow->plan->dscp, .total_size = size};
    tuple.source = {};
    control_codec(tuple).encode({.ttl = kTtl, .round = control_round_}, datagram);
    control_round_ = static_cast<std::uint8_t>((control_round_ + 1) % ProbeIdentity::kRounds);
    const ByteView bytes = packet::write_probe(datagram, MutableBytes(bytes_).subspan(bytes_used_, size));
    bytes_used_ += size;
    batch_.push_back({.bytes = bytes, .flow = control.flow});
    handed_.push_back({kNoFlow, 0, 0, 0});
    ++counters.probes_sent[static_cast<std::size_t>(Protocol::icmp)];
    flow->end->check.echo_sent = now;
    if (flow->end->check.echoes_missed == 0) flow->end->check.echo_missed = now;
    if (flow->end->check.echoes_missed < UINT8_MAX) ++flow->end->check.echoes_missed;
  }
}

bool Engine::State::on_control(const packet::EchoReply& reply, Instant at) {
  if (reply.identifier < kControlIdentifier || reply.identifier >= kControlIdentifier + kControlIdentifiers)
    return false;
  const auto end = ends_.find(reply.from);
  if (end == ends_.end()) return false;
  const FiveTuple tuple{.source = {},
                        .destination = reply.from,
                        .protocol = Protocol::icmp,
                        .source_port = reply.identifier,
                        .destination_port = 0};
  if (!control_codec(tuple).decode_echo(reply)) return false;
  SilenceCheck& check = end->second.check;
  check.echoes = true;
  check.echoes_missed = 0;
  if (at >= check.at && check.state == SilenceCheck::State::under_way) ++check.echoes_of_check;
  return true;
}

}  // namespace ecmp
