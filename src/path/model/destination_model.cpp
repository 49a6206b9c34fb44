#include "path/model/destination_model.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "base/check.hpp"
#include "path/model/model_state.hpp"
#include "path/statistics/view_sums.hpp"
namespace ecmp {

bool is_steady(const DestinationFacts& facts, std::uint32_t flow_index) {
  return facts.steady == nullptr || std::ranges::binary_search(*facts.steady, flow_index);
}

void DestinationModel::State::begin(WallTime now) {
  began_ = now;
  for (Flow& flow : flows_)
    if (!flow.rests) flow.began = now;
}

void DestinationModel::State::set_facts(std::shared_ptr<const DestinationFacts> facts, WallTime now) {
  if (!model::same_flows(*facts_, *facts)) {
    forget_paths();
    if (!facts_->source_ports.agrees(facts->source_ports)) {
      for (std::size_t i = 0; i < flows_.size(); ++i) {
        lay_aside(i);
        flows_[i] = Flow();
      }
    }
  }
  for (std::size_t i = facts->flows; i < flows_.size(); ++i) {
    forget_path(flows_[i]);
    lay_aside(i);
  }
  flows_.resize(facts->flows);
  views_changed_ = true;
  if (facts_->interval != facts->interval) {
    for (const std::unique_ptr<KnownPath>& path : registry_.paths()) {
      path->ledger.close_intervals(options_.bounds.get());
      for (KnownPath::Member& member : path->members)
        member.ledger.close_intervals(options_.bounds.get());
    }
  }
  facts_ = std::move(facts);
  for (std::size_t i = 0; i < flows_.size() && !laid_aside_.empty(); ++i) {
    const auto found = laid_aside_.find(port_of(i));
    if (found == laid_aside_.end()) continue;
    static_cast<model::FlowCounters&>(flows_[i]) = found->second;
    laid_aside_.erase(found);
  }
  rest_and_wake(now);
}

/// The series of a flow are named by its port: should that come back, they go on.
void DestinationModel::State::lay_aside(std::size_t index) {
  if (flows_[index].began != WallTime{}) laid_aside_[port_of(index)] = flows_[index];
}

/// As the facts say. What was counted of a flow stays, should it wake again.
void DestinationModel::State::rest_and_wake(WallTime now) {
  for (std::size_t i = 0; i < flows_.size(); ++i) {
    Flow& flow = flows_[i];
    flow.rests = !is_steady(*facts_, static_cast<std::uint32_t>(i));
    if (!flow.rests && flow.began == WallTime{}) flow.began = now;
    if (!flow.rests || !flow.measured) continue;
    forget_path(flow);
  }
}

void DestinationModel::State::forget_path(Flow& flow) {
  count_held(flow);
  if (flow.path != nullptr) registry_.leave(*flow.path, last_round_);
  flow.path = nullptr;
  flow.jitter.reset();
  flow.refused = flow.gaps = flow.undecided = flow.arrived = false;
  flow.unanswered = 0;
  flow.untold = nullptr;
  flow.view = FlowView();
  flow.measured = false;
  flow.standing = {};
  views_changed_ = true;
}

void DestinationModel::State::forget_paths() {
  for (Flow& flow : flows_)
    forget_path(flow);
  sightings_.clear();
  first_rounds_ = Instant::min();
}

void DestinationModel::State::set_options(const ModelOptions& options) {
  const bool other_window = options.window != options_.window;
  options_ = options;
  options_.confirm_rounds = std::max<std::uint32_t>(1, options_.confirm_rounds);
  registry_.set_max_paths(options.max_paths);
  registry_.set_bounds(options_.bounds.get());
  if (!other_window) return;
  scale_ = WindowScale(options.window);
  for (const std::unique_ptr<KnownPath>& path : registry_.paths()) {
    path->ledger.clear_window();
    path->variation = VariationWindow();
    path->window = nullptr;
    for (KnownPath::Member& member : path->members)
      member.ledger.clear_window();
  }
}

PathVerdict DestinationModel::State::on_round(std::uint32_t flow_index, const Round& round, WallTime started) {
  PathVerdict verdict;
  verdict.responders = nobody_;
  if (flow_index >= flows_.size()) return verdict;
  Flow& flow = flows_[flow_index];
  if (flow.rests) return verdict;
  if (!flow.measured) first_rounds_ = std::max(first_rounds_, round.started);
  flow.measured = true;
  last_round_ = std::max(last_round_, round.finished);

  const KnownPath* const path_before = flow.path;
  const std::uint32_t before = flow.path != nullptr ? flow.path->id : 0;
  // Candidates are evidence for a while only: what was heard before must not be mixed into a later change.
  const Duration interval = std::max<Duration>(facts_->interval, std::chrono::seconds(1));
  const FlowView::Rules rules{options_.confirm_rounds, (8 + 2 * std::int64_t{options_.confirm_rounds}) * interval};
  const bool agreed = flow.view.agrees(round);
  const bool placed = agreed && flow.view.presume(round);
  if (!agreed) {
    flow.view.follow(round, rules, step_);
    const bool presumed = flow.view.presume(round);
    views_changed_ = true;
    note_sightings(flow, round.started);
    if (step_.change == ViewStep::Change::per_packet) verdict.changed = ChangeKind::per_packet;
    if (step_.change == ViewStep::Change::switched) verdict.changed = judge(flow);
    if (step_.moved || presumed) {
      heard_ += flow.gaps ? 1u : 0u;
      note_quiet(flow, round);
      place(flow, round.finished, started);
    }
    if (verdict.changed != ChangeKind::none) {
      ++flow.changes[static_cast<std::size_t>(verdict.changed)];
      verdict.previous = before;
      verdict.change = std::make_shared<const ChangePlace>(
          ChangePlace{static_cast<std::uint8_t>(step_.ttl), step_.before, step_.after});
    }
    for (const Sight& left : step_.left)
      if (!in_use(left.ttl, left.responder)) sightings_.forget(left.ttl, left.responder);
  }
  const bool learned = agreed && flow.gaps && note_quiet(flow, round);
  const bool again =
      flow.refused ? flow.vacancies != registry_.vacancies() : flow.gaps && (learned || flow.version != news());
  if (placed || again) place(flow, round.finished, started);

  if (flow.path != path_before || verdict.changed != ChangeKind::none) flow.jitter.reset();

  note_reached(flow, round);
  flow.unjudged.count(round.end_to_end);
  if (round.counts()) {
    ++flow.probes;
    flow.replies += round.reached() ? 1u : 0u;
  }
  verdict.unconfirmed = hold(flow, round, rules, agreed, verdict.changed);
  if (!verdict.unconfirmed) count(flow, round);
  refusals_.count(round, started);
  if (flow.path != nullptr) {
    verdict.path = flow.path->id;
    verdict.ordinal = flow.path->ordinal;
    verdict.responders = flow.path->responders;
    verdict.smoothed_jitter = flow.jitter.smoothed();
    tell_window(*flow.path, round.finished, verdict);
  } else if (flow.untold != nullptr) {
    verdict.responders = flow.untold;
  }
  return verdict;
}

/// Where most rounds are not judged, some flows have their turn late: that nobody is answered shows long before each
/// has been asked.
void DestinationModel::State::note_reached(Flow& flow, const Round& round) {
  flow.standing.take(round);
  if (round.reached()) lost_in_a_row_ = 0;
  if (round.end_to_end != EndToEnd::lost) return;
  if (++lost_in_a_row_ < std::max<std::uint32_t>(16, facts_->flows / 4u)) return;  // not beyond chance
  for (Flow& other : flows_)
    other.standing.reached = false;
}

/// That this flow hears him is no reason to hold that he was there all along.
void DestinationModel::State::note_sightings(const Flow& flow, Instant started) {
  const Duration memory = (std::int64_t{options_.confirm_rounds} + 1) * facts_->interval + std::chrono::seconds(5);
  for (const Sight& sight : step_.heard) {
    sightings_.note(sight.ttl, sight.responder, started, memory,
                    [&](std::size_t ttl, const IpAddress& responder) { return in_use(ttl, responder, &flow); });
  }
}

/// What a switch is, by what happened to the two responders at the first hop that differs.
ChangeKind DestinationModel::State::judge(const Flow& flow) {
  if (step_.before.is_unspecified() || step_.after.is_unspecified()) return ChangeKind::reroute;
  // All flows that move at once see the new responder within one round of each other; a hop that is silent now and then
  // delays some. Counted back from where this flow saw it first, not from now: silence may have delayed it as well.
  const Instant begin = step_.first_seen - (2 * facts_->interval + std::chrono::seconds(5));
  // What the first rounds of the flows showed was there before, as far as anybody can tell.
  const Instant since = sightings_.since(step_.ttl, step_.after);
  const bool fresh = since >= begin && since > first_rounds_;
  // Only who has been seen at the old responder since then still uses it: the others may just not have noticed yet.
  const bool gone = std::ranges::none_of(flows_, [&](const Flow& other) {
    return &other != &flow && other.view.seen_since(step_.ttl, step_.before, step_.first_seen);
  });
  if (fresh) {
    sightings_.take_place(step_.ttl, step_.after, gone ? step_.before : IpAddress());
    return gone ? ChangeKind::reroute : ChangeKind::width;
  }
  if (!gone) return ChangeKind::remap;
  // Flows over a router that limits its ICMP may not have asked it since another took its place, and still be thought
  // to go over it when it is given back: who goes as he came leaves no narrower fan.
  const bool given_back = sightings_.former(step_.ttl, step_.before) == step_.after;
  return given_back ? ChangeKind::reroute : ChangeKind::width;
}

bool DestinationModel::State::in_use(std::size_t ttl, const IpAddress& responder, const Flow* but) const {
  return std::ranges::any_of(flows_, [&](const Flow& flow) { return &flow != but && flow.view.uses(ttl, responder); });
}

RoundPlace DestinationModel::State::place_of(Instant started, Instant finished) const {
  const Duration interval = std::max<Duration>(facts_->interval, Duration(1));
  return {scale_.part(finished), static_cast<std::uint32_t>(started.time_since_epoch() / interval), true,
          options_.bounds.get()};
}

RoundPlace DestinationModel::State::at_hops(RoundPlace place) const {
  place.histograms = options_.hop_histograms;
  return place;
}

/// While somebody else has been heard and the change is neither confirmed nor refuted, rounds belong to no path yet,
/// the lost ones among them: they wait, and count for the path that the flow turns out to be on. So do those of a flow
/// that may still be on any of several. True if this one waits.
bool DestinationModel::State::hold(Flow& flow, const Round& round, const FlowView::Rules& rules, bool agreed,
                                   ChangeKind changed) const {
  if (flow.undecided) {
    if (flow.held.size() >= model::kMostUndecided) flow.held.erase(flow.held.begin());
    flow.held.push_back(round);
    return true;
  }
  if (flow.held.empty() && agreed) return false;
  const bool waits = flow.path != nullptr && changed == ChangeKind::none && flow.view.in_doubt(round.started, rules);
  if (!waits || flow.held.size() >= model::kMostHeld) count_held(flow);
  // Rounds of a flow come in the order of their numbers.
  ECMP_CHECK(flow.held.empty() || round.number > flow.held.back().number);
  if (waits) flow.held.push_back(round);
  return waits;
}

void DestinationModel::State::count(Flow& flow, const Round& round) const {
  const bool all_known = count_hops(flow, round);
  count_end_to_end(flow, round, all_known);
}

void DestinationModel::State::count_held(Flow& flow) const {
  for (const Round& round : std::exchange(flow.held, {}))
    count(flow, round);
}

/// `all_known`: nobody answered who does not belong to the path. If somebody did, the round went another way, and its
/// RTT is nothing that jitter may be told of.
void DestinationModel::State::count_end_to_end(Flow& flow, const Round& round, bool all_known) const {
  if (flow.path == nullptr) return;
  ECMP_CHECK(flow.path->replies <= flow.path->probes);
  flow.path->unjudged.count(round.end_to_end);
  if (!round.counts()) return;
  const std::uint64_t reply = round.reached() ? 1 : 0;
  KnownPath& path = *flow.path;
  ++path.probes;
  path.replies += reply;
  const RoundPlace place = place_of(round.started, round.finished);
  if (!round.reached() || round.distance == 0 || round.distance > round.hops.size()) {
    path.ledger.loss(place);
    return;
  }
  const Duration rtt = round.hops[round.distance - 1u].rtt;
  path.ledger.reply(place, rtt);
  path.variation.reply(place.part, rtt);
  if (!all_known || round.distance != path.content.slots.size()) return;
  const std::optional<Duration> jitter = flow.jitter.end_to_end(round.number, rtt);
  if (jitter) path.ledger.jitter(place, *jitter);
}

/// Returns whether all who answered belong to the path.
bool DestinationModel::State::count_hops(Flow& flow, const Round& round) const {
  if (flow.path == nullptr) return false;
  const RoundPlace place = at_hops(place_of(round.started, round.finished));
  const std::size_t length = flow.path->content.slots.size();
  bool all_known = true;
  // A path that may be growing or shrinking: what is not answered says nothing about the hops known so far.
  const bool other_length = round.distance != 0 && flow.view.distance() != 0 && round.distance != flow.view.distance();
  // Loss or silence of a hop shows behind it, where nothing may be to show it: an answer would count, its absence not.
  const bool unjudged = is_unjudged(round.end_to_end);
  for (const HopResult& hop : round.hops) {
    if (hop.ttl == 0 || hop.ttl > length || says_nothing(hop.outcome)) continue;
    if (hop.outcome == HopOutcome::replied) {
      // Whoever does not belong to the path answered a probe that went another way: not counted at all.
      KnownPath::Member* const member = flow.path->member(hop.ttl, hop.responder);
      all_known = all_known && member != nullptr;
      if (member == nullptr) continue;
      member->newest = {hop.reply, hop.reply_ttl, hop.quoted_ttl};
      member->mpls = hop.mpls;
      member->limiting = hop.limiting;
      if (unjudged) continue;
      ++member->counters.probes;
      if (hop.again) {
        const bool silent = hop.missed == HopOutcome::silent;
        ++(silent ? member->counters.silences : member->counters.losses);
        silent ? member->ledger.silence(place) : member->ledger.loss(place);
        continue;
      }
      ++member->counters.replies;
      member->ledger.reply(place, hop.rtt);
      const KnownPath::Member* first = member;
      while (first != flow.path->members.data() && std::prev(first)->ttl == hop.ttl)
        --first;
      const auto which = static_cast<std::uint32_t>(member - first);
      const std::optional<Duration> jitter = flow.jitter.at_hop(hop.ttl, which, round.number, hop.rtt);
      if (jitter) member->ledger.jitter(place, *jitter);
      continue;
    }
    if (hop.outcome == HopOutcome::unreachable && hop.mpls.notes() != nullptr) {
      // A refusal is no answer of the hop, but the MTU that it tells is to be known.
      KnownPath::Member* const refuser = flow.path->member(hop.ttl, hop.responder);
      if (refuser != nullptr) refuser->mpls = hop.mpls;
    }
    if (other_length || unjudged) continue;
    const bool silent = hop.outcome == HopOutcome::silent;
    FlowView::Slot& slot = flow.view.tally(hop.ttl);
    if (!slot.responder.known()) {
      ++(silent ? slot.silences : slot.losses);
      continue;
    }
    KnownPath::Member* const member = flow.path->member(hop.ttl, expected_responder(slot.responder));
    if (member == nullptr) continue;
    ++member->counters.probes;
    ++(silent ? member->counters.silences : member->counters.losses);
    if (silent) {
      member->ledger.silence(place);
    } else {
      member->ledger.loss(place);
    }
  }
  return all_known;
}

void DestinationModel::State::tell_window(KnownPath& path, Instant now, PathVerdict& verdict) {
  if (path.window == nullptr || now - path.window_at >= scale_.refresh()) {
    const std::uint32_t part = scale_.part(now);
    path.window = windows_.make({path.ledger.figures(part), path.variation.quantiles(part)});
    path.window_at = now;
  }
  verdict.window = path.window;
}

std::shared_ptr<const DestinationSnapshot> DestinationModel::State::snapshot(Instant now) {
  registry_.expire(now);
  leave_doubtful(now);
  auto told = std::make_shared<DestinationSnapshot>();
  told->facts = facts_;
  told->flows.reserve(flows_.size());
  std::vector<const FlowView*> views;
  Standing standing;
  for (std::size_t i = 0; i < flows_.size(); ++i) {
    const Flow& flow = flows_[i];
    const std::uint16_t port = facts_->source_ports[i];
    if (flow.rests) continue;
    told->flows.push_back({port, flow.source, flow.probes, flow.replies, flow.unjudged,
                           flow.path != nullptr ? flow.path->id : 0, flow.path != nullptr ? flow.path->ordinal : 0,
                           flow.changes, flow.began});
    views.push_back(&flow.view);
    standing.add(flow.standing);
  }
  told->measured = standing.judged();
  told->up = standing.up();
  told->unjudged = standing.why();
  const bool views_changed = std::exchange(views_changed_, false);
  if (views_changed) coverage_ = coverage_of(views);
  told->coverage = coverage_;
  told->search = search_;
  told->oneway = oneway_;
  if (search_ != nullptr && search_->paths > 0) {
    told->coverage.reset();
    if (search_->coverage >= 0) told->coverage = search_->coverage;
  }
  const RoundPlace place = place_of(now, now);
  told->paths.reserve(registry_.paths().size());
  for (const std::unique_ptr<KnownPath>& path : registry_.paths()) {
    if (path->joined == 0) continue;
    told->paths.push_back(path->tell(place, at_hops(place)));
    told->paths_in_use += path->flows > 0 ? 1u : 0u;
  }
  std::ranges::sort(told->paths, {}, &PathSnapshot::ordinal);
  const auto before = told_.lock();
  told->links = before != nullptr && !views_changed ? before->links : links_of(views);
  told->unreachables = refusals_.all();
  told->began = began_;
  told->paths_refused = registry_.refused();
  told_ = told;
  return told;
}

DestinationModel::DestinationModel(std::shared_ptr<const DestinationFacts> facts, const ModelOptions& options)
    : state_(std::make_unique<State>(std::move(facts), options)) {}

DestinationModel::~DestinationModel() = default;

void DestinationModel::begin(WallTime now) {
  state_->begin(now);
}

void DestinationModel::set_facts(std::shared_ptr<const DestinationFacts> facts, WallTime now) {
  state_->set_facts(std::move(facts), now);
}

void DestinationModel::set_options(const ModelOptions& options) {
  state_->set_options(options);
}

void DestinationModel::restore(const DestinationPathNames& names, Instant now) {
  state_->restore(names, now);
}

void DestinationModel::forget_paths() {
  state_->forget_paths();
}

void DestinationModel::forget_rounds() {
  state_->forget_rounds();
}

void DestinationModel::set_oneway(std::shared_ptr<const OnewaySnapshot> oneway) {
  state_->set_oneway(std::move(oneway));
}

void DestinationModel::set_search(std::shared_ptr<const SearchProgress> progress) {
  state_->set_search(std::move(progress));
}

void DestinationModel::set_source(std::uint32_t flow_index, const IpAddress& source) {
  state_->set_source(flow_index, source);
}

PathVerdict DestinationModel::on_round(std::uint32_t flow_index, const Round& round, WallTime started) {
  return state_->on_round(flow_index, round, started);
}

std::shared_ptr<const DestinationSnapshot> DestinationModel::snapshot(Instant now) {
  return state_->snapshot(now);
}

bool DestinationModel::moved() const {
  return state_->moved();
}

}  // namespace ecmp
