#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "probe/codec.hpp"
#include "probe/round.hpp"

namespace ecmp {

/// One probe of a round under way.
struct LiveProbe {
  enum class State : std::uint8_t { unsent, sent, answered, timed_out, send_failed, unobserved, left_out };

  State state = State::unsent;
  std::uint8_t attempt = 0;
  bool destination = false;           ///< the destination itself answered
  bool stamped = false;               ///< `sent` is the interface's stamp, not the sender's
  bool ended = false;                 ///< TCP: timed out, and a RST has been asked for
  bool trial = false;                 ///< beyond the rate that its responder is known to answer: silence is ours
  std::uint32_t unpaced = 0;          ///< its number among UnpacedProbes; 0: none
  bool undecided = false;             ///< an answer came that may be to this one or to another
  bool noted = false;                 ///< that it stays unanswered is known to the pacing
  bool owed = false;                  ///< sent although its responder is known to limit and had been asked enough
  bool paid = false;                  ///< it took a token of that limit
  std::uint32_t charged = 0;          ///< whose limit it was counted against, see ResponderPacing
  Unobserved gap = Unobserved::none;  ///< we could not look for some of the time that it waits
  Instant sent{};
  HopResult hop;  ///< ttl, and the answer once there is one

  [[nodiscard]] bool answered() const { return state == State::answered; }
  [[nodiscard]] bool time_exceeded() const { return answered() && hop.reply == packet::ReplyKind::time_exceeded; }
  /// Somebody on the way, not the destination, refused to forward it.
  [[nodiscard]] bool refused() const { return answered() && !destination && !time_exceeded(); }
};

/// What a round has to know of its flow.
struct RoundTerms {
  std::uint8_t distance = 0;  ///< of the destination as far as known, 0 if it was never reached
  std::uint8_t length = 0;    ///< furthest TTL that is known to answer, where the destination was never reached
  bool presumed = false;      ///< the distance is that of other flows: this one was never answered by the destination
  bool mixed = false;         ///< flows have reached it at several distances
  bool burst = false;         ///< asks nothing but how many of a burst the destination answers; never reported
  std::uint8_t width = 0;     ///< of a burst: so many probes, each at a TTL of its own; 0: as many as there are
  std::uint8_t max_ttl = 30;
  bool first = false;    ///< no round of the flow is over yet: unanswered hops are asked again
  bool hurried = false;  ///< rounds begin so fast that those which wait for several timeouts would keep others out
  std::uint32_t lost_streak = 0;  ///< rounds lost in a row just before
  std::uint8_t suspected = 0;     ///< distance that the round before suspected, see LiveRound::suspected()
  std::uint8_t suspicions = 0;    ///< rounds in a row that did
  bool stamped = false;           ///< the capture sees probes of this flow on their way out
  bool anonymous = false;         ///< the destination answers with datagrams that do not say which probe they answer
  Duration timeout{};
  Duration gap{};  ///< between two probes
};

/// A round under way: which TTLs to probe next, what came back, and when it is over.
///
/// It begins with a *sweep* over TTL 1 up to the known distance (or until the destination answers). When that leaves a
/// question open, further *attempts* follow within the same round, as only they can be compared with it:
///  - the first round of a flow asks unanswered hops up to twice again, so that a path is known whole from the start;
///  - when the probe at the known distance stays unanswered, the path may have lost it or may have grown behind a
///  silent
///    router. The same TTL and a few beyond are probed: an answer at the known distance says loss, a router answering
///    there says growth. An answer only from beyond is ambiguous unless its quote says how much TTL was left at the
///    destination; then it takes three attempts, in two rounds in a row, to believe in growth.
/// One packet is one trial: whether the round is lost is the fate of one probe of the sweep, the one at the distance,
/// which is sent whatever happens to those before it. Asking again finds out where the destination is and who stands on
/// the way; it never turns a loss into an answer. Where only later attempts speak, as when the path has just grown, the
/// round is undecided.
class LiveRound {
 public:
  /// Makes the object ready for a new round; its memory is kept.
  void begin(std::uint32_t number, Instant due, const RoundTerms& terms);

  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] Instant started() const { return started_; }
  /// The distance that it began with; 0: it searches.
  [[nodiscard]] std::uint8_t aim() const { return terms_.distance; }
  [[nodiscard]] std::uint8_t round_field() const { return static_cast<std::uint8_t>(number_ % ProbeIdentity::kRounds); }

  /// The next probe to send and when it is due; nullopt when there is none before an answer or a timeout.
  struct Due {
    Instant at;
    std::uint8_t ttl;
    std::uint8_t attempt;
  };
  [[nodiscard]] std::optional<Due> due() const;

