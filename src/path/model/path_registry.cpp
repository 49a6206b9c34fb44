#include "path/model/path_registry.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "path/model/icmp_limit.hpp"
namespace ecmp {

KnownPath::Member* KnownPath::member(std::size_t ttl, const IpAddress& responder) {
  for (std::size_t at = first(ttl); at < members.size() && members[at].ttl == ttl; ++at)
    if (members[at].responder == responder) return &members[at];
  return nullptr;
}

std::size_t KnownPath::first(std::size_t ttl) const {
  // On most paths there is one responder at every TTL, or nearly so.
  std::size_t at = std::min(ttl > 0 ? ttl - 1 : 0, members.size());
  while (at > 0 && members[at - 1].ttl >= ttl)
    --at;
  while (at < members.size() && members[at].ttl < ttl)
    ++at;
  return at;
}

void KnownPath::begin(WallTime now) {
  if (began == WallTime{}) began = now;
  for (Member& member : members)
    if (member.began == WallTime{}) member.began = now;
}

PathSnapshot KnownPath::tell(const RoundPlace& now, const RoundPlace& now_at_hops) {
  PathSnapshot told;
  told.id = id;
  told.ordinal = ordinal;
  told.length = static_cast<std::uint8_t>(content.slots.size());
  told.complete = content.complete;
  told.flows = flows;
  told.probes = probes;
  told.replies = replies;
  told.unjudged = unjudged;
  told.began = began;
  told.statistics = ledger.told(now);
  told.hops.reserve(members.size());
  for (KnownPath::Member& member : members) {
    [[maybe_unused]] const HopCounters& counted = member.counters;
    ECMP_CHECK(counted.probes == counted.replies + counted.losses + counted.silences);
    told.hops.push_back({member.ttl, member.responder, member.newest, member.counters, member.mpls,
                         member.ledger.told(now_at_hops), member.limiting, member.began});
  }
  mark_limited(told);
  return told;
}

std::shared_ptr<const std::vector<IpAddress>> responder_list(const PathContent& content) {
  auto list = std::make_shared<std::vector<IpAddress>>();
  list->reserve(content.slots.size());
  for (const ContentSlot& slot : content.slots)
    list->push_back(slot.known() ? slot.responders().front() : IpAddress());
  return list;
}

KnownPath* PathRegistry::place(const PathContent& view, bool presumed, bool exact, KnownPath* current, Instant now) {
  if (view.slots.empty()) {
    if (current != nullptr) leave(*current, now);
    return nullptr;
  }
  const bool stays_possible =
      current != nullptr && compatible(view, current->content) && (!exact || refines(view, current->content));
  if (stays_possible && !adds(view, current->content)) {
    current->presumed = current->presumed && presumed;
    return current;
  }
  KnownPath* target = exact ? match_exactly(view, current) : match(view, current, stays_possible);
  if (target == nullptr && stays_possible) {
    // Only a flow that knows all of the path may add to it: what several flows know in part may be of several paths.
    // No other flow on it can contradict, since whatever a flow knows its path knows.
    if (refines(view, current->content)) {
      take_in(*current, view);
      current->presumed = current->presumed && presumed;
      return current;
    }
    if (!exact) target = match(view, current, false);
  }

  // The only flow of a path learned more and finds it is another, or a longer one: then the path it leaves was never
  // more than a rough sketch, which must not be told beside the real one.
  std::unique_ptr<KnownPath> sketch;
  if (current != nullptr) {
    PathContent becomes = view;
    if (target != nullptr) unite(becomes, target->content);
    leave(*current, now);
    if (current->flows == 0 && (current->presumed || refines(becomes, current->content))) sketch = extract(current);
  }
  if (target == nullptr) target = create(view, presumed, sketch ? sketch->ordinal : 0, now);
  if (target == nullptr) return nullptr;
  target->presumed = target->presumed && presumed;
  if (adds(view, target->content)) take_in(*target, view);
  ++target->flows;
  ECMP_CHECK(compatible(view, target->content));
  ++target->joined;
  ++version_;
  // What it had is told of the other path from now on, and must not be told of both once the sketch comes back.
  if (sketch && sketch->joined == 1) {
    absorb(*sketch, *target);
  } else if (sketch) {
    put_to_sleep(std::move(sketch));
  }
  return target;
}

/// Its window and what waits in intervals end here; what was counted stays.
void PathRegistry::put_to_sleep(std::unique_ptr<KnownPath> path) {
  if (path->joined == 0) return;
  path->ledger.close_intervals(bounds_);
  path->ledger.clear_window();
  path->variation = VariationWindow();
  path->window = nullptr;
  for (KnownPath::Member& member : path->members) {
    member.ledger.close_intervals(bounds_);
    member.ledger.clear_window();
  }
  asleep_.push_back(std::move(path));
  bound_sleepers();
}

/// A path whose name was told before goes on counting where that ended.
void PathRegistry::wake(KnownPath& path) {
  const auto at = std::ranges::find_if(asleep_, [&](const auto& other) { return other->id == path.id; });
  if (at == asleep_.end()) return;
  if (content_hash((*at)->content, 0) == content_hash(path.content, 0)) take_in(path, (*at)->content);
  absorb(**at, path);
  asleep_.erase(at);
}

void PathRegistry::bound_sleepers() {
  while (!asleep_.empty() && paths_.size() + asleep_.size() > max_paths_)
    asleep_.erase(asleep_.begin());
}

void PathRegistry::leave(KnownPath& path, Instant now) {
  ECMP_CHECK(path.flows > 0);
  --path.flows;
  path.last_used = now;
  ++version_;
}

void PathRegistry::abandon(KnownPath& path, Instant now) {
  leave(path, now);
  if (path.flows == 0 && path.joined == 1) put_to_sleep(extract(&path));
}

void PathRegistry::expire(Instant now) {
  const auto gone = std::stable_partition(paths_.begin(), paths_.end(), [&](const std::unique_ptr<KnownPath>& path) {
    return path->flows > 0 || now - path->last_used < retention_;
  });
  if (gone == paths_.end()) return;
  std::for_each(gone, paths_.end(), [this](std::unique_ptr<KnownPath>& path) {
    remember(*path);
    put_to_sleep(std::move(path));
  });
  paths_.erase(gone, paths_.end());
  ++vacancies_;
}

/// The other path a view belongs to, if that is beyond doubt. While `filling`, only paths that know what the view knows
/// beyond `current` come into question.
KnownPath* PathRegistry::match(const PathContent& view, const KnownPath* current, bool filling) const {
  KnownPath* used = nullptr;
  KnownPath* unused = nullptr;
  KnownPath* alike = nullptr;
  int used_count = 0;
  int unused_count = 0;
  for (const std::unique_ptr<KnownPath>& path : paths_) {
    if (path.get() == current || !compatible(view, path->content)) continue;
    // Of two that each know what the other does not, a mixture would arise that nobody has seen.
    if (!refines(path->content, view) && !refines(view, path->content)) continue;
    if (filling && !fills(path->content, view, current->content)) continue;
    if (path->content == view) return path.get();
    if (alike == nullptr && same_knowledge(view, path->content)) alike = path.get();
    (path->flows > 0 ? used : unused) = path.get();
    ++(path->flows > 0 ? used_count : unused_count);
  }
  // A path that is in use explains a view better than one that was left.
  if (used_count == 1) return used;
  if (!filling && alike != nullptr) return alike;
  return used_count == 0 && unused_count == 1 ? unused : nullptr;
}

/// The other path of which as much is known as of the view; one in use at first. A path that waits to be used again may
/// be known less well.
KnownPath* PathRegistry::match_exactly(const PathContent& view, const KnownPath* current) const {
  KnownPath* alike = nullptr;
  KnownPath* waits = nullptr;
  int waiting = 0;
  for (const std::unique_ptr<KnownPath>& path : paths_) {
    if (path.get() == current) continue;
    if (path->content == view) return path.get();
    if (!compatible(view, path->content)) continue;
    if (same_knowledge(view, path->content) && (alike == nullptr || (alike->flows == 0 && path->flows > 0)))
      alike = path.get();
    if (path->flows > 0 || !refines(view, path->content)) continue;
    waits = path.get();
    ++waiting;
  }
  return alike == nullptr && waiting == 1 ? waits : alike;
}

void PathRegistry::restore(const DestinationPathNames& names, Instant now) {
  for (const PathName& name : names.paths) {
    if (name.content.slots.empty() || id_taken(name.id)) continue;
    auto path = std::make_unique<KnownPath>();
    path->id = name.id;
    path->ordinal = name.ordinal;
    path->last_used = now;
    take_in(*path, name.content);
    path->content.complete = name.content.complete;
    if (paths_.size() < max_paths_) {
      paths_.push_back(std::move(path));
    } else {
      remember(*path);
    }
  }
  last_ordinal_ = std::max(last_ordinal_, names.last_ordinal);
}

/// Old paths go, and then those of which only the name is known.
void PathRegistry::make_room(Instant now) {
  if (paths_.size() >= max_paths_) expire(now);
  if (paths_.size() < max_paths_) return;
  const auto unseen = std::ranges::find(paths_, 0u, [](const auto& path) { return path->joined; });
  if (unseen == paths_.end()) return;
  remember(**unseen);
  paths_.erase(unseen);
}

KnownPath* PathRegistry::create(const PathContent& view, bool presumed, std::uint32_t ordinal, Instant now) {
  make_room(now);
  if (paths_.size() >= max_paths_) {
    ++refused_;
    return nullptr;
  }
  auto path = std::make_unique<KnownPath>();
  take_in(*path, view);
  path->content.complete = view.complete;
  path->presumed = presumed;
  assign_name(*path, ordinal);
  wake(*path);
  paths_.push_back(std::move(path));
  bound_sleepers();
  return paths_.back().get();
}

void PathRegistry::assign_name(KnownPath& path, std::uint32_t ordinal) {
  const std::uint64_t content = content_hash(path.content, 0);
  const auto known = std::ranges::find(names_, content, &Name::content);
  if (known != names_.end()) {
    const bool free = std::ranges::none_of(paths_, [&](const auto& other) { return other->id == known->id; });
    if (free) {
      path.id = known->id;
      path.ordinal = known->ordinal;
      return;
    }
  }
  path.ordinal = ordinal != 0 ? ordinal : ++last_ordinal_;
  path.id = static_cast<std::uint32_t>(content);
  for (std::uint64_t salt = 1; path.id == 0 || id_taken(path.id); ++salt)
    path.id = static_cast<std::uint32_t>(content_hash(path.content, salt));
}

bool PathRegistry::id_taken(std::uint32_t id) const {
  return std::ranges::any_of(paths_, [&](const auto& path) { return path->id == id; }) ||
         std::ranges::find(names_, id, &Name::id) != names_.end();
}

void PathRegistry::take_in(KnownPath& path, const PathContent& view) {
  ++version_;
  unite(path.content, view);
  std::size_t count = 0;
  for (const ContentSlot& slot : path.content.slots)
    count += slot.responders().size();
  path.members.reserve(count);
  for (std::size_t i = 0; i < path.content.slots.size(); ++i) {
    for (const IpAddress& responder : path.content.slots[i].responders()) {
      if (path.member(i + 1, responder) != nullptr) continue;
      // Behind those of its TTL, which keep their numbers.
      const auto place = path.members.begin() + static_cast<std::ptrdiff_t>(path.first(i + 2));
      path.members.insert(place, {static_cast<std::uint8_t>(i + 1), responder, {}, {}, {}, {}});
    }
  }
  path.responders = responder_list(path.content);
}

/// Nothing that was counted on the sketch of a path is lost: it was counted for the same responders.
void PathRegistry::absorb(KnownPath& rough, KnownPath& fine) const {
  if (fine.began == WallTime{}) fine.began = rough.began;
  fine.probes += rough.probes;
  fine.replies += rough.replies;
  fine.unjudged += rough.unjudged;
  fine.ledger.absorb(rough.ledger, bounds_);
  fine.variation.merge(rough.variation);
  for (KnownPath::Member& from : rough.members) {
    KnownPath::Member* to = fine.member(from.ttl, from.responder);
    if (to == nullptr) continue;
    if (to->began == WallTime{}) to->began = from.began;
    to->counters.probes += from.counters.probes;
    to->counters.replies += from.counters.replies;
    to->counters.losses += from.counters.losses;
    to->counters.silences += from.counters.silences;
    to->ledger.absorb(from.ledger, bounds_);
    if (to->newest.kind == packet::ReplyKind::none) to->newest = from.newest;
    if (to->mpls.notes() == nullptr) to->mpls = std::move(from.mpls);
  }
}

std::unique_ptr<KnownPath> PathRegistry::extract(const KnownPath* path) {
  const auto at = std::ranges::find_if(paths_, [path](const auto& candidate) { return candidate.get() == path; });
  std::unique_ptr<KnownPath> taken = std::move(*at);
  paths_.erase(at);
  ++vacancies_;
  return taken;
}

void PathRegistry::remember(const KnownPath& path) {
  const Name name{content_hash(path.content, 0), path.id, path.ordinal};
  const auto same = std::ranges::find(names_, name.content, &Name::content);
  if (same != names_.end()) {
    *same = name;
  } else if (names_.size() < kNames) {
    names_.push_back(name);
  } else {
    names_[oldest_name_] = name;
    oldest_name_ = (oldest_name_ + 1) % kNames;
  }
}

}  // namespace ecmp
