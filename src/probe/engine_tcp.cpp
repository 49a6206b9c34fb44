// What comes back of a SYN. The destination's TCP has a state of its own: it answers a SYN for the sake of an earlier
// one, answers twice, or answers late. None of that may look like the network's doing (docs/adr/0023).
#include <algorithm>
#include <utility>

#include "packet/message.hpp"
#include "packet/probe_datagram.hpp"
#include "probe/engine_state.hpp"

namespace ecmp {
namespace {

/// How near the age of a probe must come to the flow's usual RTT for an answer that names none to be its own.
bool plausible(Duration age, Duration usual) {
  if (usual == Duration{}) return true;
  constexpr Duration kSlack = std::chrono::milliseconds(10);
  return age >= usual / 2 && age <= 2 * usual + kSlack;
}

}  // namespace

void Engine::State::on_segment(const packet::TcpSegment& segment, Instant at, RoundSink& rounds) {
  Flow* flow = find(segment.from, Protocol::tcp, segment.destination_port, segment.source_port);
  if (flow == nullptr) return ignore(Ignored::unknown_flow);
  if (!segment.ack || segment.fin) return ignore(Ignored::bad_identity);
  // A RST may say in words why (RFC 9293 section 3.5.3), a SYN-ACK may carry data already (RFC 7413). An ACK with data
  // is of a connection of somebody else.
  if (!segment.rst && !segment.syn && segment.payload_size != 0) return ignore(Ignored::bad_identity);
  // RFC 9293 section 3.10.7: what answers a SYN acknowledges its sequence number plus one, plus the payload if the
  // answer is a RST of a closed port and the SYN carried one.
  const auto payload = static_cast<std::uint32_t>(
      flow->packet_size - packet::minimum_size(flow->tuple.destination.family(), Protocol::tcp));
  auto identity = flow->codec.decode_sequence(segment.acknowledgement - 1);
  if (!identity && payload > 0) identity = flow->codec.decode_sequence(segment.acknowledgement - 1 - payload);

  Answer answer{.at = at, .from = segment.from, .reply_ttl = segment.reply_ttl};
  // A number of ours: the segment is of no connection of this host's own, so that a RST harms none.
  if (identity && !segment.rst) resets_.await(flow->number, segment.acknowledgement, segment.to, at);
  if (!segment.rst && !segment.syn) {
    answer.kind = packet::ReplyKind::challenge_ack;
    return on_bare_ack(*flow, identity, answer, rounds);
  }
  answer.kind = segment.syn ? packet::ReplyKind::syn_ack : packet::ReplyKind::rst;
  if (!identity) {
    // A listener that answers for what the exporter, before it was started anew, has left half open.
    if (segment.syn) mark_undecided(*flow, nullptr, Instant::min(), at);
    return ignore(Ignored::bad_identity);
  }
  if (segment.syn) return on_syn_ack(*flow, *identity, answer, rounds);
  close(*flow, *identity, answer, rounds);
}

void Engine::State::on_syn_ack(Flow& flow, const ProbeIdentity& identity, const Answer& answer, RoundSink& rounds) {
  LiveRound* round = find_round(flow, identity.round);
  LiveProbe* probe = round == nullptr ? nullptr : round->find(identity.ttl, identity.attempt);
  const Duration rtt = probe == nullptr ? Duration{} : answer.at - probe->sent;
  if (probe != nullptr && probe->state == LiveProbe::State::sent && rtt <= flow.plan->timeout) {
    const AnswerPace::Verdict verdict = judge(flow, *round, *probe, answer.at);
    if (verdict == AnswerPace::Verdict::answer) return close(flow, *round, *probe, answer, rounds);
    if (verdict == AnswerPace::Verdict::undecided && probe->gap == Unobserved::none) probe->gap = Unobserved::tcp_state;
    if (verdict == AnswerPace::Verdict::later_ones) mark_undecided(flow, nullptr, probe->sent, answer.at);
    return ignore(Ignored::resent);
  }
  // Of a SYN that has its fate: sent again by a timer, or, by FreeBSD, as the answer to a later SYN. Of the two, only
  // the second says something of the later one: the destination has heard it, and who else it has heard is not known.
  const bool timed_out = probe != nullptr && probe->state != LiveProbe::State::answered;
  const bool by_timer = timed_out && AnswerPace(flow.syn_acks).judge(rtt, {}, {}) == AnswerPace::Verdict::resent;
  if (!by_timer) {
    const LiveRound* settled = probe != nullptr && probe->answered() ? round : nullptr;
    mark_undecided(flow, settled, probe == nullptr ? Instant::min() : probe->sent, answer.at);
    // A further attempt of the same round only confirms what is known to be lost.
    const bool one = candidates_.size() == 1 && candidates_.front().round == round;
    if (one && timed_out) return close(flow, *round, *candidates_.front().probe, answer, rounds);
  }
  close(flow, identity, answer, rounds);  // late, or a duplicate
}

/// The destination has heard a probe that was sent after `after`, and not of the round `settled`, which has its answer.
void Engine::State::mark_undecided(Flow& flow, const LiveRound* settled, Instant after, Instant now) {
  end_candidates(flow, after, now);
  std::erase_if(candidates_, [&](const EndCandidate& each) {
    return each.round == settled || !plausible(now - each.probe->sent, flow.syn_acks.usual());
  });
  for (const EndCandidate& candidate : candidates_)
    if (candidate.probe->gap == Unobserved::none) candidate.probe->gap = Unobserved::tcp_state;
}

/// A bare ACK answers a SYN that met what an earlier one left (RFC 9293 section 3.10.7.4, RFC 5961 section 4). It
/// acknowledges the earlier one: so it proves that one of the later ones has arrived, and does not say which.
void Engine::State::on_bare_ack(Flow& flow, const std::optional<ProbeIdentity>& identity, const Answer& answer,
                                RoundSink& rounds) {
  Instant after = Instant::min();
  const LiveRound* settled = nullptr;  // it has its answer: what else of it is still out is beyond the destination
  if (identity) {
    LiveRound* round = find_round(flow, identity->round);
    const LiveProbe* probe = round == nullptr ? nullptr : round->find(identity->ttl, identity->attempt);
    if (probe != nullptr) after = probe->sent;
    if (probe != nullptr && probe->answered()) settled = round;
  }
  end_candidates(flow, after, answer.at);
  std::erase_if(candidates_, [&](const EndCandidate& each) { return each.round == settled; });
  if (candidates_.empty()) return ignore(identity ? Ignored::late : Ignored::bad_identity);
  if (identity && candidates_.size() > 1 && flow.syn_acks.usual() != Duration{}) {
    const auto others = std::ranges::partition(candidates_, [&](const EndCandidate& each) {
      return plausible(answer.at - each.probe->sent, flow.syn_acks.usual());
    });
    if (others.begin() - candidates_.begin() == 1) candidates_.resize(1);
  }
  if (identity && candidates_.size() == 1)
    return close(flow, *candidates_.front().round, *candidates_.front().probe, answer, rounds);
  for (const EndCandidate& candidate : candidates_)
    if (candidate.probe->gap == Unobserved::none) candidate.probe->gap = Unobserved::tcp_state;
  ignore(Ignored::bad_identity);
}

/// Fills `candidates_` with the probes that can have made the destination speak just now: sent after `after`, far
/// enough to reach it, and neither answered nor timed out.
void Engine::State::end_candidates(Flow& flow, Instant after, Instant now) {
  candidates_.clear();
  for (const auto& live : flow.live) {
    if (live->over()) continue;
    std::uint8_t passed = 0;
    live->each_probe([&](const LiveProbe& probe) {
      if (probe.time_exceeded()) passed = std::max(passed, probe.hop.ttl);
    });
    live->each_probe([&](LiveProbe& probe) {
      if (probe.state != LiveProbe::State::sent || probe.sent <= after || probe.sent > now) return;
      if (now - probe.sent > flow.plan->timeout || probe.hop.ttl <= passed) return;
      if (flow.distance == 0 || probe.hop.ttl >= flow.distance) candidates_.push_back({live.get(), &probe});
    });
  }
}

AnswerPace::Verdict Engine::State::judge(Flow& flow, LiveRound& round, const LiveProbe& probe, Instant at) {
  // The last two hops: a way that has become long is so for both, while one alone may only be slow to answer.
  const LiveProbe* last = nullptr;
  const LiveProbe* before = nullptr;
  round.each_probe([&](const LiveProbe& each) {
    if (!each.time_exceeded()) return;
    if (last == nullptr || each.hop.ttl > last->hop.ttl) before = std::exchange(last, &each);
  });
  Duration on_the_way = last == nullptr ? Duration{} : last->hop.rtt;
  if (before != nullptr) on_the_way = std::min(on_the_way, before->hop.rtt);
  Duration elsewhere{};
  if (flow.syn_acks.usual() == Duration{}) {
    const auto look = [&](std::uint32_t number) {
      const Flow* other = number < flows_.size() ? flows_[number].get() : nullptr;
      if (other == nullptr || other->plan != flow.plan) return false;
      const Duration usual = other->syn_acks.usual();
      if (usual != Duration{} && (elsewhere == Duration{} || usual < elsewhere)) elsewhere = usual;
      return true;
    };
    for (std::uint32_t number = flow.number + 1; look(number); ++number) {
    }
    for (std::uint32_t number = flow.number; number > 0 && look(number - 1); --number) {
    }
  }
  const Duration expected = flow.syn_acks.usual() != Duration{} ? flow.syn_acks.usual() : elsewhere;
  // A further attempt counts nowhere, so that it does not matter which of them the destination has heard.
  if (probe.attempt > 0 && flow.distance != 0)
    return AnswerPace(flow.syn_acks).judge(at - probe.sent, elsewhere, on_the_way);
  bool later_fits = false;
  if (expected != Duration{} && !plausible(at - probe.sent, std::max(expected, on_the_way))) {
    end_candidates(flow, probe.sent, at);
    later_fits = std::ranges::any_of(
        candidates_, [&](const EndCandidate& each) { return plausible(at - each.probe->sent, expected); });
  }
  return flow.syn_acks.judge(at - probe.sent, elsewhere, on_the_way, later_fits);
}

void Engine::State::see_reset(ByteView datagram) {
  const packet::Message message = packet::parse(datagram);
  const auto* segment = std::get_if<packet::TcpSegment>(&message);
  if (segment == nullptr || !segment->rst) return;
  const Flow* flow = find(segment->to, Protocol::tcp, segment->source_port, segment->destination_port);
  if (flow != nullptr) resets_.seen(flow->number, segment->sequence);
}

/// A SYN without an answer may have reached the destination all the same. What it began there would change, or swallow,
/// the answer to the flow's next one.
void Engine::State::end_unanswered(const Flow& flow, LiveRound& round, Instant now) {
  if (flow.tuple.protocol != Protocol::tcp || flow.distance == 0 || flow.tuple.source.is_unspecified()) return;
  round.each_probe([&](LiveProbe& probe) {
    if (probe.state != LiveProbe::State::timed_out || probe.ended || probe.hop.ttl < flow.distance) return;
    probe.ended = true;
    packet::ProbeDatagram sent;
    flow.codec.encode({.ttl = probe.hop.ttl, .round = round.round_field(), .attempt = probe.attempt}, sent);
    resets_.end(flow.number, sent.sequence + 1, flow.tuple.source, now);
  });
}

void Engine::State::send_resets(Instant now) {
  while (batch_.size() < maximum_) {
    if (const Instant free = bucket_.available(now); free > now) {
      blocked_until_ = free;
      return;
    }
    const auto reset = resets_.take(now);
    if (!reset) return;
    const Flow* flow = reset->flow < flows_.size() ? flows_[reset->flow].get() : nullptr;
    if (flow == nullptr) continue;
    packet::ProbeDatagram like{.tuple = flow->tuple, .dscp = flow->plan->dscp, .flow_label = flow->codec.flow_label()};
    like.tuple.source = reset->source;
    like.sequence = reset->sequence;
    const ByteView bytes = packet::write_reset(like, MutableBytes(bytes_).subspan(bytes_used_, packet::kResetSize));
    if (bytes.empty()) continue;
    bucket_.take(now);
    bytes_used_ += bytes.size();
    batch_.push_back({.bytes = bytes, .flow = flow->number});
    handed_.push_back({kNoFlow, 0, 0, 0});
    ++counters.resets_sent;
  }
}

}  // namespace ecmp