  /// A limit holds the next probe back.
  void delay(Instant until) {
    next_send_ = until;
    delayed_ = true;
  }
  /// Whether the next probe has been held back already.
  [[nodiscard]] bool delayed() const { return delayed_; }

  /// The probe due() tells is not sent in this round: whoever is there is asked by others.
  void leave_out() { next_probe(*due()).state = LiveProbe::State::left_out; }

  /// Those of the sweep that were sent and are unanswered so far, at TTLs below `below`; each until `visit` returns
  /// true.
  template <typename Visit>
  void each_sent(Visit visit) const {
    for (const LiveProbe& probe : probes_)
      if (probe.attempt == 0 && probe.state != LiveProbe::State::left_out) visit(probe);
  }
  template <typename Visit>
  void each_open(std::uint8_t below, Visit visit) {
    for (LiveProbe& probe : probes_) {
      if (probe.state != LiveProbe::State::sent || probe.attempt != 0 || probe.hop.ttl >= below || probe.noted)
        continue;
      probe.noted = visit(std::as_const(probe));
    }
  }

  /// Every probe of the round so far, in the order of sending.
  template <typename Visit>
  void each_probe(Visit visit) {
    // Visitors may change it.
    for (LiveProbe& probe : probes_)  // NOLINT(misc-const-correctness)
      visit(probe);
  }

  /// The probe due() tells has been handed over to be sent.
  LiveProbe& begin_probe(Instant now);

  /// When settle() has to be called although nothing came back; Instant::max() while probes are due.
  [[nodiscard]] Instant deadline() const;

  /// Should the destination not answer, the round is reported as undecided.
  void doubt_loss() { doubtful_ = true; }
  /// True when everything sent has its fate and nothing is due: settle() need not wait for the deadline.
  [[nodiscard]] bool quiet() const { return open_ == 0 && !due(); }

  /// Finds a probe of this round; nullptr if it was never sent.
  [[nodiscard]] LiveProbe* find(std::uint8_t ttl, std::uint8_t attempt);

  /// What the probe that was begun last carries.
  void set_mark(const ProbeMark& mark) { marks_.back() = mark; }
  /// Finds the probe that a quote shows without any doubt; nullptr if there is none.
  [[nodiscard]] LiveProbe* find(const FlowCodec& codec, const packet::Quote& quote) {
    const std::uint32_t word = codec.word_of(quote);
    for (std::size_t i = 0; i < marks_.size(); ++i)
      if (marks_[i].word == word && codec.shows(quote, marks_[i])) return &probes_[i];
    return nullptr;
  }

  /// An answer came that does not say which probe it answers (a UDP service's). True if the round searches the
  /// destination with several probes under way: any of them may have reached it, and from now on the round probes one
  /// TTL after the other.
  bool search_one_by_one();
  /// The probes of this round that such an answer may be to, the oldest first.
  template <typename Visit>
  void each_awaiting(Instant received, Visit visit) {
    for (LiveProbe& probe : probes_) {
      if (probe.state != LiveProbe::State::sent || probe.hop.ttl < terms_.distance) continue;
      if (received >= probe.sent && received - probe.sent <= terms_.timeout) visit(probe);
    }
  }

  /// The answers of this round, whoever they came from.
  template <typename Visit>
  void each_answered(Visit visit) {
    for (LiveProbe& probe : probes_)  // NOLINT(misc-const-correctness): as above
      if (probe.answered()) visit(probe);
  }

  /// What `probe` (of this round) was waiting for has come: its state and hop are filled in. Plans what follows from
  /// it. False if nothing does: what is due, and when, is as it was.
  bool on_answer(const LiveProbe& probe);
  void on_send_failed(LiveProbe& probe) {
    probe.state = LiveProbe::State::send_failed;
    --open_;
  }

  /// Answers may have been missed: those probes that are waiting in it, if they stay unanswered, are unobserved.
  void on_gap(const Gap& gap);

  /// How many probes settle() has found never to have left, since the last call.
  [[nodiscard]] std::uint32_t take_never_left() { return std::exchange(never_left_, 0); }
  /// Probes that were sent and have no fate yet.
  [[nodiscard]] std::uint32_t open() const { return open_; }
  /// Probes that left and were closed without an answer since this was asked last.
  [[nodiscard]] std::uint32_t take_unanswered() { return std::exchange(unanswered_, 0); }

