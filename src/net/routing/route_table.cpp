#include "net/routing/route_table.hpp"

#include <algorithm>
#include <limits>

namespace ecmp::net {
namespace {

/// A change of routing brings many notifications at once: wait for the rest of them.
constexpr Duration kCoalesce = std::chrono::milliseconds(100);
/// Not every change is announced (sysctls of the multipath hash, some policy rules).
constexpr Duration kFullPassEvery = std::chrono::seconds(30);
/// Between two slices: 100 look-ups of 7 us every 5 ms are 14 % of a core, until the pass is over.
constexpr Duration kSliceGap = std::chrono::milliseconds(5);

constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

bool in_prefix(const IpAddress& address, const IpAddress& prefix, std::uint8_t length) {
  if (address.family() != prefix.family()) return false;
  const ByteView a = address.bytes(), p = prefix.bytes();
  if (length > a.size() * 8) return false;
  const std::size_t whole = length / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), p.begin())) return false;
  const unsigned rest = length % 8;
  return rest == 0 || ((a[whole] ^ p[whole]) >> (8 - rest)) == 0;
}

}  // namespace

FlowRoute& RouteTable::add(std::uint32_t flow, const FlowSpec& spec) {
  if (index_.size() <= flow) index_.resize(std::size_t{flow} + 1, kNowhere);
  std::size_t& place = index_[flow];
  const bool is_new = place == kNowhere;
  if (is_new) {
    place = flows_.size();
    flows_.emplace_back();
  }
  FlowRoute& entry = flows_[place];
  if (!is_new) forget_destination(entry.spec.tuple.destination);
  entry = FlowRoute{};
  entry.flow = flow;
  entry.spec = spec;
  ++destinations_[spec.tuple.destination];
  look_up(entry);
  changes_.erase(flow);  // the caller sees it in what we return
  return entry;
}

std::vector<std::uint32_t> RouteTable::flows_over(std::uint32_t interface) const {
  std::vector<std::uint32_t> found;
  for (const FlowRoute& entry : flows_)
    if (entry.error == SendError::none && entry.route.interface == interface) found.push_back(entry.flow);
  return found;
}

std::optional<FlowSpec> RouteTable::remove(std::uint32_t flow) {
  if (flow >= index_.size() || index_[flow] == kNowhere) return std::nullopt;
  const std::size_t place = index_[flow];
  FlowSpec spec = std::move(flows_[place].spec);
  forget_destination(spec.tuple.destination);
  changes_.erase(flow);
  index_[flow] = kNowhere;
  if (place + 1 != flows_.size()) {
    flows_[place] = std::move(flows_.back());
    index_[flows_[place].flow] = place;
    if (in_pass_ && place < cursor_) {
      // The flow moved from the part still to be looked at to the part behind the cursor.
      flows_[place].stale = true;
      any_stale_ = true;
    }
  }
  flows_.pop_back();
  return spec;
}

void RouteTable::forget_destination(const IpAddress& destination) {
  const auto found = destinations_.find(destination);
  if (found != destinations_.end() && --found->second == 0) destinations_.erase(found);
}

FlowRoute* RouteTable::find(std::uint32_t flow) {
  return flow < index_.size() && index_[flow] != kNowhere ? &flows_[index_[flow]] : nullptr;
}

void RouteTable::look_up(FlowRoute& flow) {
  flow.stale = false;
  const RouteAnswer answer = lookup_(flow.spec);
  const SendError error_before = flow.error;
  const IpAddress before = flow.error == SendError::none ? flow.route.source : IpAddress();
  if (const Route* route = std::get_if<Route>(&answer)) {
    if (flow.error != SendError::none || flow.route != *route) flow.neighbour_generation = 0;
    flow.route = *route;
    flow.error = SendError::none;
  } else {
    flow.error = std::get<SendError>(answer);
  }
  flow.raw_agrees.reset();
  const IpAddress now = flow.error == SendError::none ? flow.route.source : IpAddress();
  if (now != before || flow.error != error_before) changes_[flow.flow] = now;
}

void RouteTable::prefix_changed(const IpAddress& prefix, std::uint8_t length) {
  // A router with a full table announces hundreds of prefixes a second, hardly ever one of ours: the destinations
  // inside a prefix follow its first address in the order of addresses, so one look is enough to know.
  const auto first = destinations_.lower_bound(prefix);
  if (first == destinations_.end() || !in_prefix(first->first, prefix, length)) return;
  for (FlowRoute& flow : flows_) {
    if (!in_prefix(flow.spec.tuple.destination, prefix, length)) continue;
    flow.stale = true;
    any_stale_ = true;
  }
}

void RouteTable::everything_changed() {
  for (FlowRoute& flow : flows_)
    flow.stale = true;
  any_stale_ = any_stale_ || !flows_.empty();
}

std::vector<SourceChange> RouteTable::take_source_changes() {
  std::vector<SourceChange> taken;
  taken.reserve(changes_.size());
  for (const auto& [flow, source] : changes_)
    taken.push_back({flow, source});
  changes_.clear();
  return taken;
}

Instant RouteTable::next_refresh() const {
  if (flows_.empty()) return Instant::max();
  if (in_pass_) return next_slice_;
  return any_stale_ ? std::min(next_pass_, next_full_pass_) : next_full_pass_;
}

void RouteTable::begin_pass(Instant now) {
  full_pass_ = now >= next_full_pass_;
  if (full_pass_) next_full_pass_ = now + kFullPassEvery;
  in_pass_ = true;
  any_stale_ = false;
  cursor_ = 0;
}

void RouteTable::refresh(Instant now) {
  if (next_full_pass_ == Instant{}) next_full_pass_ = now + kFullPassEvery;
  if (now < next_refresh()) return;
  if (!in_pass_) begin_pass(now);
  std::size_t budget = kSlice;
  while (cursor_ < flows_.size() && budget > 0) {
    FlowRoute& flow = flows_[cursor_++];
    if (!flow.stale && !full_pass_) continue;
    look_up(flow);
    --budget;
  }
  next_slice_ = now + kSliceGap;
  if (cursor_ < flows_.size()) return;
  in_pass_ = false;
  next_pass_ = now + kCoalesce;
}

}  // namespace ecmp::net
