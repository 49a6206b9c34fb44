#pragma once

// Private to the engine's .cpp files.

#include <array>
#include <bitset>
#include <functional>
#include <memory>
#include <queue>
#include <unordered_map>
#include <vector>

#include "base/token_bucket.hpp"
#include "probe/answer_time.hpp"
#include "probe/codec.hpp"
#include "probe/departures.hpp"
#include "probe/engine.hpp"
#include "probe/flow_index.hpp"
#include "probe/flow_length.hpp"
#include "probe/limit_pattern.hpp"
#include "probe/live_round.hpp"
#include "probe/refusers.hpp"
#include "probe/responder_pacing.hpp"
#include "probe/silence_check.hpp"
#include "probe/streams.hpp"
#include "probe/tcp_state.hpp"
#include "probe/timer_queue.hpp"

namespace ecmp {

/// How far the transport word of a quote was off what was sent, and which probe has shown it first.
struct Rewriting {
  std::uint32_t offset = 0;
  ProbeIdentity shown_by;
  bool confirmed = false;  ///< by another probe
};

/// What the engine remembers of a hop of a flow.
struct HopPace {
  std::uint32_t responder = 0;   ///< whose limit a probe counts against, see ResponderPacing; 0 is nobody's
  std::uint32_t asked : 28 = 0;  ///< the round after the one that asked it last; 0: none did
  std::uint32_t urgent : 3 = 0;  ///< rounds that must not leave it out, since it has changed
  std::uint32_t quiet : 1 = 0;   ///< it was asked, nobody answered, and nobody is known
};

/// The newest probes that asked a destination while it is not known to limit its answers (ask_until_limited).
class UnpacedProbes {
 public:
  /// Returns its number, for answered().
  std::uint32_t add(Instant sent, bool was_answered = false);
  void answered(std::uint32_t number);
  /// It did not reach the destination: it never left, or somebody else has answered.
  void withdraw(std::uint32_t number);
  /// Whether their silences look like a limit. Those after `known` may yet be answered.
  [[nodiscard]] bool limited(Instant known) const;

 private:
  static constexpr std::size_t kMost = 512;  ///< all of them are looked at whenever one goes unanswered
  std::vector<AskedProbe> probes_;           ///< a ring once it is full
  std::uint32_t next_ = 0;
};

/// An address that answers with ICMP errors, whichever destinations and flows ask it: it has one limit for them all.
struct End {
  static constexpr Duration kSearch = std::chrono::milliseconds(1500);  ///< so long a search may keep others waiting

  std::uint32_t responder = 0;             ///< see ResponderPacing
  std::uint32_t plans = 0;                 ///< destinations that have it
  std::uint8_t distance = 0;               ///< that a flow has found last; 0: none has
  std::uint8_t searches = 0;               ///< that were begun while none had
  std::uint8_t mixed = 0;                  ///< answers to come until its flows count as having one distance
  std::unique_ptr<UnpacedProbes> unpaced;  ///< null: it is paced
  /// Whether a burst of probes has shown if it limits its answers: the first silence of one that is not paced.
  enum class Burst : std::uint8_t { none, resting, under_way, over } burst = Burst::none;
  std::uint32_t burst_flow = 0;  ///< that sends it: one that was answered, if there is one
  Instant burst_at{};
  std::optional<std::uint32_t> answered_flow;  ///< the newest
  std::optional<std::uint32_t> steady_flow;    ///< that loses least
  std::optional<Instant> first_search{};       ///< when the first round began that has found nobody
  Instant search_until{};                      ///< other flows wait so long for the one that searches the distance
  Instant asked = Instant::max();              ///< for the first time, by whatever flow
  SilenceCheck check;                          ///< of one that is paced
};

struct Flow {
  Flow(std::uint32_t own_number, const FiveTuple& header, const FlowCodec& own_codec)
      : number(own_number), tuple(header), codec(own_codec) {}

  std::uint32_t number;
  FiveTuple tuple;                            ///< source unspecified while there is no route
  SendError no_source = SendError::no_route;  ///< why there is none
  IpAddress former_source;                    ///< probes that left with it may still be answered

  [[nodiscard]] FlowName name() const {
    return {tuple.destination, tuple.protocol, tuple.source_port, tuple.destination_port};
  }
  FlowCodec codec;
  std::shared_ptr<const DestinationPlan> plan;
  std::shared_ptr<Refusers> refusers;  ///< of the destination
  std::uint16_t packet_size = 0;

