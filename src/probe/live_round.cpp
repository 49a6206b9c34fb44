#include "probe/live_round.hpp"

#include <algorithm>
#include <bit>

namespace ecmp {
namespace {

/// The capture hands datagrams over in blocks, a few milliseconds late though rightly stamped: a round waits so much
/// longer than the timeout before it calls a probe unanswered. What counts is the stamp.
constexpr Duration kDeliveryGrace = std::chrono::milliseconds(25);

/// How far beyond the known distance a verification looks: paths grow by a hop or two as a rule.
constexpr int kVerifyBeyond = 3;

/// Routers before the destination answer about as soon as it does: who has not after so long is asked again, and may
/// answer late all the same.
Duration patience(Duration rtt) {
  return std::max<Duration>(4 * rtt, std::chrono::milliseconds(100));
}

}  // namespace

/// What the answers of a round say about the distance. A TTL of 0 means "none".
struct LiveRound::Evidence {
  std::uint8_t destination_sweep = 0;  ///< least TTL the destination answered in attempt 0
  std::uint8_t destination_again = 0;  ///< the same for later attempts
  std::uint8_t destination_any = 0;
  std::uint8_t distance = 0;          ///< what destination_any and its quote make of it
  bool quote_tells = false;           ///< the quote said how much TTL was left at the destination
  std::uint8_t highest_exceeded = 0;  ///< highest TTL that expired on the way
  std::uint8_t highest_answered = 0;  ///< by anybody
  std::uint8_t highest_sent = 0;
  bool refused = false;
};

void LiveRound::begin(std::uint32_t number, Instant due, const RoundTerms& terms) {
  terms_ = terms;
  number_ = number;
  started_ = due;
  next_send_ = due;
  last_timeout_ = due;
  probes_.clear();
  marks_.clear();
  again_.clear();
  again_next_ = 0;
  open_ = 0;
  never_left_ = 0;
  unanswered_ = 0;
  attempt_ = 0;
  next_ttl_ = 1;
  limit_ = terms.distance != 0 ? terms.distance : terms.max_ttl;
  verifying_ = false;
  over_ = false;
  delayed_ = false;
  nearer_ = false;
  suspected_ = 0;
  doubtful_ = false;
  early_ = look_ = Instant::max();
  if (terms.burst) begin_burst();
}

/// As many probes as there are identities for at and right beyond the distance: 21, or fewer near the highest TTL.
void LiveRound::begin_burst() {
  constexpr int kWidth = 7;
  const int width = terms_.width != 0 ? terms_.width : kWidth;
  const int end = std::min<int>(terms_.distance + width, terms_.max_ttl + 1);
  for (int ttl = terms_.distance; ttl < end; ++ttl)
    again_.push_back(static_cast<std::uint8_t>(ttl));
  limit_ = 0;
  attempt_ = 1;
}

bool LiveRound::one_by_one() const {
  return terms_.anonymous && (terms_.distance == 0 || attempt_ > 0);
}

std::optional<LiveRound::Due> LiveRound::due() const {
  if (open_ > 0 && one_by_one()) return std::nullopt;
  if (again_next_ < again_.size()) return Due{next_send_, again_[again_next_], attempt_};
  if (next_ttl_ <= limit_) return Due{next_send_, static_cast<std::uint8_t>(next_ttl_), attempt_};
  return std::nullopt;
}

LiveProbe& LiveRound::next_probe(const Due& next) {
  if (again_next_ < again_.size()) {
    ++again_next_;
    if (terms_.burst && terms_.width == 0 && again_next_ == again_.size() && attempt_ + 1 < ProbeIdentity::kAttempts) {
      ++attempt_;
      again_next_ = 0;
    }
  } else {
    ++next_ttl_;
  }
  delayed_ = false;
  marks_.emplace_back();
  LiveProbe& probe = probes_.emplace_back();
  probe.attempt = next.attempt;
  probe.hop.ttl = next.ttl;
  return probe;
}

LiveProbe& LiveRound::begin_probe(Instant now) {
  LiveProbe& probe = next_probe(*due());
  next_send_ = now + terms_.gap;
  last_timeout_ = now + terms_.timeout;
  ++open_;
  probe.state = LiveProbe::State::sent;
  probe.sent = now;
  return probe;
}

Instant LiveRound::deadline() const {
  return due() ? Instant::max() : std::min({early_, look_, last_timeout_ + kDeliveryGrace});
}

LiveProbe* LiveRound::find(std::uint8_t ttl, std::uint8_t attempt) {
  // The first sweep sends TTL 1, 2, 3 ...: its probes stand at ttl - 1.
  if (attempt == 0) {
    return ttl >= 1 && ttl <= probes_.size() && probes_[ttl - 1u].attempt == 0 ? &probes_[ttl - 1u] : nullptr;
  }
  const auto found = std::ranges::find_if(
      probes_, [&](const LiveProbe& probe) { return probe.hop.ttl == ttl && probe.attempt == attempt; });
  return found == probes_.end() ? nullptr : &*found;
}

bool LiveRound::answered(std::uint8_t ttl, std::uint8_t attempt) const {
  return std::ranges::any_of(probes_, [&](const LiveProbe& probe) {
    return probe.hop.ttl == ttl && probe.attempt == attempt && probe.answered();
  });
}

bool LiveRound::search_one_by_one() {
  if (terms_.distance != 0 || one_by_one()) return false;
  terms_.anonymous = true;
  limit_ = next_ttl_ - 1;
  return true;
}

bool LiveRound::on_answer(const LiveProbe& probe) {
  --open_;
  if (terms_.burst) return true;
  const std::uint8_t ttl = probe.hop.ttl;
  if (probe.destination) {
    // The probe at the known distance is sent all the same: it is the one that counts. Who stops at the first answer
    // gives a path of two lengths two chances.
    limit_ = std::min<int>(limit_, std::max(ttl, terms_.distance));
    again_next_ = again_.size();
    if (terms_.first && terms_.hurried && terms_.distance == 0 && !terms_.anonymous && early_ == Instant::max())
      early_ = probe.hop.received + patience(probe.hop.rtt);
  } else if (probe.time_exceeded()) {
    if (attempt_ != 0 || ttl != limit_ || ttl >= terms_.max_ttl) return one_by_one();
    // The path has grown: a router sits where the destination was. On to it at once.
    limit_ = terms_.max_ttl;
    next_send_ = std::max(next_send_, probe.hop.received);
  } else if (ttl > terms_.distance) {
    // Refused in unknown land: what lies behind cannot be probed. Below the known distance the sweep goes on, so that
    // every round asks every hop.
    limit_ = std::min<int>(limit_, ttl);
  }
  return true;
}

void LiveRound::on_gap(const Gap& gap) {
  for (LiveProbe& probe : probes_) {
    if (probe.state != LiveProbe::State::sent && probe.state != LiveProbe::State::timed_out) continue;
    if (probe.sent > gap.to || probe.sent + terms_.timeout < gap.from) continue;
    if (probe.gap == Unobserved::none) probe.gap = gap.why;  // the first is the most precise
    if (probe.state == LiveProbe::State::timed_out) probe.state = LiveProbe::State::unobserved;
  }
}

/// Nobody answered in time. Whether that is the network's doing is another question.
void LiveRound::close_unanswered() {
  for (LiveProbe& probe : probes_) {
    if (probe.state != LiveProbe::State::sent) continue;
    if (probe.gap != Unobserved::none || probe.undecided) {
      probe.state = LiveProbe::State::unobserved;
      ++unanswered_;
    } else if (terms_.stamped && !probe.stamped) {
      // Probes of this flow are seen at the interface as they leave; this one was not. The kernel takes a datagram,
      // waits for a neighbour that does not answer, and drops it without a word.
      probe.state = LiveProbe::State::send_failed;
      ++never_left_;
    } else {
      probe.state = LiveProbe::State::timed_out;
      ++unanswered_;
    }
  }
  open_ = 0;
}

bool LiveRound::any_unobserved(std::uint8_t from_attempt) const {
  return std::ranges::any_of(probes_, [from_attempt](const LiveProbe& probe) {
    return probe.attempt >= from_attempt &&
           (probe.state == LiveProbe::State::unobserved || probe.state == LiveProbe::State::send_failed);
  });
}

LiveRound::Evidence LiveRound::weigh() const {
  Evidence evidence;
  const LiveProbe* nearest = nullptr;
  const auto lower = [](std::uint8_t& least, std::uint8_t ttl) { least = least == 0 ? ttl : std::min(least, ttl); };
  for (const LiveProbe& probe : probes_) {
    const std::uint8_t ttl = probe.hop.ttl;
    evidence.highest_sent = std::max(evidence.highest_sent, ttl);
    if (!probe.answered()) continue;
    evidence.highest_answered = std::max(evidence.highest_answered, ttl);
    if (probe.destination) {
      lower(probe.attempt == 0 ? evidence.destination_sweep : evidence.destination_again, ttl);
      lower(evidence.destination_any, ttl);
      if (nearest == nullptr || ttl < nearest->hop.ttl) nearest = &probe;
    } else if (probe.time_exceeded()) {
      evidence.highest_exceeded = std::max(evidence.highest_exceeded, ttl);
    } else {
      evidence.refused = true;
    }
  }
  if (nearest != nullptr) {
    // A quote made at the destination shows what was left of the TTL: 1 if it was just enough (RFC 1122 section
    // 3.2.2.1: the header is returned as received). A figure that contradicts the routers is not believed.
    const std::uint8_t left = nearest->hop.quoted_ttl;
    evidence.distance = nearest->hop.ttl;
    if (left >= 1 && nearest->hop.ttl - left + 1 > evidence.highest_exceeded) {
      evidence.distance = static_cast<std::uint8_t>(nearest->hop.ttl - left + 1);
      evidence.quote_tells = true;
    }
  }
  return evidence;
}

bool LiveRound::ask_early(Instant now) {
  if (now < early_ || now >= last_timeout_ + kDeliveryGrace || due()) return false;
  const Evidence evidence = weigh();
  early_ = Instant::max();
  if (!ask_first_again(evidence, now)) return true;
  early_ = now + terms_.gap * static_cast<Duration::rep>(again_.size()) + std::chrono::milliseconds(100);
  return true;
}

/// In a flow's first round: those hops that nobody has answered for.
bool LiveRound::ask_first_again(const Evidence& evidence, Instant now) {
  if (!terms_.first) return false;
  if (terms_.distance != 0) return ask_again(1, terms_.distance, now);
  // What decides how far it is is asked once more than what stands on the way.
  const auto before = static_cast<std::uint8_t>(std::max<int>(evidence.distance, 2) - 1);
  const auto beyond = static_cast<std::uint8_t>(evidence.distance + 1);
  return ask_again(1, beyond, now) || ask_again(before, beyond, now, ProbeIdentity::kAttempts - 1);
}

bool LiveRound::end_is_silent() const {
  const Evidence evidence = weigh();
  const std::uint8_t at = terms_.distance != 0 ? terms_.distance : evidence.distance;
  const auto silent = [](const LiveProbe& probe) {
    return (probe.state == LiveProbe::State::sent || probe.state == LiveProbe::State::timed_out) &&
           probe.gap == Unobserved::none;
  };
  if (at == 0) return !evidence.refused && std::ranges::any_of(probes_, silent);
  const auto found =
      std::ranges::find_if(probes_, [at](const LiveProbe& probe) { return probe.attempt == 0 && probe.hop.ttl == at; });
  return found != probes_.end() && silent(*found);
}

bool LiveRound::end_answered() const {
  return std::ranges::any_of(probes_, &LiveProbe::destination);
}

bool LiveRound::settle(Instant now) {
  close_unanswered();
  if (due()) {  // one by one: the next may go
    next_send_ = now;
    return false;
  }
  const Evidence evidence = weigh();
  return terms_.distance == 0 ? settle_unknown(evidence, now) : settle_known(evidence, now);
}

/// What a single probe says of the round that it stands for.
EndToEnd LiveRound::fate(const LiveProbe* probe) const {
  using State = LiveProbe::State;
  if (probe == nullptr) return EndToEnd::undecided;  // the sweep did not get there
  switch (probe->state) {
    case State::send_failed:
      return EndToEnd::send_failed;
    case State::unobserved:
      return EndToEnd::unobserved;
    case State::left_out:
      return EndToEnd::left_out;
    case State::answered:
      if (probe->trial || probe->owed || probe->time_exceeded()) return EndToEnd::undecided;
      return probe->destination ? EndToEnd::reached : EndToEnd::lost;
    case State::timed_out:
      if (probe->trial) return EndToEnd::undecided;
      return probe->owed ? EndToEnd::suppressed : EndToEnd::lost;
    case State::unsent:
    case State::sent:
      break;
  }
  return EndToEnd::undecided;
}

EndToEnd LiveRound::trial_at(std::uint8_t distance) const {
  const auto found = std::ranges::find_if(
      probes_, [distance](const LiveProbe& probe) { return probe.attempt == 0 && probe.hop.ttl == distance; });
  return fate(found == probes_.end() ? nullptr : &*found);
}

/// A quote that says how much TTL was left is doubted when that TTL was asked again and again in vain: some boxes on
/// the way leave the TTL as it is. It is disbelieved once so many rounds in a row have doubted it that it is no chance.
bool LiveRound::disbelieves(const Evidence& evidence) {
  constexpr std::uint8_t kDoubts = 3;
  if (terms_.suspected == evidence.destination_any && terms_.suspicions >= kDoubts) return true;
  suspected_ = evidence.destination_any;
  return false;
}

std::uint8_t LiveRound::believed(const Evidence& evidence) {
  if (evidence.distance == evidence.destination_any) return evidence.distance;
  const auto in_vain = std::ranges::count_if(probes_, [&](const LiveProbe& probe) {
    return probe.hop.ttl == evidence.distance && probe.state == LiveProbe::State::timed_out;
  });
  return in_vain > kAgain && disbelieves(evidence) ? evidence.destination_any : evidence.distance;
}

bool LiveRound::settle_unknown(const Evidence& evidence, Instant now) {
  if (evidence.destination_any != 0) {
    if (ask_first_again(evidence, now)) return false;
    const std::uint8_t distance = believed(evidence);
    if (suspected_ != 0) return finish(EndToEnd::undecided, distance);  // lost, or the quote is wrong
    // Whose answer of a service it was is known only where one probe after the other was sent, in later attempts.
    return finish(terms_.anonymous ? EndToEnd::undecided : trial_at(distance), distance);
  }
  if (terms_.anonymous && attempt_ == 0 && limit_ < terms_.max_ttl && !evidence.refused) {
    attempt_ = 1;
    return plan_sweep(static_cast<std::uint8_t>(evidence.highest_exceeded + 1), now);
  }
  if (terms_.first && !terms_.anonymous && ask_again(1, evidence.highest_answered, now)) return false;
  const bool nothing_left =
      std::ranges::all_of(probes_, [](const LiveProbe& probe) { return probe.state == LiveProbe::State::send_failed; });
  if (nothing_left) return finish(EndToEnd::send_failed, 0);
  // Where the destination is nobody knows: any of the probes may have been the one to reach it.
  if (any_unobserved(0) && !evidence.refused) return finish(EndToEnd::unobserved, 0);
  const bool owed = !evidence.refused && std::ranges::any_of(probes_, &LiveProbe::owed);
  return finish(owed ? EndToEnd::suppressed : EndToEnd::lost, 0);
}

bool LiveRound::settle_known(const Evidence& evidence, Instant now) {
  if (verifying_) return verify(evidence, now);
  const std::uint8_t known = terms_.distance;
  if (ask_first_again(evidence, now)) return false;
  const LiveProbe* const last = find(known, 0);
  // Refused further up, so that the sweep ended there: nothing got that far.
  if (last == nullptr) return finish(evidence.refused ? EndToEnd::lost : EndToEnd::undecided, known);
  return settle_at(*last, evidence, now);
}

/// The sweep has come to the known distance: `last` was sent there.
bool LiveRound::settle_at(const LiveProbe& last, const Evidence& evidence, Instant now) {
  const std::uint8_t known = terms_.distance;
  const EndToEnd end_to_end = fate(&last);
  if (last.destination) {
    nearer_ = evidence.quote_tells && evidence.distance < evidence.destination_sweep;
    return finish(end_to_end, evidence.destination_sweep);
  }
  if (last.time_exceeded()) {  // the path has grown, and the sweep went on
    if (evidence.destination_any == 0) return finish(EndToEnd::lost, known);
    if (ask_again(known, static_cast<std::uint8_t>(evidence.distance + 1), now)) return false;
    const std::uint8_t distance = believed(evidence);
    return finish(trial_at(distance), distance);
  }
  if (end_to_end == EndToEnd::left_out && evidence.destination_sweep != 0)
    return finish(EndToEnd::undecided, evidence.destination_sweep);
  if (end_to_end != EndToEnd::lost || evidence.destination_sweep != 0 || evidence.refused)
    return finish(end_to_end, known);
  verifying_ = true;
  return plan_verification(now);
}

bool LiveRound::verify(const Evidence& evidence, Instant now) {
  const std::uint8_t known = terms_.distance;
  // That a limit has kept the answer back may have come out meanwhile.
  const EndToEnd silence = trial_at(known) == EndToEnd::suppressed ? EndToEnd::suppressed : EndToEnd::lost;
  if (evidence.destination_again != 0 && evidence.destination_again <= known) return finish(silence, known);
  if (evidence.highest_exceeded >= known) {
    // Longer than it was. What became of a probe of the sweep that would have been far enough nobody knows: there was
    // none.
    if (evidence.destination_any != 0) return finish(EndToEnd::undecided, evidence.distance);
    if (evidence.highest_sent < terms_.max_ttl && !evidence.refused) {
      return plan_sweep(static_cast<std::uint8_t>(evidence.highest_sent + 1), now);
    }
    return finish(EndToEnd::lost, known);
  }
  if (evidence.destination_any == 0) {
    // Loss or growth: who was to tell could not be seen.
    return finish(any_unobserved(1) ? EndToEnd::unobserved : silence, known);
  }
  // The destination answered from beyond its distance only.
  if (evidence.quote_tells) {
    // Longer than it was, and no router there answers; or lost several times, and whoever quotes says 1 always.
    if (evidence.distance > known) {
      if (attempt_ + 1 < ProbeIdentity::kAttempts) return plan_verification(now);
      return finish(EndToEnd::undecided, evidence.distance);
    }
    if (terms_.suspected != evidence.destination_any) return finish(silence, known);
    if (attempt_ + 1 < ProbeIdentity::kAttempts) return plan_verification(now);
    // Lost, or the quote is wrong.
    return finish(EndToEnd::undecided, disbelieves(evidence) ? evidence.destination_any : known);
  }
  if (attempt_ + 1 < ProbeIdentity::kAttempts) return plan_verification(now);
  // Four probes at the known distance went unanswered while others came back from beyond. With 10 % loss that happens
  // by chance once in ten thousand rounds, twice in a row never.
  if (terms_.suspected == evidence.destination_any) return finish(EndToEnd::undecided, evidence.destination_any);
  suspected_ = evidence.destination_any;
  return finish(EndToEnd::undecided, known);
}

/// Asks those of the TTLs from..below-1 again that nobody has answered. False if there is none, or no attempt left.
bool LiveRound::ask_again(std::uint8_t from, std::uint8_t below, Instant now, std::uint8_t most) {
  if (attempt_ >= most) return false;
  again_.clear();
  again_next_ = 0;
  for (int ttl = from; ttl < below; ++ttl) {
    const LiveProbe* probe = best(static_cast<std::uint8_t>(ttl));
    // What was left out is asked only where it decides how far the destination is.
    const bool nearest = probe != nullptr && probe->state == LiveProbe::State::left_out && ttl + 1 == below;
    if (probe == nullptr || probe->state == LiveProbe::State::timed_out || probe->state == LiveProbe::State::sent ||
        probe->state == LiveProbe::State::unobserved || nearest) {
      again_.push_back(static_cast<std::uint8_t>(ttl));
    }
  }
  if (again_.empty()) return false;
  next_ttl_ = limit_ + 1;
  ++attempt_;
  next_send_ = now;
  return true;
}

bool LiveRound::plan_verification(Instant now) {
  // A path that stays dark is looked at to its full depth now and then only: a dead destination must not cost more
  // than a live one.
  const bool deep = terms_.lost_streak > 0 && std::has_single_bit(terms_.lost_streak) && attempt_ == 0;
  const int last = deep ? terms_.max_ttl : std::min<int>(terms_.distance + kVerifyBeyond, terms_.max_ttl);
  again_.clear();
  again_next_ = 0;
  for (int ttl = terms_.distance; ttl <= last; ++ttl)
    again_.push_back(static_cast<std::uint8_t>(ttl));
  ++attempt_;
  next_ttl_ = limit_ + 1;
  next_send_ = now;
  return false;
}

bool LiveRound::plan_sweep(std::uint8_t from, Instant now) {
  next_ttl_ = from;
  limit_ = terms_.max_ttl;
  next_send_ = now;
  return false;
}

bool LiveRound::finish(EndToEnd end_to_end, std::uint8_t distance) {
  end_to_end_ = end_to_end;
  const bool heard = std::ranges::any_of(probes_, &LiveProbe::destination);
  distance_ = terms_.presumed && !heard ? std::uint8_t{0} : distance;
  over_ = true;
  return true;
}

/// The probe that speaks for a TTL: the sweep's, or a later one that was answered where that is no second chance for a
/// loss to become an answer (a first round, or a path that has grown).
const LiveProbe* LiveRound::best(std::uint8_t ttl) const {
  // A sweep alone, as nearly all rounds are: TTL 1, 2, 3 ... one behind the other.
  if (attempt_ == 0) return ttl >= 1 && ttl <= probes_.size() ? &probes_[ttl - 1u] : nullptr;
  const bool retries_count = terms_.distance == 0 || end_to_end_ == EndToEnd::reached || !verifying_;
  const LiveProbe* chosen = nullptr;
  for (const LiveProbe& probe : probes_) {
    if (probe.hop.ttl != ttl) continue;
    if (probe.attempt > 0 && probe.state == LiveProbe::State::left_out) continue;
    if (probe.attempt == 0 || (retries_count && (chosen == nullptr || !chosen->answered()))) chosen = &probe;
  }
  return chosen;
}

}  // namespace ecmp
