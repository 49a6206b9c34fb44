#include "probe/streams.hpp"

#include "packet/probe_datagram.hpp"
#include "stamp/tlv.hpp"

namespace ecmp {
namespace {

/// RFC 8762 section 3: enough for any path, and what it lost on the way says how many routers there are.
constexpr std::uint8_t kStreamTtl = 255;
/// The highest bit is the trace's.
constexpr std::uint32_t kSequences = 0x7fffffffu;

ByteView key_of(const StreamTerms& terms) {
  return terms.key == nullptr ? ByteView() : ByteView(*terms.key);
}

stamp::Mode mode_of(ByteView key) {
  return key.empty() ? stamp::Mode::open : stamp::Mode::authenticated;
}

}  // namespace

std::optional<stamp::Reply> read_stamp_reply(const packet::UdpDatagram& datagram, ByteView key) {
  if (!key.empty() && !stamp::is_sealed(key, datagram.payload)) return std::nullopt;
  auto reply = stamp::read_reply(mode_of(key), datagram.payload);
  if (reply && reply->error.multiplier == 0) return std::nullopt;
  return reply;
}

void Streams::add(std::uint32_t flow, const StreamTerms& terms, Instant first) {
  if (streams_.size() <= flow) streams_.resize(flow + 1);
  streams_[flow] = std::make_unique<Stream>(terms);
  streams_[flow]->due = first;
  timers_.push(first, flow);
}

void Streams::remove(std::uint32_t flow) {
  if (has(flow)) streams_[flow].reset();
}

void Streams::set_source(std::uint32_t flow, const IpAddress& source) {
  if (has(flow)) streams_[flow]->terms.tuple.source = source;
}

void Streams::set_resting(std::uint32_t flow, bool resting) {
  if (has(flow)) streams_[flow]->resting = resting;
}

void Streams::set_timeout(std::uint32_t flow, Duration timeout) {
  if (has(flow)) streams_[flow]->loss.set_timeout(timeout);
}

StreamReport Streams::report_of(std::uint32_t flow, const Stream& stream, Instant at) {
  StreamReport report;
  report.flow = flow;
  report.at = at;
  report.mode = stream.loss.mode();
  report.answered = stream.answered;
  return report;
}

std::optional<std::uint32_t> Streams::next(Instant now, RoundSink& sink) {
  while (!timers_.empty() && timers_.top().at <= now) {
    const auto entry = timers_.top();
    timers_.pop();
    if (!has(entry.flow) || streams_[entry.flow]->due != entry.at) continue;
    Stream& stream = *streams_[entry.flow];
    // What could not leave in time is left out: a burst would measure its own queue.
    stream.due += stream.terms.interval * ((now - stream.due) / stream.terms.interval + 1);
    timers_.push(stream.due, entry.flow);
    StreamReport report = report_of(entry.flow, stream, now);
    stream.loss.settle(now, settled_);
    report.counts = settled_.counts;
    report.packets = settled_.packets;
    report.mode = stream.loss.mode();
    std::swap(report.duplicates_forward, stream.duplicates_forward);
    std::swap(report.duplicates_reverse, stream.duplicates_reverse);
    sink.on_stream(report);
    if (!stream.resting && !stream.terms.tuple.source.is_unspecified()) return entry.flow;
  }
  return std::nullopt;
}

Streams::Written Streams::write(std::uint32_t flow, Instant now, MutableBytes out) {
  Stream& stream = *streams_[flow];
  if (stream.loss.wants_skip()) {
    stream.loss.skipped();
    ++stream.sequence;
  }
  const std::uint32_t sequence = stream.sequence & kSequences;
  if (sequence < 2 && stream.sequence > kSequences) stream.loss.forget();  // a wrap within 31 bits is a new beginning
  ++stream.sequence;
  const WallTime wall(now.time_since_epoch() + wall_offset_);
  const packet::ProbeDatagram datagram{.tuple = stream.terms.tuple,
                                       .ttl = kStreamTtl,
                                       .dscp = stream.terms.dscp,
                                       .flow_label = stream.terms.flow_label,
                                       .total_size = stream.terms.packet_size};
  const packet::StampContent content{.request = {.sequence = sequence,
                                                 .sent = stamp::to_wire(wall, false),
                                                 .error = clock_,
                                                 .ssid = stream.terms.ssid},
                                     .key = key_of(stream.terms),
                                     .routers = stream.routers_back};
  stream.loss.sent(sequence, now);
  return {packet::write_stamp(datagram, content, out), sequence};
}

void Streams::on_sent(std::uint32_t flow, std::uint32_t sequence, Instant at, bool left) {
  if (!has(flow)) return;
  if (left) {
    streams_[flow]->loss.set_sent(sequence, at);
  } else {
    streams_[flow]->loss.unsent(sequence);
  }
}

void Streams::on_outgoing(std::uint32_t flow, std::uint32_t sequence, Instant at) {
  if (has(flow)) streams_[flow]->loss.set_sent(sequence, at);
}

void Streams::on_reply(std::uint32_t flow, const packet::UdpDatagram& datagram, const stamp::Reply& reply, Instant at,
                       RoundSink& sink) {
  if (!has(flow)) return;
  Stream& stream = *streams_[flow];
  stamp::StreamReply answer{.sender_sequence = reply.request_sequence,
                            .reflector_sequence = reply.sequence,
                            .reflected = reply.sent,
                            .receipts = std::nullopt};
  StreamReport report = report_of(flow, stream, at);
  report.answered = at;
  StreamExchange exchange{.times = std::nullopt,
                          .ttl_there = reply.request_ttl,
                          .ttl_back = datagram.reply_ttl,
                          .synchronised = reply.error.synchronised,
                          .delay = std::nullopt,
                          .back = std::nullopt};
  const std::size_t base = stamp::base_size(mode_of(key_of(stream.terms)));
  if (datagram.payload.size() > base) {
    const auto tlv = stamp::find_answered(datagram.payload.subspan(base), stamp::tlv::kOwn);
    if (const auto own = tlv ? stamp::read_own_tlv(tlv->value) : std::nullopt) {
      answer.receipts = stamp::Receipts{own->epoch, own->highest, own->arrived};
      exchange.back = own->back;
    }
  }
  const auto sent = stream.loss.sent_at(reply.request_sequence);
  switch (stream.loss.reply(answer, at)) {
    case stamp::ReplyFate::first:
      break;
    case stamp::ReplyFate::duplicate_forward:
      ++stream.duplicates_forward;
      return;
    case stamp::ReplyFate::duplicate_reverse:
      ++stream.duplicates_reverse;
      return;
    default:
      return;
  }
  stream.answered = at;
  stream.routers_back = static_cast<std::uint8_t>(kStreamTtl - datagram.reply_ttl);
  const WallTime near(at.time_since_epoch() + wall_offset_);
  if (stamp::has_times(reply, near)) {
    exchange.times = {.sent = *sent,
                      .arrived = stamp::from_wire(reply.received, reply.error.ptp, near),
                      .replied = stamp::from_wire(reply.sent, reply.error.ptp, near),
                      .received = at};
    exchange.delay = stamp::absolute_delay(*exchange.times, wall_offset_, clock_, reply.error);
  }
  report.exchange = exchange;
  sink.on_stream(report);
}

void Streams::on_trace_reply(std::uint32_t flow, std::uint32_t reflector_sequence) {
  if (has(flow)) streams_[flow]->loss.foreign_reply(reflector_sequence);
}

void Streams::on_gap(std::uint32_t flow) {
  if (has(flow)) streams_[flow]->loss.forget();
}

}  // namespace ecmp
