// Destinations with streams of STAMP packets: the packets of a stream, and the probes of a trace that look like them.
#include <algorithm>
#include <utility>

#include "packet/probe_datagram.hpp"
#include "probe/engine_state.hpp"

namespace ecmp {
namespace {

ByteView key_of(const Flow& flow) {
  return flow.plan->key == nullptr ? ByteView() : ByteView(*flow.plan->key);
}

Duration scaled(Duration duration, double factor) {
  return Duration(static_cast<Duration::rep>(static_cast<double>(duration.count()) * factor));
}

}  // namespace

void Engine::State::add_stream(const Flow& flow, Instant now, double share) {
  const DestinationPlan& plan = *flow.plan;
  streams_.add(flow.number,
               {.tuple = flow.tuple,
                .interval = plan.packet_interval,
                .timeout = plan.timeout,
                .packet_size = flow.packet_size,
                .dscp = plan.dscp,
                .flow_label = flow.codec.flow_label(),
                .ssid = flow.codec.stream_ssid(),
                .key = plan.key},
               now + scaled(plan.packet_interval, share));
  streams_.set_resting(flow.number, flow.resting);
  stream_ports_.emplace(flow.tuple.source_port, flow.number);
}

void Engine::State::remove_stream(const Flow& flow) {
  streams_.remove(flow.number);
  const auto [first, last] = stream_ports_.equal_range(flow.tuple.source_port);
  const auto own = std::find_if(first, last, [&](const auto& port) { return port.second == flow.number; });
  if (own != last) stream_ports_.erase(own);
}

void Engine::State::set_source(std::uint32_t number, const IpAddress& source, SendError why) {
  Flow& moved = *flows_[number];
  moved.no_source = why == SendError::none ? SendError::no_route : why;
  if (moved.tuple.source != source) moved.former_source = std::exchange(moved.tuple.source, source);
  streams_.set_source(number, source);
}

void Engine::State::send_streams(Instant now, RoundSink& rounds) {
  while (batch_.size() < maximum_) {
    // The limit of all probes: a stream keeps its pace as long as that is not used up.
    if (const Instant global = bucket_.available(now); global > now && streams_.next_due() <= now) {
      if (blocked_until_ <= now) ++counters.rate_limited;
      blocked_until_ = global;
      return;
    }
    const auto number = streams_.next(now, rounds);
    if (!number) return;
    const Flow& flow = *flows_[*number];
    bucket_.take(now);
    const auto written = streams_.write(*number, now, MutableBytes(bytes_).subspan(bytes_used_, flow.packet_size));
    bytes_used_ += flow.packet_size;
    batch_.push_back({.bytes = written.datagram, .flow = *number});
    handed_.push_back({*number, written.sequence, 0, 0, true});
  }
}

/// A probe of the trace.
std::pair<ByteView, ProbeMark> Engine::State::write(const Flow& flow, packet::ProbeDatagram& datagram,
                                                    const ProbeIdentity& identity) {
  const ProbeMark mark = flow.codec.encode(identity, datagram);
  const MutableBytes out = MutableBytes(bytes_).subspan(bytes_used_, flow.packet_size);
  if (!flow.plan->stamp) return {packet::write_probe(datagram, out), mark};
  // Its times are none: what it measures is measured by the stamps of this host alone.
  const ByteView bytes = packet::write_stamp(datagram,
                                             {.request = {.sequence = flow.codec.stamp_sequence(identity),
                                                          .sent = 0,
                                                          .error = stamp::kUnsynchronised,
                                                          .ssid = flow.codec.trace_ssid()},
                                              .key = key_of(flow)},
                                             out);
  return {bytes, mark};
}

/// Whether a datagram of ours is a packet of the flow's stream, and not a probe of its trace.
bool Engine::State::is_of_stream(const packet::Quote& quote) {
  return quote.payload.size() >= 4 && (load32(quote.payload, 0) & FlowCodec::kOfTrace) == 0;
}

/// A reflector with several addresses may answer with another one than was asked. Such a reply names its session: the
/// identifier returns as it was sent (RFC 8972 section 3), and in authenticated mode the HMAC is right as well.
Flow* Engine::State::find_by_session(const packet::UdpDatagram& datagram) {
  const auto [first, last] = stream_ports_.equal_range(datagram.destination_port);
  for (auto port = first; port != last; ++port) {
    Flow& flow = *flows_[port->second];
    if (flow.tuple.destination.family() != datagram.from.family() ||
        flow.tuple.destination_port != datagram.source_port)
      continue;
    const auto reply = read_stamp_reply(datagram, key_of(flow));
    if (!reply) continue;
    const bool of_trace = (reply->request_sequence & FlowCodec::kOfTrace) != 0;
    if (reply->ssid == (of_trace ? flow.codec.trace_ssid() : flow.codec.stream_ssid())) return &flow;
  }
  return nullptr;
}

void Engine::State::on_stamp_reply(Flow& flow, const packet::UdpDatagram& datagram, Instant at, RoundSink& rounds) {
  const auto reply = read_stamp_reply(datagram, key_of(flow));
  if (!reply) return ignore(Ignored::bad_identity);
  if ((reply->request_sequence & FlowCodec::kOfTrace) == 0) {
    if (reply->ssid != 0 && reply->ssid != flow.codec.stream_ssid()) return ignore(Ignored::bad_identity);
    return streams_.on_reply(flow.number, datagram, *reply, at, rounds);
  }
  const auto identity = flow.codec.decode_stamp(reply->request_sequence);
  if (!identity) return ignore(Ignored::bad_identity);
  streams_.on_trace_reply(flow.number, reply->sequence);
  close(flow, *identity,
        {.at = at, .from = datagram.from, .kind = packet::ReplyKind::udp, .reply_ttl = datagram.reply_ttl}, rounds);
}

bool Engine::has_streams() const {
  return state_->has_streams();
}
void Engine::set_clock(const stamp::ErrorEstimate& clock) {
  state_->set_clock(clock);
}

}  // namespace ecmp
