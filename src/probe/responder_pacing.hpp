#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "base/token_bucket.hpp"
#include "probe/round.hpp"

namespace ecmp {

/// How often each responder is asked, over all flows and destinations. Routers limit how many ICMP errors they send,
/// Linux by default to one a second for each peer (icmp(7): icmp_ratelimit): whoever asks a shared near hop for every
/// flow gets silence, and has caused it. So a flow may leave out a near hop whose responder others ask, and flows take
/// turns. The rate follows what the responder answers:
///
///  - *open*: as often as wanted, up to the ceiling. The first silences that look like a limit end that;
///  - *testing*: at the base rate, which Linux's default limit lets through. If the silence stays it was no limit;
///  - *limited*: at the rate that is known to be answered;
///  - *trial*: now and then at the double rate. Silence then is caused by the trial itself and says that there is a
///    limit; none lets the rate grow;
///  - *resting*: after a trial that met the limit at half the rate, until the limiter has filled up again. All answered
///    here, the limit is confirmed: silence came and went with our rate, as random loss does not.
///
/// A *destination* that answers with ICMP errors is a responder like any other, only that its silence looks like loss.
/// So it is never asked more often than is known to be good: it begins *limited*, at a rate that every limit by default
/// that we know of lets through (docs/reality.md), and more is tried in trials. What is asked in a trial is no fair
/// fair sample. Loss is distinguished from a limit by the rate: loss stays what it was when more is asked. *Contested*:
/// others use up what it answers, or it answers less than was thought (SilenceCheck). What is asked then is no fair
/// sample either, and the rate is lowered until all is answered.
///
/// Pure; memory is bounded.
class ResponderPacing {
 public:
  ResponderPacing(double ceiling, bool adaptive);

  void set_rules(double ceiling, bool adaptive);

  /// The number under which a responder is known from now on; 0 when the table is full: nobody's, without any limit.
  /// `likely` is the number that it had last time, as nearly all have.
  std::uint32_t number_of(const IpAddress& address, std::uint32_t likely);

  /// Who will answer at this TTL for a flow that has not heard anybody there: the only one whom any flow has heard at
  /// it, as near hops are shared. 0: unknown, or there are several.
  [[nodiscard]] std::uint32_t expected(Family family, std::uint8_t ttl) const {
    const Place& place = places_[family == Family::ipv4 ? 0 : 1][ttl];
    return place.several ? 0 : place.newest;
  }
  /// Of several at this TTL one that limits its answers: whom a flow most likely crosses that was met with silence.
  /// 0: none does.
  [[nodiscard]] std::uint32_t limiting_at(Family family, std::uint8_t ttl) const {
    const std::uint32_t number = places_[family == Family::ipv4 ? 0 : 1][ttl].limiting;
    return responders_[number].state == State::open ? 0 : number;
  }
  void heard_at(Family family, std::uint8_t ttl, std::uint32_t number) {
    Place& place = places_[family == Family::ipv4 ? 0 : 1][ttl];
    place.several = place.several || (place.newest != 0 && place.newest != number);
    place.newest = number;
    asked_at(family, ttl, number);
  }
  void asked_at(Family family, std::uint8_t ttl, std::uint32_t number) {
    if (responders_[number].state != State::open) places_[family == Family::ipv4 ? 0 : 1][ttl].limiting = number;
  }

  /// A probe that was thought to go to `before` was answered by `now`. Until `before` is heard again, whoever would
  /// ask it is taken to ask the other one: a reroute moves them all, and each has to see it.
  void moved(std::uint32_t before, std::uint32_t now) {
    if (before != 0 && now != 0 && before != now) responders_[before].moved_to = now;
  }
  /// Who is asked by a probe that was to go to `number`.
  [[nodiscard]] std::uint32_t stands_for(std::uint32_t number) const {
    const std::uint32_t other = responders_[number].moved_to;
    return other != 0 ? other : number;
  }

  /// From now on it is asked as a destination whose answers are ICMP errors.
  void guard(std::uint32_t number, Instant now);
  /// No such destination is traced any more. `is_service`: since it answers otherwise now, which its limit is not
  /// about.
  void unguard(std::uint32_t number, Instant now, bool is_service);
  [[nodiscard]] bool guarded(std::uint32_t number) const { return responders_[number].guarded; }
  [[nodiscard]] bool adaptive() const { return adaptive_; }

