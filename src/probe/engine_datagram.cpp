#include <vector>

#include "probe/engine_state.hpp"

namespace ecmp {
namespace {

/// A probe that an answer may be to.
struct Waiting {
  LiveRound* round = nullptr;
  LiveProbe* probe = nullptr;
};

/// Which of the probes under way an answer is to that does not say so.
struct Match {
  Waiting one;               ///< no probe: it cannot be known, or it is to none of them
  std::vector<Waiting> any;  ///< then: to which it may be
};

/// Answers arrive in the order of the probes unless the network says otherwise, so one that is older than a probe
/// answered already is never chosen. Of the younger ones it is the one that the time fits which answers of this flow
/// take: a probe that was lost waits until its timeout, and without this every later answer would be taken for its.
Match match_of(Flow& flow, Instant at) {
  Match match;
  std::vector<Waiting> waiting;
  std::vector<Waiting> fitting;
  bool passed = false;
  for (const auto& round : flow.live) {
    round->each_awaiting(at, [&](LiveProbe& probe) {
      waiting.push_back({round.get(), &probe});
      passed = passed || probe.sent < flow.answered_probe;
      if (flow.answer_time.fits(at - probe.sent)) fitting.push_back(waiting.back());
    });
  }
  // A second answer to the newest one that was answered.
  if (flow.answered_probe != Instant{} && flow.answer_time.fits(at - flow.answered_probe) && fitting.empty())
    return match;
  const auto& those = fitting.empty() ? waiting : fitting;
  if (those.size() == 1 && those.front().probe->sent >= flow.answered_probe && (!fitting.empty() || !passed)) {
    match.one = those.front();
  } else {
    match.any = those;
  }
  return match;
}

}  // namespace

/// A UDP service answers with whatever it likes: addresses and ports are all that tells whom. Who can guess them can
/// forge such an answer (docs/adr/0006).
void Engine::State::on_datagram(const packet::UdpDatagram& datagram, Instant at, RoundSink& rounds) {
  Flow* flow = find(datagram.from, Protocol::udp, datagram.destination_port, datagram.source_port);
  if (flow == nullptr) flow = find_by_session(datagram);
  if (flow == nullptr) return ignore(Ignored::unknown_flow);
  if (flow->plan->stamp) return on_stamp_reply(*flow, datagram, at, rounds);
  flow->anonymous = true;
  bool searching = false;
  for (const auto& round : flow->live)
    searching |= !round->over() && round->search_one_by_one();
  if (searching) return schedule(*flow);

  const Match match = match_of(*flow, at);
  for (const Waiting& candidate : match.any)
    candidate.probe->undecided = true;
  if (match.one.probe == nullptr) {
    if (match.any.empty()) ignore(flow->answered_probe != Instant{} ? Ignored::duplicate : Ignored::late);
    return schedule(*flow);
  }
  flow->answered_probe = match.one.probe->sent;
  flow->answer_time.take(at - match.one.probe->sent, flow->plan->interval);
  close(*flow, *match.one.round, *match.one.probe,
        {.at = at, .from = datagram.from, .kind = packet::ReplyKind::udp, .reply_ttl = datagram.reply_ttl}, rounds);
}

}  // namespace ecmp