  /// The destination has answered the flow's first round, which searches it, and routers before it have not for longer
  /// than it took: they are asked again before the timeout. Returns whether it was the time for that, and not for
  /// settle().
  bool ask_early(Instant now);
  /// So far nobody has answered the probe that says whether the round is lost, and we did look.
  [[nodiscard]] bool end_is_silent() const;
  /// The destination has answered a probe.
  [[nodiscard]] bool end_answered() const;
  /// settle() has to wait: something that decides about the round is being found out.
  void hold(Instant until) { last_timeout_ = until; }
  [[nodiscard]] bool is_burst() const { return terms_.burst; }
  /// Of a burst that was begun with a width: see SilenceCheck.
  [[nodiscard]] bool is_check() const { return terms_.width != 0; }
  /// settle() is to be called at this time as well, if the round is not over by then: see SilenceCheck.
  void look_at(Instant at) { look_ = at; }
  /// Whether it is the time for that, and not yet for settle().
  bool take_look(Instant now) {
    if (now < look_) return false;
    look_ = Instant::max();
    return now < deadline() && !quiet();
  }
  void end_burst() { over_ = true; }

  /// Nothing more can come of the probes sent so far. Plans another attempt, or returns true: the round is over.
  bool settle(Instant now);

  /// settle() has returned true.
  [[nodiscard]] bool over() const { return over_; }

  /// Only once it is over.
  [[nodiscard]] EndToEnd end_to_end() const { return end_to_end_; }
  [[nodiscard]] std::uint8_t distance() const { return distance_; }
  /// The destination was reached, though only from beyond the known distance, and nothing but silence speaks for
  /// growth: the distance to be believed when the next round finds the same. 0 if there is no such suspicion.
  [[nodiscard]] std::uint8_t suspected() const { return suspected_; }
  /// The quote of the destination says that it stands nearer than its answers show, and the hop before was not asked.
  [[nodiscard]] bool nearer() const { return nearer_; }
  /// Writes what was found into `round` (whose flow the caller knows).
  void report(Instant now, Round& round) const;

  /// True if the probe at this TTL was answered: a further answer is a duplicate.
  [[nodiscard]] bool answered(std::uint8_t ttl, std::uint8_t attempt) const;

 private:
  struct Evidence;
  [[nodiscard]] Evidence weigh() const;
  void close_unanswered();
  [[nodiscard]] bool any_unobserved(std::uint8_t from_attempt) const;
  bool ask_first_again(const Evidence& evidence, Instant now);
  bool settle_unknown(const Evidence& evidence, Instant now);
  bool settle_known(const Evidence& evidence, Instant now);
  bool verify(const Evidence& evidence, Instant now);
  static constexpr std::uint8_t kAgain = 2;  ///< so many times what was not answered is asked again
  bool ask_again(std::uint8_t from, std::uint8_t below, Instant now, std::uint8_t most = kAgain);
  bool settle_at(const LiveProbe& last, const Evidence& evidence, Instant now);
  bool finish(EndToEnd end_to_end, std::uint8_t distance);
  [[nodiscard]] EndToEnd fate(const LiveProbe* probe) const;
  [[nodiscard]] EndToEnd trial_at(std::uint8_t distance) const;
  [[nodiscard]] std::uint8_t believed(const Evidence& evidence);
  [[nodiscard]] bool disbelieves(const Evidence& evidence);
  bool plan_verification(Instant now);
  bool plan_sweep(std::uint8_t from, Instant now);
  LiveProbe& next_probe(const Due& next);
  void begin_burst();
  [[nodiscard]] bool one_by_one() const;
  [[nodiscard]] const LiveProbe* best(std::uint8_t ttl) const;
  void write_hop(std::uint8_t ttl, HopResult& hop) const;

  RoundTerms terms_;
  std::uint32_t number_ = 0;
  Instant started_{};
  Instant next_send_{};
  Instant last_timeout_{};           ///< when the youngest unanswered probe times out
  Instant early_ = Instant::max();   ///< when ask_early() is due
  Instant look_ = Instant::max();    ///< see look_at()
  std::vector<LiveProbe> probes_;    ///< in the order of sending
  std::vector<ProbeMark> marks_;     ///< of each of these
  std::vector<std::uint8_t> again_;  ///< TTLs of the current attempt, when it is not a sweep
  std::size_t again_next_ = 0;
  std::uint32_t open_ = 0;  ///< probes sent that have no fate yet
  std::uint32_t never_left_ = 0;
  std::uint32_t unanswered_ = 0;
  std::uint8_t attempt_ = 0;
  int next_ttl_ = 1;  ///< of the sweep
  int limit_ = 0;     ///< last TTL of the sweep
  bool verifying_ = false;
  bool over_ = false;
  bool delayed_ = false;
  bool nearer_ = false;
  std::uint8_t suspected_ = 0;
  EndToEnd end_to_end_ = EndToEnd::lost;
  bool doubtful_ = false;  ///< see doubt_loss()
  std::uint8_t distance_ = 0;
};

}  // namespace ecmp