  Instant timer = Instant::max();  ///< the only entry of the timer queue that counts
  Instant next_round{};
  Instant steady{};  ///< any moment of the even grid on which the flow's rounds begin from the second one on
  std::uint32_t next_number = 0;
  std::uint32_t rounds_begun = 0;
  bool resting = false;
  std::uint32_t asked = 0;  ///< rounds to come though it rests
  Duration apart{};         ///< between these

  End* end = nullptr;  ///< null: the destination is not known to limit what it answers with
  Instant refused{};   ///< when it last answered with an ICMP error, unless that is its way over UDP

  std::uint8_t distance = 0;
  FlowLength length;         ///< while there is no distance
  std::uint8_t longest = 0;  ///< before it grew shorter; see hold_distance()
  bool of_two_lengths = false;
  std::uint32_t longest_round = 0;
  bool first_round_over = false;
  bool anonymous = false;
  AnswerTime answer_time;    ///< of a service whose answers are anonymous
  Instant answered_probe{};  ///< when the youngest probe left that such an answer was to
  bool stamped = false;      ///< its newest probe that was answered had been seen on its way out
  std::uint32_t lost_streak = 0;
  std::uint8_t lossy = 0;  ///< the more of the newest rounds that were judged are lost, the more
  std::uint8_t suspected = 0;
  std::uint8_t suspicions = 0;  ///< rounds in a row that suspected it
  AnswerPace syn_acks;

  std::vector<std::unique_ptr<LiveRound>> live;  ///< oldest first
  std::vector<HopPace> paces;                    ///< by TTL - 1
  std::uint32_t last_over = 0;                   ///< number of the round that ended last
  std::bitset<256> last_answered;                ///< its answered TTLs: tells duplicates from late answers
  /// By TTL - 1, once it was needed: how much a NAT was off in the newest quote that it had rewritten.
  std::vector<std::optional<Rewriting>> offsets;
  /// By TTL - 1, once there was something to note: what the newest reply told, so that all rounds share it.
  std::vector<packet::KeptMpls> notes;
};

class Engine::State {
 public:
  explicit State(const EngineOptions& options);

  // engine.cpp and, for single probes, engine_send.cpp: what is traced, and when what leaves
  std::optional<std::uint32_t> add(const DestinationPlan& plan, Instant now);
  std::vector<std::uint16_t> free_ports(const PortOrder& order, const IpAddress& address, Protocol protocol,
                                        std::uint16_t port, std::uint32_t count);
  void remove(std::uint32_t first_flow);
  void set_schedule(std::uint32_t first_flow, Duration interval, Duration timeout, Instant now);
  void rest(std::uint32_t number);
  void wake(std::uint32_t number, Instant at);
  void ask(std::uint32_t number, std::uint32_t rounds, Instant at, Duration apart);
  void set_rates(double probes_per_second, double probes_per_second_per_responder, bool adapt_to_responders);
  [[nodiscard]] Instant next_due() const;
  std::span<Outgoing> poll(Instant now, std::size_t maximum, RoundSink& rounds);
  void on_sent(std::span<const Outgoing> batch);
  [[nodiscard]] Flow& flow(std::uint32_t number) { return *flows_[number]; }

  // engine_receive.cpp: what came back
  void on_captured(const Captured& datagram, RoundSink& rounds);
  void on_gap(const Gap& gap);

  void set_source(std::uint32_t number, const IpAddress& source, SendError why);
  void set_wall_offset(Duration offset) { streams_.set_wall_offset(offset); }
  [[nodiscard]] bool has_streams() const { return streams_.any(); }
  void set_clock(const stamp::ErrorEstimate& clock) { streams_.set_clock(clock); }

  EngineCounters counters;

 private:
  /// What is told about an answer, whatever carried it.
  struct Answer {
    Instant at;
    IpAddress from;
    packet::ReplyKind kind = packet::ReplyKind::none;
    std::uint8_t reply_ttl = 0;
    std::uint8_t icmp_type = 0;
    std::uint8_t icmp_code = 0;
    std::uint8_t quoted_ttl = 0;
    packet::KeptMpls notes = {};
  };
  static constexpr std::size_t kMaxLiveRounds = 16;