  /// A destination that was asked without regard to its limit has shown one.
  void found_limited(std::uint32_t number, Instant now);

  struct Request {
    bool dispensable = false;  ///< the round may do without this probe
    bool again = false;        ///< asked before, and was told to wait
    bool urgent = false;       ///< another responder was heard here: a change has to be confirmed
    std::uint32_t age = 0;     ///< rounds since this flow asked this hop; UINT32_MAX: never
    std::uint32_t turn = 0;    ///< any number that differs between flows and rounds
    Duration patience{};       ///< by then it is known of every probe of a round whether it was answered
    Duration longest_wait{};   ///< a dispensable probe that would wait longer is left out
  };
  struct Permit {
    enum class What : std::uint8_t { send, wait, leave_out } what = What::send;
    Instant until{};     ///< wait
    bool trial = false;  ///< send: it may be above the rate that is answered, and is no fair sample
    bool owed = false;   ///< send: far more than the responder is known to answer
    bool paid = false;   ///< send: a token was taken
  };
  /// May this responder, or who stands for it, be asked now? `send` takes a token, but of one that owes some already.
  Permit ask(std::uint32_t number, const Request& request, Instant now);

  /// Its silence at a rate that was thought to be good was no loss.
  void contest(std::uint32_t number, Instant now);
  /// It has answers left, or it is `away`: it is judged again.
  void end_contest(std::uint32_t number, bool away, Instant now);
  [[nodiscard]] bool contested(std::uint32_t number) const { return responders_[number].state == State::contested; }
  /// It never gives two answers at once: nor may two probes come sooner than its limit lets through.
  void gives_one(std::uint32_t number);
  /// Whether its silence may come from others who use up what it answers: it has shown a limit, or it has answered
  /// nearly all so far. Of one that was lossy from the start loss is what is to be expected.
  [[nodiscard]] bool may_be_used_up(std::uint32_t number) const {
    constexpr std::uint32_t kSpotless = 8;  // at 30 % of loss one of 17 has these
    constexpr std::uint32_t kNearly = 20;   // and ten for each silence: at 30 % once in 1000
    const Guard& guard = responders_[number].guard;
    const std::uint32_t least = guard.missed == 0 ? kSpotless : std::max(kNearly, 10 * guard.missed);
    return !guard.presumed || guard.heard >= least;
  }
  /// The least of the limits that hosts have by default that it can have, in answers a second.
  [[nodiscard]] double least_limit(std::uint32_t number) const;

  /// It was asked by a probe that was thought to go elsewhere. False: it owes too much already, and no token was taken.
  bool charge(std::uint32_t number, Instant now) {
    Responder& responder = responders_[number];
    const Duration debt = responder.bucket.available(now) - now;
    // Debts must not grow, and only those who may be left out may wait for them.
    constexpr Duration kMostDebt = std::chrono::seconds(5);
    if (debt >= (responder.state == State::open ? Duration(1) : kMostDebt)) return false;
    responder.bucket.take(now);
    return true;
  }
  /// A probe sent at `sent` was answered.
  void answered(std::uint32_t number, Instant sent, Duration rtt);
  /// A probe sent at `sent` was not, though the routers behind answered.
  void silent(std::uint32_t number, Instant sent, Instant now);
  /// A round that asked it lost the destination: as many silences are expected of loss alone.
  void lost(std::uint32_t number) {
    if (number != 0) ++responders_[number].losses;
  }
  /// A probe that ask() let through did not leave this host: others may have the token, if it was `paid` for.
  void not_sent(std::uint32_t number, bool paid) {
    Responder& responder = responders_[stands_for(number)];
    responder.run = 0;
    if (paid) responder.bucket.put_back();
  }

  /// Whether an answer to a probe sent at `sent` should be here by now, going by the RTTs of this responder.
  [[nodiscard]] bool overdue(std::uint32_t number, Instant sent, Instant now) const {
    return now - sent > usual(number);
  }
  /// Its answers come within so long.
  [[nodiscard]] Duration usual(std::uint32_t number) const {
    return 4 * responders_[number].rtt + std::chrono::milliseconds(10);
  }
  /// And nearly all of them so soon.
  [[nodiscard]] Duration usually(std::uint32_t number) const {
    return responders_[number].rtt * 3 / 2 + std::chrono::milliseconds(10);
  }

