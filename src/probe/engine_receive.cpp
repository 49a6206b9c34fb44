#include <algorithm>
#include <utility>

#include "packet/message.hpp"
#include "probe/engine_state.hpp"

namespace ecmp {

using packet::ReplyKind;

void Engine::State::on_captured(const Captured& datagram, RoundSink& rounds) {
  if (datagram.direction == Direction::outgoing) {
    on_outgoing(datagram);
    return;
  }
  const packet::Message message = packet::parse(datagram.bytes);
  if (const auto* error = std::get_if<packet::IcmpError>(&message)) return on_error(*error, datagram.at, rounds);
  if (const auto* echo = std::get_if<packet::EchoReply>(&message)) return on_echo(*echo, datagram.at, rounds);
  if (const auto* segment = std::get_if<packet::TcpSegment>(&message)) return on_segment(*segment, datagram.at, rounds);
  if (const auto* udp = std::get_if<packet::UdpDatagram>(&message)) return on_datagram(*udp, datagram.at, rounds);
  if (std::get<packet::ParseError>(message) != packet::ParseError::irrelevant) ignore(Ignored::malformed);
}

void Engine::State::on_gap(const Gap& gap) {
  const auto tell = [this, &gap](Flow* flow) {
    if (flow == nullptr) return;
    // Which of their silences are ours is not looked up: what is known of the destination's limit begins anew.
    if (flow->end != nullptr && flow->end->unpaced != nullptr) *flow->end->unpaced = UnpacedProbes();
    for (const auto& round : flow->live)
      if (!round->over()) round->on_gap(gap);
    streams_.on_gap(flow->number);
  };
  for (const std::uint32_t number : gap.flows)
    if (number < flows_.size()) tell(flows_[number].get());
  if (!gap.flows.empty()) return;
  for (const auto& flow : flows_)
    tell(flow.get());
}

/// Our own probe on its way out: the capture's stamp is when it went to the interface, which is what an RTT counts
/// from.
void Engine::State::on_outgoing(const Captured& datagram) {
  if (resets_.any()) see_reset(datagram.bytes);
  if (const Departed* const left = departures_.take(datagram.bytes)) {
    stamp(find_probe(*left), datagram.at);
    return;
  }
  const auto parsed = packet::parse_probe(datagram.bytes);
  const auto* quote = std::get_if<packet::Quote>(&parsed);
  if (quote == nullptr) return;
  const FiveTuple& tuple = quote->tuple;
  Flow* flow = find(tuple.destination, tuple.protocol, tuple.source_port, tuple.destination_port);
  if (flow == nullptr) return;
  if (flow->plan->stamp && is_of_stream(*quote))
    return streams_.on_outgoing(flow->number, load32(quote->payload, 0), datagram.at);
  const auto decoded = flow->codec.decode(*quote);
  if (decoded.match != FlowCodec::Decoded::Match::full) return;
  LiveRound* round = find_round(*flow, decoded.identity.round);
  if (round == nullptr) return;
  const ProbeIdentity& identity = decoded.identity;
  if (stamp(round->find(identity.ttl, identity.attempt), datagram.at))
    departures_.pass({flow->number, round->number(), identity.ttl, identity.attempt});
}

/// Null if it is under way no more.
LiveProbe* Engine::State::find_probe(const Departed& probe) {
  Flow* const flow = flows_[probe.flow].get();
  if (flow == nullptr) return nullptr;
  for (const auto& round : flow->live)
    if (round->number() == probe.round) return round->find(probe.ttl, probe.attempt);
  return nullptr;
}

/// Whether `probe`, where there is one, has left just now as far as the capture shows.
bool Engine::State::stamp(LiveProbe* probe, Instant at) {
  // The first stamp counts: a tunnel may send the same probe again. It may lie a hair before the time of handing over,
  // since the two clocks are mapped onto each other; what lies further off is of something else.
  constexpr Duration kSlack = std::chrono::milliseconds(1);
  if (probe == nullptr || probe->state != LiveProbe::State::sent || probe->stamped) return false;
  if (at < probe->sent - kSlack) return false;
  probe->sent = at;
  probe->stamped = true;
  return true;
}

void Engine::State::on_error(const packet::IcmpError& error, Instant at, RoundSink& rounds) {
  const FiveTuple& tuple = error.quote.tuple;
  Flow* flow = find(tuple.destination, tuple.protocol, tuple.source_port, tuple.destination_port);
  if (flow == nullptr) return ignore(Ignored::unknown_flow);
  if (flow->plan->stamp && is_of_stream(error.quote)) return;
  Answer answer{.at = at,
                .from = error.from,
                .kind = packet::reply_kind(error.from.family(), error.type, error.code),
                .reply_ttl = error.reply_ttl,
                .icmp_type = error.type,
                .icmp_code = error.code,
                .quoted_ttl = error.quote.ttl};
  for (const auto& round : flow->live) {
    LiveProbe* const probe = round->find(flow->codec, error.quote);
    if (probe == nullptr) continue;
    answer.notes = note(*flow, probe->hop.ttl, false, error);
    return close(*flow, *round, *probe, answer, rounds);
  }
  const auto decoded = flow->codec.decode(error.quote);
  bool shifted = false;
  if (!believe(*flow, decoded, shifted)) return ignore(Ignored::bad_identity);
  answer.notes = note(*flow, decoded.identity.ttl, shifted, error);
  close(*flow, decoded.identity, answer, rounds);
}

void Engine::State::on_echo(const packet::EchoReply& reply, Instant at, RoundSink& rounds) {
  Flow* flow = find(reply.from, Protocol::icmp, reply.identifier, 0);
  if (flow == nullptr) {
    if (!on_control(reply, at)) ignore(Ignored::unknown_flow);
    return;
  }
  const auto identity = flow->codec.decode_echo(reply);
  if (!identity) return ignore(Ignored::bad_identity);
  close(*flow, *identity, {.at = at, .from = reply.from, .kind = ReplyKind::echo_reply, .reply_ttl = reply.reply_ttl},
        rounds);
}

/// Decides whether a decoded quote is believed. One whose transport word was rewritten is, once another probe of the
/// same flow and TTL has shown the same offset: behind a NAT every answer comes like that, a forger would have to hit
/// 32 bits. It must be another probe, for the same datagram sent twice shows the same offset twice, whatever it says:
/// with a guessed IP-ID alone, 16 bits, that would be enough. `confirmed`: it is off, as that of another probe was.
bool Engine::State::believe(Flow& flow, const FlowCodec::Decoded& decoded, bool& confirmed) {
  using Match = FlowCodec::Decoded::Match;
  confirmed = false;
  if (decoded.match == Match::none) return false;
  const bool full = decoded.match == Match::full;
  if (full && decoded.offset == 0) return true;
  const ProbeIdentity& identity = decoded.identity;
  LiveRound* round = find_round(flow, identity.round);
  if (round == nullptr || round->find(identity.ttl, identity.attempt) == nullptr) return full;
  flow.offsets.resize(flow.plan->max_ttl);
  auto& seen = flow.offsets[identity.ttl - 1u];
  if (!seen || seen->offset != decoded.offset) seen = {.offset = decoded.offset, .shown_by = identity};
  if (seen->shown_by != identity) seen->confirmed = true;
  confirmed = seen->confirmed;
  return full || confirmed;
}

/// What the reply tells beyond who sent it, nothing as a rule.
packet::KeptMpls Engine::State::note(Flow& flow, std::uint8_t ttl, bool shifted, const packet::IcmpError& error) {
  const packet::Quote& quote = error.quote;
  const auto sent = static_cast<std::uint8_t>(flow.plan->dscp << 2);
  const bool moved = quote.tuple.source != flow.tuple.source && quote.tuple.source != flow.former_source;
  const bool remarkable = error.mpls.depth > 0 || !error.interfaces.empty() || error.mtu != 0 || moved || shifted ||
                          quote.traffic_class != sent;
  if (!remarkable || ttl > flow.plan->max_ttl) return {};
  packet::ReplyNotes notes{.mpls = error.mpls, .interfaces = error.interfaces};
  notes.sent_traffic_class = sent;
  notes.quoted_traffic_class = quote.traffic_class;
  if (moved) notes.quoted_source = quote.tuple.source;
  (flow.tuple.protocol == Protocol::tcp ? notes.sequence_shifted : notes.checksum_shifted) = shifted;
  notes.mtu = error.mtu;
  flow.notes.resize(flow.plan->max_ttl);
  packet::KeptMpls& kept = flow.notes[ttl - 1u];
  if (kept.notes() == nullptr || *kept.notes() != notes) kept = packet::KeptMpls(std::move(notes));
  return kept;
}

LiveRound* Engine::State::find_round(Flow& flow, std::uint8_t round_field) {
  for (const auto& round : flow.live) {
    if (round->round_field() == round_field) return round.get();
  }
  return nullptr;
}

void Engine::State::close(Flow& flow, const ProbeIdentity& identity, const Answer& answer, RoundSink& rounds) {
  LiveRound* round = find_round(flow, identity.round);
  if (round == nullptr) {
    const bool same = flow.last_over % ProbeIdentity::kRounds == identity.round && flow.first_round_over;
    return ignore(same && flow.last_answered.test(identity.ttl) ? Ignored::duplicate : Ignored::late);
  }
  LiveProbe* probe = round->find(identity.ttl, identity.attempt);
  if (probe == nullptr) return ignore(Ignored::bad_identity);
  close(flow, *round, *probe, answer, rounds);
}

namespace {

/// Whether a packet can come from here over a network (RFC 1122 section 3.2.1.3, RFC 4291 section 2.7): no host has an
/// unspecified, multicast or broadcast address, and loopback ones are this host's, which is on the way to itself alone.
bool is_source(const IpAddress& from, const IpAddress& destination) {
  if (from.is_unspecified() || from.is_multicast() || from == IpAddress::v4(0xffffffff)) return false;
  return !from.is_loopback() || destination.is_loopback();
}

}  // namespace

void Engine::State::close(Flow& flow, LiveRound& round, LiveProbe& probe, const Answer& answer, RoundSink& rounds) {
  if (probe.answered()) return ignore(Ignored::duplicate);
  const Duration rtt = answer.at - probe.sent;
  // One fate per probe: what is slower than the timeout is a timeout, whenever we come to read it.
  if (probe.state != LiveProbe::State::sent || rtt > flow.plan->timeout) return ignore(Ignored::late);
  if (flow.stamped && !probe.stamped && probe.gap == Unobserved::none && answer.from != flow.tuple.destination &&
      answer.kind != ReplyKind::time_exceeded && answer.kind != ReplyKind::udp) {
    // Our own kernel gives a probe back that it could not deliver to a neighbour: nobody in the network refused it.
    ++counters.send_errors[static_cast<std::size_t>(SendError::never_left)];
    round.on_send_failed(probe);
    withdraw(flow, probe);
    if (round.quiet()) settle(flow, round, answer.at);
    hand_over(flow, answer.at, rounds);
    schedule(flow);
    return;
  }
  if (!is_source(answer.from, flow.tuple.destination)) return ignore(Ignored::bad_source);
  probe.state = LiveProbe::State::answered;
  ++counters.probes_sent[static_cast<std::size_t>(flow.tuple.protocol)];
  HopResult& hop = probe.hop;
  hop.reply = answer.kind;
  hop.icmp_type = answer.icmp_type;
  hop.icmp_code = answer.icmp_code;
  hop.reply_ttl = answer.reply_ttl;
  hop.quoted_ttl = answer.quoted_ttl;
  hop.responder = answer.from;
  // The two stamps are of one clock, yet a stamp before sending and one by the kernel may cross by a hair on loopback.
  hop.rtt = std::max(rtt, Duration{0});
  hop.received = answer.at;
  hop.mpls = answer.notes;
  // A router that is asked for its own address is the destination as well: time exceeded is never its last word. Of UDP
  // only the destination answers, though a reflector may do it with another address.
  probe.destination = answer.kind == ReplyKind::udp ||
                      (answer.from == flow.tuple.destination && answer.kind != ReplyKind::time_exceeded);
  // As long as answered probes have stamps, one that has neither answer nor stamp did not leave (LiveRound).
  flow.stamped = probe.stamped;
  if (!probe.destination) {
    note_refusal(flow, probe.hop);
    withdraw(flow, probe);
  }
  learn_responder(flow, probe, round.aim(), round.is_burst());
  if (probe.attempt == 0) note_silences(flow, round, hop.ttl, answer.at);
  const bool replanned = round.on_answer(probe);
  const bool quiet = round.quiet();
  if (quiet) settle(flow, round, answer.at);
  if (!quiet && !replanned) return;  // a router on the way: the flow's timer stands
  hand_over(flow, answer.at, rounds);
  schedule(flow);
}

void Engine::State::learn_responder(Flow& flow, const LiveProbe& probe, std::uint8_t aim, bool in_burst) {
  constexpr std::uint32_t kUrgentRounds = 1;
  const HopResult& hop = probe.hop;
  HopPace& pace = flow.paces[hop.ttl - 1u];
  const std::uint32_t before = pace.responder;
  pace.responder = pacing_.number_of(hop.responder, before);
  if (probe.destination) note_destination(flow, probe);
  if (probe.destination && flow.end != nullptr && packet::is_error(hop.reply)) {
    flow.end->responder = pace.responder;
    flow.end->answered_flow = flow.number;
    flow.end->check.answered(hop.received);
    pacing_.guard(pace.responder, hop.received);
    // Nobody knew that it would be asked: it has used up an answer all the same.
    if (probe.charged != pace.responder) pacing_.charge(pace.responder, hop.received);
    if (!in_burst) note_answer(*flow.end, probe);
    if (probe.attempt > 0 || hop.ttl != aim) return;  // no fair sample
  }
  if (before != 0 && before != pace.responder) {
    pace.urgent = kUrgentRounds;
    flow.length.moved();
    if (pacing_.stands_for(before) != pace.responder) pacing_.charge(pace.responder, hop.received);
    pacing_.moved(before, pace.responder);
  }
  pacing_.answered(pace.responder, probe.sent, hop.rtt);
  if (probe.time_exceeded()) pacing_.heard_at(hop.responder.family(), hop.ttl, pace.responder);
}

/// Somebody has answered. Who is nearer, was asked before and has not, keeps silent: that shows long before the
/// timeout, so that a limit is met by few probes. Not only the destination's answer says so: it is not asked in every
/// round.
void Engine::State::note_silences(Flow& flow, LiveRound& round, std::uint8_t below, Instant now) {
  round.each_open(below, [&](const LiveProbe& probe) {
    HopPace& pace = flow.paces[probe.hop.ttl - 1u];
    const Family family = flow.tuple.destination.family();
    const std::uint32_t known = pace.responder != 0 ? pace.responder : pacing_.expected(family, probe.hop.ttl);
    const std::uint32_t number = pacing_.stands_for(known);
    if (number == 0) pace.quiet = 1;
    if (number == 0 || !pacing_.overdue(number, probe.sent, now)) return false;
    // A destination that was nearer once says nothing about the router that is there now.
    if (pacing_.address(number) == flow.tuple.destination) return false;
    pacing_.silent(number, probe.sent, now);
    pacing_.asked_at(family, probe.hop.ttl, number);
    return true;
  });
}

}  // namespace ecmp
