// Batches of roll-ups as they stand in the history's files, decoded out of any bytes; and what is made of them for
// /series: steps of time with sums and quantiles. The first bytes say how the steps lie.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "path/history/rollup_codec.hpp"
#include "path/history/timeline.hpp"

namespace {

using namespace ecmp;

void require(bool holds) {
  if (!holds) std::abort();
}

bool same(const StoredRollup& a, const StoredRollup& b) {
  const Rollup& x = a.rollup;
  const Rollup& y = b.rollup;
  return a.number == b.number && *x.destination == *y.destination && x.minute == y.minute && x.path == y.path &&
         x.flows == y.flows && x.probes == y.probes && x.losses == y.losses && x.silences == y.silences &&
         x.rtt == y.rtt;
}

/// What was understood says the same once it is written again.
void check_again(const std::vector<StoredRollup>& all) {
  RollupEncoder encoder;
  for (const StoredRollup& item : all)
    encoder.add(item.number, item.rollup);
  require(encoder.items() == all.size());
  const std::string bytes = encoder.take();
  require(encoder.items() == 0 && encoder.size() == 0);
  const auto again =
      decode_rollups(ByteView(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), {}, {});
  require(again && std::ranges::equal(*again, all, same));
}

/// A filter gives those that match, and no others.
void check_filter(ByteView bytes, const std::vector<StoredRollup>& all) {
  if (all.empty()) return;
  const Rollup& one = all[all.size() / 2].rollup;
  const RoundFilter filter{.destination = *one.destination, .path = one.path, .since = one.minute};
  const BatchRange range{all.front().number, all.back().number};
  const auto some = decode_rollups(bytes, filter, range);
  require(some.has_value());
  const auto wanted = std::ranges::count_if(all, [&](const StoredRollup& item) {
    return range.has(item.number) && *item.rollup.destination == *one.destination && item.rollup.path == one.path &&
           item.rollup.minute >= one.minute;
  });
  require(static_cast<std::size_t>(wanted) == some->size());
}

/// Whatever histograms say, quantiles rise and are values of their buckets.
void check_quantiles(const RollupCounts& counts) {
  const auto quantiles = quantiles_of(counts);
  if (!quantiles) return;
  require(quantiles->p5 <= quantiles->p50 && quantiles->p50 <= quantiles->p95);
  for (const Duration value : {quantiles->p5, quantiles->p50, quantiles->p95})
    require(std::ranges::any_of(counts, [&](const auto& count) { return rollup_value(count.first) == value; }));
}

void check_timeline(const std::vector<StoredRollup>& all, const TimelineSteps& steps) {
  TimelineBuilder builder(steps);
  std::uint64_t probes = 0, losses = 0;
  for (const StoredRollup& item : all) {
    builder.add(item.rollup);
    if (!steps.index_of(item.rollup.minute)) continue;
    probes += item.rollup.probes;
    losses += item.rollup.losses;
  }
  const Timeline timeline = builder.finish();
  require(std::ranges::is_sorted(timeline.paths, {}, &Timeline::Path::id));
  for (const Timeline::Path& path : timeline.paths) {
    for (std::size_t i = 0; i < path.cells.size(); ++i) {
      const TimelineCell& cell = path.cells[i];
      require(cell.step < steps.count && cell.losses <= cell.probes);
      require(i == 0 || path.cells[i - 1].step < cell.step);
      require(!cell.rtt || (cell.rtt->p5 <= cell.rtt->p50 && cell.rtt->p50 <= cell.rtt->p95));
      probes -= cell.probes;
      losses -= cell.losses;
    }
  }
  // All of them, each once.
  require(probes == 0 && losses == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const ByteView bytes(data + 2, size - 2);
  const auto all = decode_rollups(bytes, {}, {});
  if (!all) return 0;
  check_again(*all);
  check_filter(bytes, *all);
  RollupCounts sum;
  for (const StoredRollup& item : *all) {
    check_quantiles(item.rollup.rtt);
    add_counts(sum, item.rollup.rtt);
    require(std::ranges::adjacent_find(sum, [](const auto& a, const auto& b) { return a.first >= b.first; }) ==
            sum.end());
  }
  check_quantiles(sum);
  const WallTime begin = all->empty() ? WallTime() : all->front().rollup.minute;
  check_timeline(*all, {.begin = begin, .step = kRollupStep * (1 + data[0]), .count = data[1] + 1u});
  return 0;
}
