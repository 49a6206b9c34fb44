#include "path/statistics/flow_tally.hpp"

#include <algorithm>
#include <cmath>

namespace ecmp {
namespace {

/// For so many rounds a responder belongs to the way of a flow: a balancer that takes packets one by one returns to it.
constexpr std::uint32_t kReturning = 8;

Duration nanoseconds(double value) {
  return Duration(static_cast<Duration::rep>(std::llround(value)));
}

}  // namespace

void RecentFates::push(Fate fate, Duration rtt) {
  std::uint32_t word = kLost;
  switch (fate) {
    case Fate::replied:
      word = static_cast<std::uint32_t>(std::clamp<Duration::rep>(rtt.count(), 0, kLongest));
      break;
    case Fate::silent:
      word = kSilent;
      break;
    case Fate::unsent:
      word = kUnsent;
      break;
    case Fate::lost:
      break;
  }
  if (words_.size() < capacity_) {
    words_.push_back(word);
    return;
  }
  if (capacity_ == 0) return;
  words_[next_] = word;
  next_ = static_cast<std::uint16_t>((next_ + 1u) % capacity_);
}

RecentFates::Entry RecentFates::operator[](std::size_t age) const {
  const std::uint32_t word = words_[(next_ + words_.size() - 1 - age) % words_.size()];
  switch (word) {
    case kLost:
      return {Fate::lost};
    case kSilent:
      return {Fate::silent};
    case kUnsent:
      return {Fate::unsent};
    default:
      return {Fate::replied, Duration(word)};
  }
}

void RecentFates::clear() {
  words_.clear();
  next_ = 0;
}

void ProbeTally::reply(Duration rtt) {
  best_ = replies_ == 0 ? rtt : std::min(best_, rtt);
  worst_ = std::max(worst_, rtt);
  last_ = rtt;
  ++replies_;
  const auto value = static_cast<double>(rtt.count());
  const double distance = value - mean_;
  mean_ += distance / static_cast<double>(replies_);
  squares_ += distance * (value - mean_);
  rtts_.observe(rtt);
  recent_.push(RecentFates::Fate::replied, rtt);
}

void ProbeTally::jitter(Duration difference) {
  ++jitters_;
  jitter_sum_ += difference;
  smoothed_.add(difference);
}

void ProbeTally::loss() {
  ++losses_;
  recent_.push(RecentFates::Fate::lost);
}

void ProbeTally::silence() {
  ++silences_;
  recent_.push(RecentFates::Fate::silent);
}

void ProbeTally::send_failure() {
  ++send_failures_;
  recent_.push(RecentFates::Fate::unsent);
}

Duration ProbeTally::average() const {
  return nanoseconds(mean_);
}

Duration ProbeTally::standard_deviation() const {
  return replies_ < 2 ? Duration{} : nanoseconds(std::sqrt(squares_ / static_cast<double>(replies_ - 1)));
}

Duration ProbeTally::p95() const {
  // A bucket may reach beyond what was ever observed.
  return std::clamp(nanoseconds(rtts_.view().quantile(0.95) * 1e9), best_, worst_);
}

Duration ProbeTally::mean_jitter() const {
  return jitters_ == 0 ? Duration{} : jitter_sum_ / static_cast<Duration::rep>(jitters_);
}

void ProbeTally::reset() {
  RecentFates recent = std::move(recent_);
  recent.clear();
  *this = ProbeTally(0);
  recent_ = std::move(recent);
}

HopTally::Responder& HopTally::heard(const IpAddress& from, std::uint32_t round) {
  auto found =
      std::find_if(responders_.begin(), responders_.end(), [&](const Responder& r) { return r.address == from; });
  if (found == responders_.end()) {
    if (responders_.size() == kResponders) {
      responders_.erase(std::min_element(responders_.begin(), responders_.end(),
                                         [](const Responder& a, const Responder& b) { return a.round < b.round; }));
      ++dropped_;
    }
    found = responders_.insert(responders_.end(), {.address = from, .serial = next_serial_++});
  }
  ++found->replies;
  found->round = round;
  return *found;
}

void HopTally::reset() {
  probes_.reset();
  responders_.clear();
  dropped_ = 0;
}

void FlowTally::take(const Round& round, const PathVerdict& verdict) {
  ++rounds_;
  if (!is_unjudged(round.end_to_end) || round.reached()) reached_ = round.reached();
  if (round.distance != 0) distance_ = round.distance;
  if (verdict.path != path_ || verdict.changed != ChangeKind::none) {
    // Another path, or the same one under the name of what it turned out to be: RTTs before and after do not compare.
    jitter_.reset();
    end_to_end_.restart_jitter();
    for (HopTally& hop : hops_)
      hop.probes_.restart_jitter();
  }
  if (verdict.changed != ChangeKind::none) {
    ++changes_;
    newest_change_ = verdict.changed;
    changed_at_ = round.finished;
  }
  path_ = verdict.path;
  ordinal_ = verdict.ordinal;

  const std::size_t known = verdict.responders ? verdict.responders->size() : 0;
  length_ = std::max(known, round.hops.size());
  if (hops_.size() < length_) hops_.resize(length_);
  bool expected_way = true;
  for (const HopResult& result : round.hops) {
    if (result.ttl == 0 || result.ttl > length_) continue;
    const std::size_t place = result.ttl - 1u;
    expected_way &= take_hop(result, round, place < known ? (*verdict.responders)[place] : IpAddress());
  }
  for (std::size_t i = 0; i < known; ++i)
    if (!(*verdict.responders)[i].is_unspecified()) hops_[i].address_ = (*verdict.responders)[i];
  take_end(round, expected_way && (known == 0 || known == round.distance));
}

void FlowTally::take(const OnewayRound& round) {
  if (!oneway_) oneway_.emplace();
  oneway_->counts += round.flow.counts;
  oneway_->duplicates_forward += round.flow.duplicates_forward;
  oneway_->duplicates_reverse += round.flow.duplicates_reverse;
  oneway_->reverse_path = round.flow.reverse_path;
  newest_oneway_ = round;
}

/// Returns false if somebody answered who does not belong to the flow's way: it may be about to change.
bool FlowTally::take_hop(const HopResult& result, const Round& round, const IpAddress& expected) {
  HopTally& hop = hops_[result.ttl - 1u];
  hop.limited_ = result.limiting != Limiting::none;
  if (result.outcome == HopOutcome::left_out) return true;
  if (says_nothing(result.outcome)) {
    hop.probes_.send_failure();
    return true;
  }
  if (result.outcome == HopOutcome::silent) {
    hop.probes_.silence();
    return true;
  }
  if (result.outcome == HopOutcome::lost) {
    // Where the destination was not judged, nothing may be there to tell loss from silence.
    if (!is_unjudged(round.end_to_end)) hop.probes_.loss();
    return true;
  }

  const bool known = result.responder == expected ||
                     std::any_of(hop.responders_.begin(), hop.responders_.end(), [&](const HopTally::Responder& r) {
                       return r.address == result.responder && round.number - r.round <= kReturning;
                     });
  const std::uint32_t serial = hop.heard(result.responder, round.number).serial;
  if (expected.is_unspecified()) hop.address_ = result.responder;
  hop.newest_ = evidence_of(result).newest;
  hop.mpls_ = result.mpls;
  if (result.outcome == HopOutcome::unreachable) {
    hop.refusal_ = result.reply;
    hop.probes_.loss();
    return known;
  }
  hop.refusal_ = packet::ReplyKind::none;
  if (is_unjudged(round.end_to_end) && result.ttl == round.distance) return known;
  if (result.again) {
    if (result.missed == HopOutcome::silent) {
      hop.probes_.silence();
    } else if (!is_unjudged(round.end_to_end)) {
      hop.probes_.loss();
    }
    return known;
  }
  hop.probes_.reply(result.rtt);
  if (const auto difference = jitter_.at_hop(result.ttl, serial, round.number, result.rtt))
    hop.probes_.jitter(*difference);
  return known;
}

void FlowTally::take_end(const Round& round, bool expected_way) {
  if (is_unjudged(round.end_to_end)) return end_to_end_.unjudge();
  if (!round.counts()) return end_to_end_.send_failure();
  if (!round.reached() || round.distance == 0 || round.distance > round.hops.size()) return end_to_end_.loss();
  const Duration rtt = round.hops[round.distance - 1u].rtt;
  end_to_end_.reply(rtt);
  if (!expected_way) return;
  if (const auto difference = jitter_.end_to_end(round.number, rtt)) end_to_end_.jitter(*difference);
}

std::vector<Finding> FlowTally::findings() const {
  std::vector<HopEvidence> evidence;
  evidence.reserve(length_);
  for (std::size_t i = 0; i < length_; ++i) {
    const HopTally& hop = hops_[i];
    const bool heard = hop.newest().kind != packet::ReplyKind::none;
    evidence.push_back(
        {static_cast<std::uint8_t>(i + 1), heard ? hop.address() : IpAddress(), hop.newest(), hop.mpls().notes()});
  }
  return findings_of(evidence);
}

void FlowTally::reset() {
  end_to_end_.reset();
  if (oneway_) oneway_ = OnewayFlowSnapshot{.reverse_path = oneway_->reverse_path};
  for (HopTally& hop : hops_)
    hop.reset();
  jitter_.reset();
  rounds_ = 0;
  changes_ = 0;
  newest_change_ = ChangeKind::none;
}

/// Flows that are probed no longer, since others go the same way, are forgotten.
void DestinationTally::note_search(const RoundRecord& record) {
  search_ = record.search;
  if (record.destination == nullptr || record.destination->steady == steady_) return;
  steady_ = record.destination->steady;
  std::erase_if(flows_, [&](const Flow& flow) { return !is_steady(*record.destination, flow.index); });
}

void DestinationTally::take(const RoundRecord& record) {
  note_search(record);
  const auto place = std::lower_bound(flows_.begin(), flows_.end(), record.flow_index,
                                      [](const Flow& flow, std::uint32_t index) { return flow.index < index; });
  if (place == flows_.end() || place->index != record.flow_index) {
    if (flows_.size() >= kMaximumFlows) {
      ++left_out_;
      return;
    }
    Flow& flow = *flows_.emplace(place);
    flow.index = record.flow_index;
    flow.source_port = record.source_port;
    flow.source = record.source;
    flow.tally.take(record.round, record.verdict);
    if (record.oneway != nullptr) flow.tally.take(*record.oneway);
    return;
  }
  place->source_port = record.source_port;
  place->source = record.source;
  place->tally.take(record.round, record.verdict);
  if (record.oneway != nullptr) place->tally.take(*record.oneway);
}

void DestinationTally::forget(std::uint32_t flow_index) {
  std::erase_if(flows_, [&](const Flow& flow) { return flow.index == flow_index; });
}

void DestinationTally::reset() {
  for (Flow& flow : flows_)
    flow.tally.reset();
  left_out_ = 0;
}

const DestinationTally::Flow* DestinationTally::flow(std::uint32_t flow_index) const {
  const auto place = std::lower_bound(flows_.begin(), flows_.end(), flow_index,
                                      [](const Flow& flow, std::uint32_t index) { return flow.index < index; });
  return place == flows_.end() || place->index != flow_index ? nullptr : &*place;
}

std::uint64_t DestinationTally::rounds() const {
  std::uint64_t most = 0;
  for (const Flow& flow : flows_)
    most = std::max(most, flow.tally.rounds());
  return most;
}

std::size_t DestinationTally::paths() const {
  std::vector<std::uint32_t> paths;
  for (const Flow& flow : flows_)
    if (flow.tally.path() != 0) paths.push_back(flow.tally.path());
  std::sort(paths.begin(), paths.end());
  return static_cast<std::size_t>(std::unique(paths.begin(), paths.end()) - paths.begin());
}

}  // namespace ecmp
