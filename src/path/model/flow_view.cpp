#include "path/model/flow_view.hpp"

#include <algorithm>

namespace ecmp {
namespace {

/// Who counts as the responder of a hop in this round, if anybody. A refusal counts only where the path may end: it is
/// the first of the round, and `may_end` says that no destination was ever reached. `before` is who is at the hop
/// before: a router that forwards one probe and refuses the next stands one hop nearer.
const IpAddress* responder_of(const HopResult& hop, bool may_end, const IpAddress& before) {
  if (hop.ttl == 0 || hop.responder.is_unspecified()) return nullptr;
  if (hop.outcome == HopOutcome::replied) return &hop.responder;
  if (hop.outcome == HopOutcome::unreachable && may_end && hop.responder != before) return &hop.responder;
  return nullptr;
}

/// Calls `visit(ttl, responder, by_refusal)` for each hop that tells of a responder.
template <typename Visit>
void for_each_answer(const Round& round, bool distance_known, const std::vector<FlowView::Slot>& slots, Visit visit) {
  bool may_end = !distance_known;
  IpAddress before;
  for (const HopResult& hop : round.hops) {
    const IpAddress* responder = responder_of(hop, may_end, before);
    if (hop.outcome == HopOutcome::unreachable) may_end = false;
    if (responder != nullptr) {
      before = *responder;
    } else {
      before = hop.ttl > 0 && hop.ttl <= slots.size() ? slots[hop.ttl - 1].responder.value() : IpAddress();
    }
    if (responder != nullptr) visit(std::size_t{hop.ttl}, *responder, hop.outcome != HopOutcome::replied);
  }
}

}  // namespace

void ViewStep::clear() {
  moved = false;
  change = Change::none;
  ttl = 0;
  before = after = IpAddress();
  heard.clear();
  left.clear();
}

bool FlowView::agrees(const Round& round) {
  const std::size_t in_range = std::min(range(), slots_.size());
  for (const HopResult& hop : round.hops) {
    if (hop.outcome == HopOutcome::unreachable && !distance_.known()) return false;
    if (hop.outcome != HopOutcome::replied) continue;
    if (hop.ttl == 0 || hop.ttl > in_range) return false;
    if (!slots_[hop.ttl - 1u].responder.confirm(hop.responder, round.started)) return false;
  }
  return !round.reached() || distance_.confirm(round.distance, round.started);
}

void FlowView::follow(const Round& round, const Rules& rules, ViewStep& step) {
  step.clear();
  const Instant not_older = round.started - rules.memory;
  const bool was_balanced = any_balanced();
  bool alternates = hear(round, step);
  alternates |= hear_distance(round, step);
  if (alternates) {
    balance(step);
    if (!was_balanced) step.change = ViewStep::Change::per_packet;
  }
  const bool in_doubt = unsettled(not_older);
  fill(round, in_doubt, step);
  complete(round, in_doubt, step);
  if (step.change == ViewStep::Change::none && confirmed(rules.confirm_rounds, not_older)) switch_over(not_older, step);
}

std::size_t FlowView::length() const {
  if (distance_.known()) return distance_.value();
  std::size_t length = slots_.size();
  while (length > 0 && !slots_[length - 1].responder.known())
    --length;
  return length;
}

bool FlowView::presume(const Round& round) {
  if (distance_.known()) return false;
  const bool ended = ends_presumed();
  const std::uint8_t before = presumed_;
  lost_ = lost_ || round.doubted || round.end_to_end == EndToEnd::lost;
  if (lost_) {
    presumed_ = 0;
  } else if (is_unjudged(round.end_to_end) && !round.reached()) {
    presumed_ = std::max(round.distance, round.presumed);
  }
  return ended != ends_presumed() || (ended && presumed_ != before);
}

PathContent FlowView::content(const IpAddress& destination) const {
  PathContent content;
  content.complete = distance_.known();
  content.slots.resize(length());
  if (ends_presumed()) {
    content.complete = true;
    content.slots.resize(presumed_);
    content.slots.back().add(destination);
  }
  for (std::size_t i = 0; i < std::min(content.slots.size(), slots_.size()); ++i) {
    const Sticky<IpAddress>& responder = slots_[i].responder;
    if (!responder.known()) continue;
    content.slots[i].balanced = responder.balanced();
    if (!responder.balanced()) content.slots[i].add(responder.value());
    for (const IpAddress& member : responder.members())
      content.slots[i].add(member);
  }
  return content;
}

const FlowView::Slot* FlowView::slot(std::size_t ttl) const {
  return ttl > 0 && ttl <= slots_.size() ? &slots_[ttl - 1] : nullptr;
}

FlowView::Slot& FlowView::tally(std::size_t ttl) {
  if (slots_.size() < ttl) slots_.resize(ttl);
  return slots_[ttl - 1];
}

bool FlowView::uses(std::size_t ttl, const IpAddress& responder) const {
  const Slot* const at = slot(ttl);
  if (at == nullptr || !at->responder.known() || ttl > range()) return false;
  const auto members = at->responder.members();
  return at->responder.value() == responder || at->responder.latest() == responder ||
         std::ranges::find(members, responder) != members.end();
}

bool FlowView::seen_since(std::size_t ttl, const IpAddress& responder, Instant since) const {
  const Slot* const at = slot(ttl);
  if (at == nullptr || !at->responder.known() || ttl > range() || at->responder.last_heard() < since) return false;
  const auto members = at->responder.members();
  return at->responder.latest() == responder || std::ranges::find(members, responder) != members.end();
}

bool FlowView::any_balanced() const {
  return distance_.balanced() ||
         std::ranges::any_of(slots_, [](const Slot& slot) { return slot.responder.balanced(); });
}

/// Takes in the answers at slots where somebody is known. True if one of them alternates.
bool FlowView::hear(const Round& round, ViewStep& step) {
  bool alternates = false;
  const std::size_t distance = distance_.value();
  for_each_answer(round, distance_.known(), slots_, [&](std::size_t ttl, const IpAddress& responder, bool by_refusal) {
    if (distance_.known() && ttl > distance) {
      clear(tally(ttl));
      slots_[ttl - 1].responder.set(responder, round.started);
      return;
    }
    if (ttl > slots_.size() || !slots_[ttl - 1].responder.known()) return;
    if (slots_[ttl - 1].by_refusal && !by_refusal && responder != slots_[ttl - 1].responder.value()) {
      step.left.push_back({ttl, slots_[ttl - 1].responder.value()});
      clear(slots_[ttl - 1]);  // fill() goes on: the refusal is over, and the path beyond it comes to light
      return;
    }
    Sticky<IpAddress>& known = slots_[ttl - 1].responder;
    const Hearing hearing = known.hear(responder, round.started);
    if (responder != known.value()) step.heard.push_back({ttl, responder});
    alternates |= hearing == Hearing::alternates;
    step.moved |= hearing == Hearing::widened || hearing == Hearing::settled;
  });
  return alternates;
}

bool FlowView::hear_distance(const Round& round, ViewStep& step) {
  if (!round.reached() || round.distance == 0 || !distance_.known()) return false;
  const Hearing hearing = distance_.hear(round.distance, round.started);
  if (hearing == Hearing::settled || hearing == Hearing::widened) {
    // Over branches of unequal length the view is as long as the longest.
    const auto members = distance_.members();
    set_distance(members.empty() ? distance_.value() : *std::ranges::max_element(members), round.started);
    step.moved = true;
  }
  return hearing == Hearing::alternates;
}

/// One slot alternates: it is balanced from now on, and so is what varies behind it for the same reason.
void FlowView::balance(ViewStep& step) {
  for (std::size_t i = 0; i < std::min(range(), slots_.size()); ++i) {
    Sticky<IpAddress>& responder = slots_[i].responder;
    if (!responder.known() || responder.balanced() || !responder.varied()) continue;
    const IpAddress known = responder.value();
    responder.balance();
    if (step.ttl != 0) continue;
    step.ttl = i + 1;
    step.before = known;
    const auto other = std::ranges::find_if(responder.members(), [&](const IpAddress& one) { return one != known; });
    if (other != responder.members().end()) step.after = *other;
  }
  if (distance_.known() && !distance_.balanced() && distance_.varied()) {
    distance_.balance();
    set_distance(*std::ranges::max_element(distance_.members()), distance_.last_heard());
  }
  step.moved = true;
}

/// Takes in the answers at slots where nobody is known yet. While another slot is in doubt they are only candidates:
/// they may belong to the path the flow is moving to.
void FlowView::fill(const Round& round, bool unsettled, ViewStep& step) {
  for_each_answer(round, distance_.known(), slots_, [&](std::size_t ttl, const IpAddress& responder, bool by_refusal) {
    if (ttl > range() && distance_.known()) return;
    Slot& slot = tally(ttl);
    if (slot.responder.known()) return;
    step.heard.push_back({ttl, responder});
    if (unsettled) {
      slot.responder.suspect(responder, round.started);
    } else {
      slot.responder.set(responder, round.started);
      slot.by_refusal = by_refusal;
      step.moved = true;
    }
  });
}

/// The destination is reached for the first time.
void FlowView::complete(const Round& round, bool unsettled, ViewStep& step) {
  if (!round.reached() || round.distance == 0 || distance_.known()) return;
  if (unsettled) {
    distance_.suspect(round.distance, round.started);
    return;
  }
  set_distance(round.distance, round.started);
  step.moved = true;
}

/// Whether any slot may be about to change.
bool FlowView::unsettled(Instant not_older) const {
  if (distance_.known() && distance_.has_candidate(not_older)) return true;
  for (std::size_t i = 0; i < std::min(range(), slots_.size()); ++i)
    if (slots_[i].responder.known() && slots_[i].responder.has_candidate(not_older)) return true;
  return false;
}

bool FlowView::confirmed(std::uint32_t confirm_rounds, Instant not_older) const {
  std::uint32_t needed = confirm_rounds;
  for (std::size_t i = 0; i < std::min(range(), slots_.size()); ++i) {
    const Sticky<IpAddress>& responder = slots_[i].responder;
    if (responder.balanced()) needed = std::max(confirm_rounds, kConfirmBehindBalancer);
    if (responder.known() && responder.has_candidate(not_older) && responder.candidate_count() >= needed) return true;
  }
  return distance_.known() && distance_.has_candidate(not_older) && distance_.candidate_count() >= needed;
}

void FlowView::switch_over(Instant not_older, ViewStep& step) {
  step.change = ViewStep::Change::switched;
  step.moved = true;
  Instant episode = Instant::max();
  std::size_t differing = slots_.size();
  for (std::size_t i = std::min(range(), slots_.size()); i-- > 0;) {
    const Sticky<IpAddress>& responder = slots_[i].responder;
    if (!responder.known() || !responder.has_candidate(not_older)) continue;
    episode = std::min(episode, responder.candidate_first());
    differing = i;
  }
  const std::size_t old_distance = distance_.value();
  const bool moves = distance_.has_candidate(not_older);
  if (moves) {
    episode = std::min(episode, distance_.candidate_first());
    const std::size_t nearer = std::min<std::size_t>(distance_.candidate(), old_distance);
    if (distance_.known()) differing = std::min(differing, nearer - 1);
    distance_.take_candidate();
  } else if (distance_.last_heard() < episode) {
    // The destination has not answered since: nobody knows how long the new path is.
    distance_.clear();
    presumed_ = 0;
    lost_ = false;
  }
  step.ttl = differing + 1;
  step.first_seen = episode;
  if (differing < slots_.size()) {
    step.before = slots_[differing].responder.value();
    if (slots_[differing].responder.has_candidate(not_older))
      step.first_seen = slots_[differing].responder.candidate_first();
  }
  // Whoever has not answered since the change began may have been left as well, wherever he stands: paths part, meet
  // and part again, and the first hop seen to differ need not be the first that does.
  for (std::size_t i = 0; i < slots_.size(); ++i)
    switch_slot(i, episode, not_older, step);
  if (differing < slots_.size() && differing < range()) step.after = slots_[differing].responder.value();
}

/// The part of a switch that concerns one slot.
void FlowView::switch_slot(std::size_t index, Instant episode, Instant not_older, ViewStep& step) {
  Slot& slot = slots_[index];
  Sticky<IpAddress>& responder = slot.responder;
  const std::size_t ttl = index + 1;
  const IpAddress before = responder.value();
  const bool beyond = distance_.known() && ttl > distance_.value();
  if (!beyond && responder.has_candidate(not_older)) {
    responder.take_candidate();
    slot.by_refusal = false;
    slot.losses = slot.silences = 0;
  } else if (beyond || responder.has_candidate() || responder.last_heard() < episode) {
    for (const IpAddress& member : responder.members())
      if (member != before) step.left.push_back({ttl, member});
    clear(slot);
  }
  if (before == responder.value()) return;
  if (before != IpAddress()) step.left.push_back({ttl, before});
  if (responder.known()) step.heard.push_back({ttl, responder.value()});
}

/// What is behind the destination is forgotten: it does not belong to the path.
void FlowView::set_distance(std::uint8_t distance, Instant at) {
  presumed_ = 0;
  lost_ = false;
  distance_.set(distance, at);
  for (std::size_t i = distance; i < slots_.size(); ++i)
    clear(slots_[i]);
}

}  // namespace ecmp
