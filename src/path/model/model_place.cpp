// Which path a flow is on, and whether what it has heard decides that.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "path/model/model_state.hpp"
#include "path/statistics/view_sums.hpp"

namespace ecmp {
namespace {

/// Flows that all hear one responder at a hop: then so would the others, in 127 of 128 cases if there were a second one
/// that half of them pass.
constexpr std::uint32_t kFlowsAgree = 8;
/// Rounds in which a hop that has never answered a flow keeps silent, where it answers other flows well: then another
/// router stands there, which keeps quiet.
constexpr std::uint8_t kQuiet = 6;
/// The same where other flows are answered seldom as well. Where all that are answered hear the same router it is taken
/// to be that one.
constexpr std::uint8_t kVeryQuiet = 24;
/// One in so many flows, of those that hear the only responder that is known, has to meet silence for a second router
/// to be there: rounds that keep step with a limit may miss its answers for one flow or two all the time.
constexpr std::uint32_t kOneInSilent = 4;
/// Probes by which it is known that other flows are answered well, and not only seldom, as by a limit.
constexpr std::uint64_t kWellKnown = 16;

bool answers_well(KnownPath& path, std::size_t ttl) {
  for (std::size_t at = path.first(ttl); at < path.members.size() && path.members[at].ttl == ttl; ++at) {
    const HopCounters& counters = path.members[at].counters;
    if (counters.probes >= kWellKnown && 10 * counters.replies >= 9 * counters.probes) return true;
  }
  return false;
}

}  // namespace

/// A hop that a flow has not heard, and what is heard there on the paths that it may be on.
struct DestinationModel::State::Gap {
  enum class Kind : std::uint8_t {
    unknown,   ///< nobody known: on the flow's path that is so
    presumed,  ///< `filler` stands there, since it does for so many others
    open,      ///< any of several may stand there
  };
  Kind kind = Kind::unknown;
  const ContentSlot* filler = nullptr;
};

/// Finds the path of a flow whose view is not what it was, or of one with gaps that may be filled by now.
void DestinationModel::State::place(Flow& flow, Instant now, WallTime started) {
  PathContent view = flow.view.content(facts_->address);
  const bool ends_presumed = flow.view.ends_presumed();
  const auto known = [](const ContentSlot& slot) { return slot.known(); };
  const bool may_arrive = !flow.arrived && flow.unanswered < model::kNeverArrives;
  flow.gaps = options_.wait_for_hops && (view.complete ? !std::ranges::all_of(view.slots, known) : may_arrive);
  flow.undecided = flow.gaps && !fill_gaps(flow, view);
  if (flow.undecided) {
    if (flow.path != nullptr) registry_.abandon(*flow.path, now);
    flow.path = nullptr;
  } else {
    flow.path = registry_.place(view, ends_presumed, options_.wait_for_hops && view.complete, flow.path, now);
  }
  if (flow.path != nullptr) flow.path->begin(started);
  flow.refused = flow.path == nullptr && !flow.undecided && !view.slots.empty();
  flow.vacancies = registry_.vacancies();
  flow.version = news();
  flow.untold = flow.refused || flow.undecided ? responder_list(view) : nullptr;
  settle_tallies(flow);
}

/// Puts into the view what stands at hops that the flow has not heard. False if it may be on any of several paths, or
/// on one that others have reached the destination over.
bool DestinationModel::State::fill_gaps(const Flow& flow, PathContent& view) const {
  if (!view.complete) {
    return flow.unanswered >= model::kNeverArrives ||
           std::ranges::none_of(registry_.paths(), [&](const std::unique_ptr<KnownPath>& path) {
             return path->flows > 0 && may_become(view, path->content);
           });
  }
  PathContent filled = view;
  for (std::size_t i = 0; i < view.slots.size(); ++i) {
    if (view.slots[i].known()) continue;
    const Gap gap = look_at_gap(flow, view, i);
    if (gap.kind == Gap::Kind::open) return false;
    if (gap.kind == Gap::Kind::presumed) filled.slots[i] = *gap.filler;
  }
  view = std::move(filled);
  return true;
}

DestinationModel::State::Gap DestinationModel::State::look_at_gap(const Flow& flow, const PathContent& view,
                                                                  std::size_t index) const {
  const FlowView::Slot* const slot = flow.view.slot(index + 1);
  const std::uint8_t quiet = slot != nullptr ? slot->quiet : std::uint8_t{0};
  const ContentSlot* one = nullptr;
  bool several = false;
  bool well = true;
  bool rides = false;
  std::uint32_t flows = 0;
  for (const std::unique_ptr<KnownPath>& path : registry_.paths()) {
    if (!compatible(view, path->content) || !path->content.slots[index].known()) continue;
    const ContentSlot& there = path->content.slots[index];
    several = several || (one != nullptr && one->responders().front() != there.responders().front());
    one = &there;
    flows += path->flows;
    rides = rides || path.get() == flow.path;
    well = well && answers_well(*path, index + 1);
  }
  if (one == nullptr) {
    const bool heard = hears_another(flow.view, index + 1, IpAddress());
    return {heard && quiet < kQuiet ? Gap::Kind::open : Gap::Kind::unknown, nullptr};
  }
  const bool silent = quiet >= kQuiet && (well || (several && quiet >= kVeryQuiet));
  if (silent && (several || kOneInSilent * flows_in_silence(index + 1) >= flows)) return {Gap::Kind::unknown, nullptr};
  // Who is on the path already has found it with others, and it is theirs until somebody else is heard.
  const bool enough =
      rides || flows >= kFlowsAgree || quiet >= kVeryQuiet || all_hear(index + 1, one->responders().front());
  if (several || !enough || hears_another(flow.view, index + 1, one->responders().front()))
    return {Gap::Kind::open, nullptr};
  return {Gap::Kind::presumed, one};
}

std::uint32_t DestinationModel::State::flows_in_silence(std::size_t ttl) const {
  return static_cast<std::uint32_t>(std::ranges::count_if(flows_, [ttl](const Flow& flow) {
    const FlowView::Slot* const slot = flow.view.slot(ttl);
    return !flow.rests && slot != nullptr && !slot->responder.known() && slot->quiet >= kQuiet;
  }));
}

/// Whether a flow that is on no path yet, and of which nothing else speaks against its being on the same path, hears
/// another responder at this TTL than the one given.
bool DestinationModel::State::hears_another(const FlowView& view, std::size_t ttl, const IpAddress& responder) const {
  const auto known_at = [ttl](const FlowView& of, std::size_t before) {
    const FlowView::Slot* const slot = of.slot(ttl - before);
    return slot != nullptr && slot->responder.known() ? slot->responder.value() : IpAddress();
  };
  const IpAddress before = known_at(view, 1);
  return std::ranges::any_of(flows_, [&](const Flow& other) {
    if (!other.undecided || other.rests || &other.view == &view) return false;
    const IpAddress there = known_at(other.view, 0);
    if (there.is_unspecified() || there == responder) return false;
    const IpAddress its_before = known_at(other.view, 1);
    return before.is_unspecified() || its_before.is_unspecified() || before == its_before;
  });
}

/// Whether so many of the destination's flows hear this responder at this TTL, whatever paths they are on, and none
/// hears another. Where few flows take a branch, and routers answer few of them, the hops that all flows share are
/// known by the others.
bool DestinationModel::State::all_hear(std::size_t ttl, const IpAddress& responder) const {
  std::uint32_t hear = 0;
  for (const Flow& flow : flows_) {
    const FlowView::Slot* const slot = flow.view.slot(ttl);
    if (slot == nullptr || !slot->responder.known()) continue;
    if (slot->responder.value() != responder) return false;
    ++hear;
  }
  return hear >= kFlowsAgree;
}

/// Flows that were placed when less was known of the others leave their paths where these are in doubt by now.
void DestinationModel::State::leave_doubtful(Instant now) {
  for (Flow& flow : flows_) {
    if (!flow.gaps || flow.path == nullptr || flow.version == news()) continue;
    PathContent view = flow.view.content(facts_->address);
    if (fill_gaps(flow, view)) continue;
    registry_.abandon(*flow.path, now);
    flow.path = nullptr;
    flow.undecided = true;
    flow.untold = responder_list(flow.view.content(facts_->address));
  }
}

/// Counts who keeps quiet at a flow that has never heard them. True if that is news of somebody.
bool DestinationModel::State::note_quiet(Flow& flow, const Round& round) {
  const std::size_t length = flow.view.length();
  flow.arrived = flow.arrived || flow.view.distance() != 0;
  bool news = false;
  if (!flow.arrived && round.end_to_end == EndToEnd::lost && flow.unanswered < model::kNeverArrives)
    news = ++flow.unanswered == model::kNeverArrives;
  for (const HopResult& hop : round.hops) {
    if (hop.outcome != HopOutcome::silent || hop.ttl == 0 || hop.ttl > length) continue;
    FlowView::Slot& slot = flow.view.tally(hop.ttl);
    if (slot.responder.known() || slot.quiet == kVeryQuiet) continue;
    ++slot.quiet;
    news = news || slot.quiet >= kQuiet;
  }
  return news;
}

/// What was counted while nobody was known at a slot belongs to whoever turned out to be there.
void DestinationModel::State::settle_tallies(Flow& flow) {
  if (flow.path == nullptr) return;
  for (std::size_t ttl = 1; ttl <= flow.view.length(); ++ttl) {
    const FlowView::Slot* const known = flow.view.slot(ttl);
    if (known == nullptr) return;
    if ((known->losses | known->silences) == 0 || !known->responder.known()) continue;
    FlowView::Slot& slot = flow.view.tally(ttl);
    if (KnownPath::Member* const member = flow.path->member(ttl, expected_responder(slot.responder))) {
      member->counters.probes += std::uint64_t{slot.losses} + slot.silences;
      member->counters.losses += slot.losses;
      member->counters.silences += slot.silences;
    }
    slot.losses = slot.silences = 0;
  }
}

}  // namespace ecmp