  [[nodiscard]] Limiting limiting(std::uint32_t number) const;
  [[nodiscard]] const IpAddress& address(std::uint32_t number) const { return responders_[number].address; }
  /// Probes a second at most, as of now.
  [[nodiscard]] double rate(std::uint32_t number) const { return responders_[number].rate; }
  [[nodiscard]] std::size_t size() const { return responders_.size() - 1; }

 private:
  enum class State : std::uint8_t { open, testing, limited, trial, resting, contested };
  /// What is known of a destination whose answers are ICMP errors, beyond what is known of any responder.
  struct Guard {
    bool presumed = true;      ///< it has never shown a limit
    bool single = false;       ///< see gives_one()
    std::uint32_t heard = 0;   ///< answers since it is asked, halved when they grow old
    std::uint32_t missed = 0;  ///< and silences
    float safe_share = 0;      ///< of silences at the rate that is known to be good: loss
    float factor = 0;          ///< from that rate to the one that is tried
    float resume = 0;          ///< the rate before the test that is under way
    std::uint64_t taken = 0;   ///< tokens
    Instant trusting{};        ///< until then silence is taken as loss
  };
  struct Responder {
    explicit Responder(double ceiling);
    IpAddress address;
    State state = State::open;
    bool confirmed = false;
    bool guarded = false;
    std::uint16_t run = 0;       ///< probes sent since the last answer
    std::uint16_t run_most = 0;  ///< so many at most while open
    float rate = 0;              ///< of the bucket
    float known_good = 0;        ///< while not open
    float silent_share = 0;      ///< that made the rate be lowered
    float demand = 0;            ///< probes a second that are wanted
    float haste = 1;             ///< turns come by so much sooner than an even demand would have it
    std::uint32_t answers = 0;   ///< evidence since the state began, halved when it grows old
    std::uint32_t silences = 0;
    std::uint32_t losses = 0;    ///< rounds
    std::uint32_t moved_to = 0;  ///< who answers in its place; 0: itself
    std::uint32_t asks = 0;      ///< since the demand was worked out
    Instant asks_since{};
    Instant since{};      ///< of the state
    Instant doubted{};    ///< open: when the first of the silences was
    Instant next{};       ///< open: ignores silence until then; limited: begins no trial until then
    Instant last_sent{};  ///< the newest probe while open
    Instant taken{};      ///< when the newest token was
    Instant balanced{};   ///< when `haste` was changed
    Instant queue_end{};  ///< when the next probe that has to wait may go
    Duration hold{};      ///< limited: from one trial to the next
    Duration rtt{};       ///< smoothed, with its variation on top
    TokenBucket bucket;
    Guard guard;
  };

  void count_demand(Responder& responder, Instant now) const;
  [[nodiscard]] double wanted(const Responder& responder, Instant now) const;
  [[nodiscard]] static bool may_owe(const Responder& responder, const Request& request, Instant now);
  static void balance_turns(Responder& responder, bool due, Instant now);
  [[nodiscard]] static bool turn_of(const Responder& responder, const Request& request);
  void judge(Responder& responder, Instant now);
  [[nodiscard]] static bool suspicious(const Responder& responder, Instant now);
  void begin_trial(Responder& responder, Instant now) const;
  void judge_guarded(Responder& responder, Instant now);
  void judge_guarded_trial(Responder& responder, Instant now);
  void judge_contested(Responder& responder, Instant now) const;
  static void count(Responder& responder, bool answer);
  static bool unfair(const Responder& responder) {
    return responder.state == State::trial || responder.state == State::contested;
  }
  void judge_limited(Responder& responder, Instant now);
  void judge_trial(Responder& responder, Instant now);
  void enter(Responder& responder, State state, double rate, Instant now) const;
  void open(Responder& responder, Instant now, Duration ignoring) const;
  [[nodiscard]] double base_rate() const;

  double ceiling_;
  bool adaptive_;
  std::unordered_map<IpAddress, std::uint32_t> numbers_;
  std::vector<Responder> responders_;  ///< by number; [0] is nobody
  struct Place {
    std::uint32_t newest = 0;
    std::uint32_t limiting = 0;
    bool several = false;
  };
  std::array<std::array<Place, 256>, 2> places_{};  ///< by family and TTL
};

}  // namespace ecmp