  void step(Flow& flow, Instant now, RoundSink& rounds);
  void plan_next_round(Flow& flow, Instant due, Instant now);
  void begin_round(Flow& flow, Instant now);
  bool wait_for_search(Flow& flow, Instant now);
  void watch_end(Flow& flow, Instant now);
  void note_end(Flow& flow, const LiveRound& round, Instant now);
  static void hold_distance(Flow& flow, std::uint8_t found, std::uint32_t number);
  void hand_over(Flow& flow, Instant now, RoundSink& rounds);
  void put_by(Flow& flow);
  void settle(Flow& flow, LiveRound& round, Instant now);
  void try_to_send(Flow& flow, LiveRound& round, const LiveRound::Due& due, Instant now);
  void learn_responder(Flow& flow, const LiveProbe& probe, std::uint8_t aim, bool in_burst);
  void note_refusal(const Flow& flow, const HopResult& hop);
  [[nodiscard]] bool was_passed(const Flow& flow, const IpAddress& router) const;
  void recognise_destination(const Flow& flow, LiveRound& round) const;
  void note_silences(Flow& flow, LiveRound& round, std::uint8_t below, Instant now);
  /// Whether the destination of a flow is asked as seldom as one that limits its answers: they are ICMP errors.
  [[nodiscard]] bool may_limit(const Flow& flow) const {
    return flow.end != nullptr && !flow.anonymous && pacing_.adaptive();
  }
  // engine_end.cpp
  /// One more destination answers with ICMP errors, or one less at `address`.
  End& take_end(const DestinationPlan& plan);
  void give_back_end(const IpAddress& address, Instant now, bool is_service);
  /// The flows of the same destination, `flow` among them.
  [[nodiscard]] std::span<const std::unique_ptr<Flow>> flows_beside(const Flow& flow) const;
  void note_destination(Flow& flow, const LiveProbe& probe);
  void expect_errors(const Flow& flow, const LiveProbe& probe);

  struct Asked {
    std::uint32_t responder = 0;  ///< whose limit it counts against
    bool end = false;             ///< it is to reach a destination that may limit its answers
  };
  [[nodiscard]] Asked asked_by(const Flow& flow, const LiveRound& round, const LiveRound::Due& due) const;
  void send(Flow& flow, LiveRound& round, const LiveRound::Due& due, Instant now, LiveProbe& probe);
  void schedule(Flow& flow);
  void count_lag(Duration lag);

  // engine_unpaced.cpp: destinations that are not known to limit their answers
  void look_for_limit(Flow& flow, LiveRound& round, Instant now);
  static constexpr Duration kLookAgain = std::chrono::milliseconds(50);  ///< of what waits for a burst
  bool wait_for_burst(Flow& flow, LiveRound& round, Instant now);
  [[nodiscard]] bool holds_asking(const Flow& flow, const LiveRound& round, bool end) const;
  void begin_burst(Flow& flow, Instant now);
  void end_burst(Flow& flow, LiveRound& round, Instant now);
  void found_limited(End& end, Instant now);
  void doubt_search(const Flow& flow, LiveRound& round) const;
  void doubt_first_silences(const Flow& flow, LiveRound& round) const;
  static void note_answer(End& end, const LiveProbe& probe);

  // engine_check.cpp: whether the silence of a destination is loss, though others may use up what it answers
  void plan_look(const Flow& flow, LiveRound& round, Instant now) const;
  bool check_silence(Flow& flow, LiveRound& round, Instant now);
  [[nodiscard]] bool is_checked(const Flow& flow, const LiveRound& round, const LiveProbe& probe, Instant now) const;
  void want_check(Flow& flow, int probes, Instant now);
  void ask_echoes(Flow& flow, Instant now);
  void plan_echoes(const Flow& flow, int count, Instant now);
  void begin_check(Flow& flow, Instant now);
  void end_check(Flow& flow, LiveRound& round, Instant now);
  void contest(End& end, Instant now);
  [[nodiscard]] bool follows_check(const End& end, Instant now) const;
  [[nodiscard]] std::uint32_t flow_of_check(const Flow& flow) const;
  void note_contested(Flow& flow, const LiveRound& round, Instant now);
  void send_controls(Instant now);
  bool on_control(const packet::EchoReply& reply, Instant at);
  [[nodiscard]] FlowCodec control_codec(const FiveTuple& tuple) const;
  static void withdraw(const Flow& flow, LiveProbe& probe);

