#include "path/history/rollup_codec.hpp"

#include <limits>
#include <utility>

#include "base/compact.hpp"

namespace ecmp {
namespace {

constexpr std::uint64_t kMost32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kMost16 = std::numeric_limits<std::uint16_t>::max();
/// Minutes from 1970 to what nanoseconds in 64 bits can hold.
constexpr std::int64_t kLastMinute = std::numeric_limits<std::int64_t>::max() / std::int64_t{60'000'000'000};

RollupCounts counts(CompactReader& in) {
  RollupCounts counts(in.count(2));
  std::uint64_t bucket = 0;
  bool first = true;
  for (auto& [to, count] : counts) {
    const std::uint64_t more = in.number(kMost16);
    // They rise: a histogram that names a bucket twice was not written by us.
    if (!std::exchange(first, false) && more == 0) in.fail();
    bucket += more;
    if (bucket > kMost16) in.fail();
    to = static_cast<std::uint16_t>(bucket);
    count = static_cast<std::uint32_t>(in.number(kMost32));
    if (!in.ok()) return {};
  }
  return counts;
}

}  // namespace

void RollupEncoder::add(std::uint64_t number, const Rollup& rollup) {
  CompactWriter to(bytes_);
  const auto [name, is_new] = names_.try_emplace(*rollup.destination, names_.size() + 1);
  to.number(is_new ? 0 : name->second);
  if (is_new) to.text(*rollup.destination);
  to.number(number - std::exchange(number_, number));
  const std::int64_t minute = rollup.minute.time_since_epoch() / kRollupStep;
  to.signed_number(minute - std::exchange(minute_, minute));
  to.number(rollup.path);
  to.number(rollup.flows);
  to.number(rollup.probes);
  to.number(rollup.losses);
  to.number(rollup.silences);
  to.number(rollup.rtt.size());
  std::uint16_t before = 0;
  for (const auto& [bucket, count] : rollup.rtt) {
    to.number(static_cast<std::uint64_t>(bucket - std::exchange(before, bucket)));
    to.number(count);
  }
  ++items_;
}

std::string RollupEncoder::take() {
  std::string bytes = std::exchange(bytes_, {});
  names_.clear();
  number_ = 0;
  minute_ = 0;
  items_ = 0;
  return bytes;
}

std::optional<std::vector<StoredRollup>> decode_rollups(ByteView batch, const RoundFilter& filter, BatchRange range) {
  std::vector<StoredRollup> out;
  std::vector<std::shared_ptr<const std::string>> names;
  CompactReader in(batch);
  std::uint64_t number = 0;
  std::int64_t minute = 0;
  for (std::size_t items = 0; in.left() > 0 && in.ok(); ++items) {
    if (items >= kMostBatchItems) return std::nullopt;
    const std::uint64_t name = in.number(names.size());
    if (name == 0) names.push_back(std::make_shared<const std::string>(in.text()));
    const std::uint64_t step = in.number();
    if (step > ~number) in.fail();  // beyond what 64 bits hold
    number += step;
    const std::int64_t further = in.signed_number();
    if (further < -kLastMinute || further > kLastMinute) in.fail();
    minute += in.ok() ? further : 0;
    if (minute < 0 || minute > kLastMinute) in.fail();
    StoredRollup item{.number = number, .rollup = {}};
    Rollup& rollup = item.rollup;
    rollup.path = static_cast<std::uint32_t>(in.number(kMost32));
    for (std::uint32_t* const to : {&rollup.flows, &rollup.probes, &rollup.losses, &rollup.silences})
      *to = static_cast<std::uint32_t>(in.number(kMost32));
    if (rollup.losses > rollup.probes) in.fail();
    rollup.rtt = counts(in);
    if (!in.ok()) return std::nullopt;
    rollup.destination = names[static_cast<std::size_t>(name == 0 ? names.size() : name) - 1];
    rollup.minute = WallTime(kRollupStep * minute);
    const bool wanted = range.has(number) && (!filter.destination || *rollup.destination == *filter.destination) &&
                        (!filter.path || rollup.path == *filter.path) &&
                        (!filter.since || rollup.minute >= *filter.since);
    if (wanted) out.push_back(std::move(item));
  }
  return in.ok() ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace ecmp
