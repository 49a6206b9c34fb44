#include <algorithm>

#include "probe/live_round.hpp"

namespace ecmp {

void LiveRound::write_hop(std::uint8_t ttl, HopResult& hop) const {
  const LiveProbe* probe = best(ttl);
  // Nearly always: the sweep's probe was answered, and at the end of the path by the destination.
  if (probe != nullptr && probe->answered() && probe->attempt == 0 && (ttl != distance_ || probe->destination)) {
    hop = probe->hop;
    hop.outcome = probe->refused() ? HopOutcome::unreachable : HopOutcome::replied;
    return;
  }
  const bool answered = end_to_end_ == EndToEnd::reached || end_to_end_ == EndToEnd::undecided;
  // A first round that is lost may have found the destination all the same, by another probe than the one that counts:
  // that says who is there, or the path would begin with somebody unknown at its end.
  const bool found = end_to_end_ == EndToEnd::lost && terms_.distance == 0;
  bool stands_in = false;
  if (ttl == distance_ && (answered || found) && (probe == nullptr || !probe->destination)) {
    // The distance was read from a quote, or from an answer beyond: the nearest answer stands for it.
    for (const LiveProbe& candidate : probes_) {
      if (candidate.destination && (probe == nullptr || !probe->destination || candidate.hop.ttl < probe->hop.ttl)) {
        probe = &candidate;
        stands_in = found;
      }
    }
  }
  hop = probe != nullptr ? probe->hop : HopResult();
  hop.ttl = ttl;
  if (probe == nullptr || probe->state == LiveProbe::State::send_failed) {
    hop.outcome = HopOutcome::send_failed;
  } else if (probe->state == LiveProbe::State::unobserved) {
    hop.outcome = HopOutcome::unobserved;
  } else if (probe->state == LiveProbe::State::left_out) {
    hop.outcome = HopOutcome::left_out;
  } else if (!probe->answered()) {
    hop.outcome = HopOutcome::lost;
  } else {
    hop.outcome = probe->refused() ? HopOutcome::unreachable : HopOutcome::replied;
    hop.again =
        stands_in || (probe->attempt > 0 && std::ranges::any_of(probes_, [&](const LiveProbe& other) {
                        return other.hop.ttl == ttl && other.attempt == 0 && other.state == LiveProbe::State::timed_out;
                      }));
  }
}

void LiveRound::report(Instant now, Round& round) const {
  round.number = number_;
  round.started = started_;
  round.finished = now;
  round.doubted = doubtful_ && end_to_end_ == EndToEnd::lost;
  round.end_to_end = round.doubted ? EndToEnd::undecided : end_to_end_;
  round.distance = distance_;
  round.presumed = terms_.presumed && !terms_.mixed && distance_ == 0 ? terms_.distance : std::uint8_t{0};
  int last = distance_;
  if (last == 0) {
    // A hop that is known to be there and does not answer has lost its probe: it is reported as far as it was asked.
    for (const LiveProbe& probe : probes_) {
      if (probe.answered() || probe.hop.ttl <= terms_.length) last = std::max<int>(last, probe.hop.ttl);
    }
  }
  round.hops.resize(static_cast<std::size_t>(last));
  for (int ttl = 1; ttl <= last; ++ttl)
    write_hop(static_cast<std::uint8_t>(ttl), round.hops[static_cast<std::size_t>(ttl - 1)]);
  round.unobserved = Unobserved::none;
  for (const LiveProbe& probe : probes_) {
    if (probe.state == LiveProbe::State::unobserved) round.unobserved = probe.gap;
    if (probe.state == LiveProbe::State::send_failed && round.unobserved == Unobserved::none)
      round.unobserved = Unobserved::send_failed;
  }
  bool later_answer = false;
  bool later_unknown = false;
  for (auto hop = round.hops.rbegin(); hop != round.hops.rend(); ++hop) {
    if (hop->outcome == HopOutcome::lost && later_answer) {
      // Silence that a trial has caused says nothing about the network.
      const LiveProbe* const probe = best(hop->ttl);
      hop->outcome = probe != nullptr && probe->trial ? HopOutcome::left_out : HopOutcome::silent;
    }
    // Loss is what nobody further on answers either: where those could not be seen, silence is as likely.
    if (hop->outcome == HopOutcome::lost && later_unknown) hop->outcome = HopOutcome::unobserved;
    if (hop->again) {
      hop->missed = later_answer ? HopOutcome::silent : HopOutcome::lost;
      continue;
    }
    later_unknown = later_unknown || hop->outcome == HopOutcome::send_failed || hop->outcome == HopOutcome::unobserved;
    later_answer = later_answer || hop->outcome == HopOutcome::replied || hop->outcome == HopOutcome::unreachable;
  }
}

}  // namespace ecmp
