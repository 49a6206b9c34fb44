#include "path/history/history.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.hpp"
#include "base/sole_owner.hpp"

namespace ecmp {

namespace {

/// What malloc adds to an allocation, and make_shared to an object. Not exact: the budget is for a person's eyes.
constexpr std::size_t kAllocationBytes = 16;
constexpr std::size_t kControlBlockBytes = 16;

/// Far more than a round needs that is larger than those before it; a bound all the same, since whoever adds is in a
/// hurry.
constexpr std::size_t kForgottenPerRound = 256;

template <typename T>
std::size_t heap_bytes(const std::vector<T>& items) {
  return items.capacity() == 0 ? 0 : items.capacity() * sizeof(T) + kAllocationBytes;
}

/// The destination's facts and the path's responders are not in: all rounds of a destination and a path share them. The
/// window is, though several rounds of a path with many flows may share it, and so is what streams say of the path.
std::size_t record_bytes(const RoundRecord& record) {
  return sizeof(RoundRecord) + kControlBlockBytes + kAllocationBytes + heap_bytes(record.round.hops) +
         (record.verdict.window != nullptr ? sizeof(PathWindow) + kControlBlockBytes + kAllocationBytes : 0) +
         (record.oneway != nullptr
              ? sizeof(OnewayRound) + sizeof(OnewayPathSnapshot) + 2 * (kControlBlockBytes + kAllocationBytes)
              : 0);
}

}  // namespace

bool RoundFilter::matches(const RoundRecord& record) const {
  if (destination && record.destination->name != *destination) return false;
  if (flow && record.source_port != *flow) return false;
  if (path && record.verdict.path != *path) return false;
  if (lossy && record.round.end_to_end != EndToEnd::lost) return false;
  return !since || record.wall(record.round.started) >= *since;
}

History::History(std::size_t budget_bytes, std::uint64_t first) : budget_(budget_bytes), first_(first) {}

void History::add(Record record) {
  const std::size_t bytes = record_bytes(*record) + sizeof(Kept);
  ECMP_CHECK(ring_.empty() || ring_.back().sequence + 1 == end());
  const Kept& kept = ring_.push_back(Kept{std::move(record), bytes, end()});
  bytes_ += bytes;
  note_newest(kept);
  trim(kForgottenPerRound);
}

bool History::trim(std::size_t at_most) {
  for (; bytes_ > budget_ && !ring_.empty(); --at_most) {
    if (at_most == 0) return false;
    forget_oldest();
  }
  return true;
}

/// It is the newest of its flow no longer. Bytes of a record stop to count only when neither the ring nor the index
/// holds it.
void History::release(Kept& kept) {
  if (!kept.record) return;
  if (in_ring(kept)) {
    ECMP_CHECK(kept.sequence < end());
    ring_[static_cast<std::size_t>(kept.sequence - first_)].newest = false;
  } else {
    bytes_ -= kept.bytes;
  }
  kept = Kept{};
}

void History::note_newest(const Kept& kept) {
  const DestinationFacts& facts = *kept.record->destination;
  auto known = newest_.find(facts.name);
  if (known == newest_.end()) {
    known = newest_.try_emplace(facts.name).first;
    names_.insert(std::ranges::lower_bound(names_, std::string_view(facts.name), {},
                                           [](const auto* name) { return std::string_view(*name); }),
                  &known->first);
  }
  NewestByFlow& flows = known->second;
  // A destination may come back from a reload with fewer flows: those that are no more have no newest round.
  const std::size_t flow_count = std::max<std::size_t>(facts.flows, std::size_t{kept.record->flow_index} + 1);
  for (std::size_t gone = flow_count; gone < flows.size(); ++gone)
    release(flows[gone]);
  flows.resize(flow_count);
  if (facts.steady != nullptr) {  // those that rest have none either
    for (std::size_t i = 0; i < flow_count; ++i)
      if (flows[i].record && !is_steady(facts, static_cast<std::uint32_t>(i))) release(flows[i]);
  }
  Kept& newest = flows[kept.record->flow_index];
  release(newest);
  newest = kept;
}

void History::forget_oldest() {
  Kept& oldest = ring_.front();
  ECMP_CHECK(oldest.sequence == first_);
  ECMP_CHECK(oldest.newest || oldest.bytes <= bytes_);
  if (!oldest.newest) bytes_ -= oldest.bytes;
  constexpr std::size_t kMostSpare = 64;
  if (spare_.size() < kMostSpare && is_sole_owner(oldest.record)) spare_.push_back(std::move(oldest.record));
  ring_.pop_front();
  ++first_;
  ++forgotten_;
}

std::shared_ptr<RoundRecord> History::take_spare() {
  if (spare_.empty()) return nullptr;
  // Only what readers see of it is constant.
  auto spare = std::const_pointer_cast<RoundRecord>(std::move(spare_.back()));
  spare_.pop_back();
  return spare;
}

std::vector<History::Record> History::newest(const RoundFilter& filter) const {
  return newest(filter, {}, end(), std::numeric_limits<std::size_t>::max()).records;
}

History::NewestPage History::newest(const RoundFilter& filter, std::string_view after, std::uint64_t before,
                                    std::size_t enough) const {
  NewestPage page;
  const auto take = [&](const std::string& name) {
    // One for each flow that the destination ever had, by its number: null where it has no round.
    for (const Kept& kept : newest_.find(name)->second) {
      ++page.looked;
      if (kept.record && kept.sequence < before && filter.matches(*kept.record)) page.records.push_back(kept.record);
    }
    page.after = name;
  };
  if (filter.destination) {
    if (newest_.contains(*filter.destination)) take(*filter.destination);
    return page;
  }
  auto at = std::ranges::upper_bound(names_, after, {}, [](const auto* name) { return std::string_view(*name); });
  for (; at != names_.end() && page.looked < enough; ++at)
    take(**at);
  page.more = at != names_.end();
  return page;
}

History::Page History::read(const RoundFilter& filter, std::uint64_t from, std::size_t limit, std::size_t scan) const {
  Page page;
  page.from = page.next = std::clamp(from, first(), end());
  page.records.reserve(std::min<std::size_t>({limit, scan, end() - page.next}));
  for (; page.next < end() && page.records.size() < limit && scan > 0; ++page.next, --scan) {
    const Record& record = ring_[static_cast<std::size_t>(page.next - first_)].record;
    if (filter.matches(*record)) page.records.push_back(record);
  }
  return page;
}

std::uint64_t History::first() const {
  return first_;
}

std::uint64_t History::end() const {
  return first_ + ring_.size();
}

std::size_t History::bytes() const {
  return bytes_;
}

std::uint64_t History::forgotten() const {
  return forgotten_;
}

void History::drop_destination(const std::string& name) {
  const auto flows = newest_.find(name);
  if (flows == newest_.end()) return;
  for (Kept& kept : flows->second)
    release(kept);
  names_.erase(std::ranges::lower_bound(names_, std::string_view(name), {},
                                        [](const auto* known) { return std::string_view(*known); }));
  newest_.erase(flows);
}

}  // namespace ecmp
