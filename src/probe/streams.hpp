#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "packet/five_tuple.hpp"
#include "packet/message.hpp"
#include "probe/round.hpp"
#include "probe/timer_queue.hpp"
#include "stamp/oneway_delay.hpp"
#include "stamp/oneway_loss.hpp"
#include "stamp/own_tlv.hpp"
#include "stamp/packet.hpp"

namespace ecmp {

/// How a flow's stream of STAMP packets is sent. All but the TTL is as in the probes of the flow's trace, so that
/// routers send both the same way.
struct StreamTerms {
  FiveTuple tuple;
  Duration interval{};  ///< between two packets
  Duration timeout{};
  std::uint16_t packet_size = 0;
  std::uint8_t dscp = 0;
  std::uint32_t flow_label = 0;
  std::uint16_t ssid = 0;
  std::shared_ptr<const std::vector<std::uint8_t>> key;  ///< of authenticated mode; null: open mode
};

/// A reply to one packet.
struct StreamExchange {
  std::optional<stamp::Exchange> times;       ///< nothing where the reflector's are none (stamp::has_times())
  std::uint8_t ttl_there = 0;                 ///< with which the packet arrived, as the reflector says
  std::uint8_t ttl_back = 0;                  ///< with which the reply arrived
  bool synchronised = false;                  ///< the reflector says of its clock that it is
  std::optional<stamp::AbsoluteDelay> delay;  ///< if both clocks are
  std::optional<stamp::OwnTlv::Path> back;    ///< what a reflector of ours knows of the way back
};

/// What a stream has to say: once a packet's interval, and for every reply.
struct StreamReport {
  std::uint32_t flow = 0;
  Instant at{};
  stamp::OnewayCounts counts;  ///< since the last report
  /// Those packets one by one; only as long as the sink reads the report.
  std::span<const stamp::SettledPacket> packets;
  std::uint32_t duplicates_forward = 0;
  std::uint32_t duplicates_reverse = 0;
  stamp::ReflectorMode mode = stamp::ReflectorMode::unknown;
  Instant answered = Instant::min();  ///< when the last reply came
  std::optional<StreamExchange> exchange;
};

/// Streams of STAMP packets (RFC 8762, 8972), one for each flow of destinations that ask for them: what leaves when,
/// and what replies say. Pure; the engine owns it and lends it its timers' turn and its buffers.
class Streams {
 public:
  void add(std::uint32_t flow, const StreamTerms& terms, Instant first);
  void remove(std::uint32_t flow);
  void set_source(std::uint32_t flow, const IpAddress& source);
  /// A stream that rests sends nothing.
  void set_resting(std::uint32_t flow, bool resting);
  void set_timeout(std::uint32_t flow, Duration timeout);
  /// Civil time minus the engine's, for the times in packets.
  void set_wall_offset(Duration offset) { wall_offset_ = offset; }
  /// Whether there has ever been one.
  [[nodiscard]] bool any() const { return !streams_.empty(); }
  /// How far this host's civil clock may be off: what packets say of their times.
  void set_clock(const stamp::ErrorEstimate& clock) { clock_ = clock; }
  [[nodiscard]] bool has(std::uint32_t flow) const { return flow < streams_.size() && streams_[flow] != nullptr; }

  [[nodiscard]] Instant next_due() const { return timers_.empty() ? Instant::max() : timers_.top().at; }
  /// Judges what is due by now, and returns the next stream that has a packet to send.
  std::optional<std::uint32_t> next(Instant now, RoundSink& sink);
  struct Written {
    ByteView datagram;  ///< empty: there is no source address
    std::uint32_t sequence = 0;
  };
  /// The stream's next packet, into `out`; it counts as sent.
  Written write(std::uint32_t flow, Instant now, MutableBytes out);
  void on_sent(std::uint32_t flow, std::uint32_t sequence, Instant at, bool left);
  /// Seen on its way out.
  void on_outgoing(std::uint32_t flow, std::uint32_t sequence, Instant at);
  void on_reply(std::uint32_t flow, const packet::UdpDatagram& datagram, const stamp::Reply& reply, Instant at,
                RoundSink& sink);
  /// A reply to a probe of the flow's trace, by the number that the reflector gave it.
  void on_trace_reply(std::uint32_t flow, std::uint32_t reflector_sequence);
  /// Replies may have been missed.
  void on_gap(std::uint32_t flow);

 private:
  struct Stream {
    explicit Stream(const StreamTerms& own) : terms(own), loss(own.timeout) {}
    StreamTerms terms;
    stamp::OnewayLoss loss;
    Instant due{};
    Instant answered = Instant::min();
    std::uint32_t sequence = 0;
    std::uint32_t duplicates_forward = 0;
    std::uint32_t duplicates_reverse = 0;
    std::uint8_t routers_back = 0;  ///< as the TTL of the newest reply says; 0: not known
    bool resting = false;
  };

  static StreamReport report_of(std::uint32_t flow, const Stream& stream, Instant at);

  std::vector<std::unique_ptr<Stream>> streams_;  ///< by the engine's number of the flow
  TimerQueue timers_;
  Duration wall_offset_{};
  stamp::ErrorEstimate clock_ = stamp::kUnsynchronised;
  stamp::SettledPackets settled_;  ///< of one report after the other
};

/// Of what the engine captured, the part that is STAMP: nullopt if it is not.
std::optional<stamp::Reply> read_stamp_reply(const packet::UdpDatagram& datagram, ByteView key);

}  // namespace ecmp
