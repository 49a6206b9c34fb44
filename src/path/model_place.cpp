// Which path a flow is on, and how sure that is.

#include <algorithm>
#include <cstddef>

#include "path/model_state.hpp"
#include "path/view_sums.hpp"

namespace ecmp {
namespace {

/// Flows that all hear one responder at a TTL: then so would the others, in 127 of 128 cases if there were a second one
/// that half of them pass.
constexpr std::uint32_t kFlowsAgree = 8;
/// Silences of a hop that a flow has never heard, where other flows are answered: another router stands there, which
/// keeps quiet.
constexpr std::uint32_t kSilences = 6;
/// Probes by which it is known that these are answered, and not only seldom, as by a limit.
constexpr std::uint64_t kWellKnown = 16;

}  // namespace

/// Finds the path of a flow whose view is not what it was.
void DestinationModel::State::place(Flow& flow, Instant now, WallTime started) {
  settle_place(flow, now, started);
  follow_fans(now, started);
}

void DestinationModel::State::settle_place(Flow& flow, Instant now, WallTime started) {
  const PathContent view = flow.view.content(facts_->address);
  const KnownPath* const before = flow.path;
  flow.path = registry_.place(view, flow.view.ends_presumed(), fans_, flow.path, now);
  if (flow.path != nullptr) flow.path->begin(started);
  flow.refused = flow.path == nullptr && !view.slots.empty();
  flow.vacancies = registry_.vacancies();
  flow.untold = flow.refused ? responder_list(view) : nullptr;
  if (flow.path != before) flow.presumed_rounds = 0;
  settle_tallies(flow);
}

/// What is heard of a fan shows that flows which were taken to pass its first router may pass another: they leave its
/// path.
void DestinationModel::State::follow_fans(Instant now, WallTime started) {
  if (hear_all()) {
    for (Flow& flow : flows_) {
      if (flow.path == nullptr || flow.rests) continue;
      if (presumes(flow.path->content, flow.view.content(facts_->address), fans_)) settle_place(flow, now, started);
    }
  }
  for (Flow& flow : flows_)
    flow.presumes = flow.path != nullptr && !flow.rests && presumes_hops(flow, UINT32_MAX);
}

bool DestinationModel::State::is_unsure(const Flow& flow) const {
  return flow.presumes && flow.presumed_rounds < model::kMostPresumed && presumes_hops(flow, kFlowsAgree);
}

/// Takes stock of who is heard where. True if there is a fan that was not known.
bool DestinationModel::State::hear_all() {
  std::vector<IpAddress> known;
  heard_by_.clear();
  FanSlots fans;
  for (const Flow& flow : flows_) {
    if (flow.rests) continue;
    const std::size_t length = flow.view.length();
    if (known.size() < length) {
      known.resize(length);
      heard_by_.resize(length);
      fans.resize(length);
    }
    for (std::size_t ttl = 1; ttl <= length; ++ttl) {
      const FlowView::Slot* const slot = flow.view.slot(ttl);
      if (slot == nullptr) break;
      const std::size_t i = ttl - 1;
      if (!slot->responder.known()) {
        fans[i] = fans[i] || passes_silence(flow, ttl);
        continue;
      }
      fans[i] = fans[i] || slot->responder.balanced() || (heard_by_[i] > 0 && known[i] != slot->responder.value());
      known[i] = slot->responder.value();
      ++heard_by_[i];
    }
  }
  bool more = false;
  for (std::size_t i = 0; i < fans.size(); ++i)
    more = more || (fans[i] && (i >= fans_.size() || !fans_[i]));
  fans_ = std::move(fans);
  return more;
}

/// Whether the flow passes a router that never answers, where its path has one that does.
bool DestinationModel::State::passes_silence(const Flow& flow, std::size_t ttl) const {
  const FlowView::Slot* const slot = flow.view.slot(ttl);
  if (flow.path == nullptr || slot == nullptr || slot->silences < kSilences) return false;
  for (std::size_t at = flow.path->first(ttl); at < flow.path->members.size(); ++at) {
    const KnownPath::Member& member = flow.path->members[at];
    if (member.ttl != ttl) break;
    if (member.counters.probes >= kWellKnown && 2 * member.counters.replies >= member.counters.probes) return true;
  }
  return false;
}

/// A hop that its path knows has kept quiet at the flow until it was clear that another router is there.
bool DestinationModel::State::meets_silence(const Flow& flow) const {
  for (std::size_t i = 0; i < flow.path->content.slots.size(); ++i) {
    const FlowView::Slot* const slot = flow.view.slot(i + 1);
    const bool fan = i < fans_.size() && fans_[i];
    if (!fan && slot != nullptr && !slot->responder.known() && passes_silence(flow, i + 1)) return true;
  }
  return false;
}

/// Whether its path knows hops that the flow has not heard, and that fewer than `heard_by` others have.
bool DestinationModel::State::presumes_hops(const Flow& flow, std::uint32_t heard_by) const {
  const PathContent& path = flow.path->content;
  for (std::size_t i = 0; i < path.slots.size(); ++i) {
    const FlowView::Slot* const slot = flow.view.slot(i + 1);
    const bool end = i + 1 == path.slots.size() && path.complete;  // see FlowView::presume()
    const bool own = end || (slot != nullptr && slot->responder.known());
    if (!own && path.slots[i].known() && (i >= heard_by_.size() || heard_by_[i] < heard_by)) return true;
  }
  return false;
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