  // engine_streams.cpp: destinations with streams of STAMP packets
  void add_stream(const Flow& flow, Instant now, double share);
  void remove_stream(const Flow& flow);
  Flow* find_by_session(const packet::UdpDatagram& datagram);
  void send_streams(Instant now, RoundSink& rounds);
  [[nodiscard]] std::pair<ByteView, ProbeMark> write(const Flow& flow, packet::ProbeDatagram& datagram,
                                                     const ProbeIdentity& identity);
  void on_stamp_reply(Flow& flow, const packet::UdpDatagram& datagram, Instant at, RoundSink& rounds);
  [[nodiscard]] static bool is_of_stream(const packet::Quote& quote);

  // engine_tcp.cpp: what a destination's TCP says, and what ours has to answer
  void on_segment(const packet::TcpSegment& segment, Instant at, RoundSink& rounds);
  void on_syn_ack(Flow& flow, const ProbeIdentity& identity, const Answer& answer, RoundSink& rounds);
  void on_bare_ack(Flow& flow, const std::optional<ProbeIdentity>& identity, const Answer& answer, RoundSink& rounds);
  AnswerPace::Verdict judge(Flow& flow, LiveRound& round, const LiveProbe& probe, Instant at);
  void mark_undecided(Flow& flow, const LiveRound* settled, Instant after, Instant now);
  void end_candidates(Flow& flow, Instant after, Instant now);
  void end_unanswered(const Flow& flow, LiveRound& round, Instant now);
  void see_reset(ByteView datagram);
  void send_resets(Instant now);

  Flow* find(const IpAddress& destination, Protocol protocol, std::uint16_t source_port,
             std::uint16_t destination_port);
  void ignore(Ignored reason) { ++counters.ignored[static_cast<std::size_t>(reason)]; }
  void on_outgoing(const Captured& datagram);
  static bool stamp(LiveProbe* probe, Instant at);
  [[nodiscard]] LiveProbe* find_probe(const Departed& probe);
  void on_error(const packet::IcmpError& error, Instant at, RoundSink& rounds);
  void on_echo(const packet::EchoReply& reply, Instant at, RoundSink& rounds);
  void on_datagram(const packet::UdpDatagram& datagram, Instant at, RoundSink& rounds);
  bool believe(Flow& flow, const FlowCodec::Decoded& decoded, bool& confirmed);
  static packet::KeptMpls note(Flow& flow, std::uint8_t ttl, bool shifted, const packet::IcmpError& error);
  void close(Flow& flow, const ProbeIdentity& identity, const Answer& answer, RoundSink& rounds);
  void close(Flow& flow, LiveRound& round, LiveProbe& probe, const Answer& answer, RoundSink& rounds);
  LiveRound* find_round(Flow& flow, std::uint8_t round_field);

  EngineOptions options_;
  std::vector<std::unique_ptr<Flow>> flows_;                 ///< by number; empty where a destination was removed
  std::unordered_map<std::uint32_t, std::uint16_t> ranges_;  ///< first flow -> how many
  std::unordered_map<std::uint16_t, std::vector<std::uint32_t>> free_ranges_;  ///< how many -> first flows
  FlowIndex index_;
  TimerQueue timers_;
  TokenBucket bucket_;
  Instant blocked_until_{};  ///< the global limit is used up until then
  ResponderPacing pacing_;
  ResetWatch resets_;
  Streams streams_;
  std::unordered_multimap<std::uint16_t, std::uint32_t> stream_ports_;  ///< flows with streams, by their own port
  struct EndCandidate {
    LiveRound* round;
    LiveProbe* probe;
  };
  std::vector<EndCandidate> candidates_;     ///< of end_candidates()
  std::unordered_map<IpAddress, End> ends_;  ///< of destinations whose answers are ICMP errors
  struct Control {
    Instant due;
    std::uint32_t flow = 0;  ///< whose route and source it takes
    IpAddress destination;
    bool operator>(const Control& other) const { return due > other.due; }
  };
  /// Echo requests to come, the next one first.
  std::priority_queue<Control, std::vector<Control>, std::greater<>> controls_;
  std::uint8_t control_round_ = 0;

  static constexpr std::uint32_t kNoFlow = 0xffffffff;
  std::vector<Outgoing> batch_;
  /// What each datagram of the batch is; its flow is kNoFlow when its destination was removed meanwhile.
  std::vector<Departed> handed_;
  Departures departures_;
  std::vector<std::uint8_t> bytes_;  ///< where they stand, one behind the other
  std::size_t bytes_used_ = 0;
  std::size_t largest_ = packet::kResetSize;  ///< datagram that was ever asked for
  std::size_t maximum_ = 0;
  std::vector<std::unique_ptr<LiveRound>> spare_rounds_;
  Round report_;
};

}  // namespace ecmp
