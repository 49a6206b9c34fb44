#include "path/history/rollup.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace ecmp {
namespace {

/// Each octave is cut into 2^5 buckets of one width.
constexpr unsigned kBits = 5;

template <typename Value>
std::optional<RttQuantiles> by_rank(std::uint64_t count, Value value) {
  if (count == 0) return std::nullopt;
  const auto rank = [count](std::uint64_t percent) { return (count * percent + 99) / 100; };
  return RttQuantiles{.p5 = value(rank(5)), .p50 = value(rank(50)), .p95 = value(rank(95))};
}

WallTime minute_of(WallTime time) {
  return WallTime(std::chrono::floor<std::chrono::minutes>(time.time_since_epoch()));
}

}  // namespace

std::uint16_t rollup_bucket(Duration rtt) {
  const auto value = static_cast<std::uint64_t>(std::max<Duration::rep>(rtt.count(), 0));
  const auto width = static_cast<unsigned>(std::bit_width(value));
  if (width <= kBits + 1) return static_cast<std::uint16_t>(value);
  const unsigned shift = width - kBits - 1;
  return static_cast<std::uint16_t>((shift << kBits) + (value >> shift));
}

Duration rollup_value(std::uint16_t bucket) {
  constexpr unsigned kExact = 1u << (kBits + 1);
  if (bucket < kExact) return Duration(bucket);
  const unsigned shift = (bucket >> kBits) - 1u;
  if (shift > 62 - kBits) return Duration::max();
  const std::uint64_t low = static_cast<std::uint64_t>(bucket - (shift << kBits)) << shift;
  return Duration(static_cast<Duration::rep>(low + ((std::uint64_t{1} << shift) - 1) / 2));
}

void add_counts(RollupCounts& to, const RollupCounts& more) {
  RollupCounts sum;
  sum.reserve(std::max(to.size(), more.size()));
  auto a = to.begin();
  auto b = more.begin();
  while (a != to.end() || b != more.end()) {
    if (b == more.end() || (a != to.end() && a->first < b->first)) {
      sum.push_back(*a++);
    } else if (a == to.end() || b->first < a->first) {
      sum.push_back(*b++);
    } else {
      sum.emplace_back(a->first, a->second + b->second);
      ++a;
      ++b;
    }
  }
  to = std::move(sum);
}

std::optional<RttQuantiles> quantiles_of(std::span<const Duration> rtts) {
  return by_rank(rtts.size(), [&](std::uint64_t rank) { return rtts[static_cast<std::size_t>(rank) - 1]; });
}

std::optional<RttQuantiles> quantiles_of(const RollupCounts& counts) {
  std::uint64_t all = 0;
  for (const auto& [bucket, count] : counts)
    all += count;
  return by_rank(all, [&](std::uint64_t rank) {
    std::uint64_t passed = 0;
    for (const auto& [bucket, count] : counts) {
      passed += count;
      if (passed >= rank) return rollup_value(bucket);
    }
    return rollup_value(counts.back().first);
  });
}

std::uint32_t silences_of(const Round& round) {
  const auto kept_quiet = [&](const HopResult& hop) {
    if (round.distance != 0 && hop.ttl >= round.distance) return false;
    return hop.outcome == HopOutcome::silent || (hop.again && hop.missed == HopOutcome::silent);
  };
  return static_cast<std::uint32_t>(std::ranges::count_if(round.hops, kept_quiet));
}

std::optional<Duration> rtt_of(const Round& round) {
  if (round.end_to_end != EndToEnd::reached || round.distance == 0 || round.distance > round.hops.size())
    return std::nullopt;
  const HopResult& end = round.hops[round.distance - 1u];
  if (end.outcome != HopOutcome::replied || end.again) return std::nullopt;
  return end.rtt;
}

void RollupBuilder::add(const std::shared_ptr<const RoundRecord>& record) {
  if (!record->round.counts()) return;
  Destination& destination = destinations_[record->destination->name];
  if (destination.name == nullptr) destination.name = std::make_shared<const std::string>(record->destination->name);
  destination.paths.add(record, [&](const RoundRecord& known, std::uint32_t path) { count(destination, known, path); });
}

void RollupBuilder::count(Destination& destination, const RoundRecord& record, std::uint32_t path) {
  const WallTime minute = minute_of(record.wall(record.round.started));
  if (minute < closed_) return;
  Minute& open = destination.minutes[{minute, path}];
  if (open.counts.destination == nullptr) {
    open.counts.destination = destination.name;
    open.counts.minute = minute;
    open.counts.path = path;
  }
  ++open.counts.probes;
  if (record.round.end_to_end == EndToEnd::lost) ++open.counts.losses;
  open.counts.silences += silences_of(record.round);
  const auto at = std::ranges::lower_bound(open.ports, record.source_port);
  if (at == open.ports.end() || *at != record.source_port) open.ports.insert(at, record.source_port);
  if (const auto rtt = rtt_of(record.round)) ++open.rtt[rollup_bucket(*rtt)];
}

std::vector<Rollup> RollupBuilder::close(WallTime before) {
  before = minute_of(before);
  std::vector<Rollup> closed;
  for (auto entry = destinations_.begin(); entry != destinations_.end();) {
    Destination& destination = entry->second;
    destination.paths.release(before,
                              [&](const RoundRecord& known, std::uint32_t path) { count(destination, known, path); });
    auto& minutes = destination.minutes;
    while (!minutes.empty() && minutes.begin()->first.first < before) {
      Minute& minute = minutes.begin()->second;
      minute.counts.flows = static_cast<std::uint32_t>(minute.ports.size());
      minute.counts.rtt.assign(minute.rtt.begin(), minute.rtt.end());
      closed.push_back(std::move(minute.counts));
      minutes.erase(minutes.begin());
    }
    // One that is gone leaves nothing behind.
    entry = minutes.empty() && !destination.paths.any() ? destinations_.erase(entry) : std::next(entry);
  }
  closed_ = before;
  return closed;
}

std::vector<Rollup> RollupBuilder::open() const {
  std::vector<Rollup> open;
  for (const auto& [name, destination] : destinations_) {
    for (const auto& [key, minute] : destination.minutes) {
      Rollup& copy = open.emplace_back(minute.counts);
      copy.flows = static_cast<std::uint32_t>(minute.ports.size());
    }
  }
  return open;
}

}  // namespace ecmp
