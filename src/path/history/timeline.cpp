#include "path/history/timeline.hpp"

#include <algorithm>

namespace ecmp {
namespace {

/// A node of a map with what malloc adds.
constexpr std::size_t kNodeBytes = 64;

}  // namespace

void TimelineBuilder::add(const std::shared_ptr<const RoundRecord>& record) {
  if (!record->round.counts()) return;
  flow_paths_.add(record, [this](const RoundRecord& known, std::uint32_t path) { count(known, path); });
}

void TimelineBuilder::count(const RoundRecord& record, std::uint32_t path) {
  const auto step = steps_.index_of(record.wall(record.round.started));
  if (!step) return;
  paths_[path].samples.push_back({.step = *step,
                                  .port = record.source_port,
                                  .lost = record.round.end_to_end == EndToEnd::lost,
                                  .silences = silences_of(record.round),
                                  .rtt = rtt_of(record.round).value_or(Duration(-1))});
  const auto [at, is_new] = flows_[record.source_port].insert_or_assign(*step, path);
  bytes_ += sizeof(Sample) + (is_new ? kNodeBytes : 0);
}

void TimelineBuilder::add(const Rollup& rollup) {
  const auto step = steps_.index_of(rollup.minute);
  if (!step || rollup.probes == 0) return;
  const auto [at, is_new] = paths_[rollup.path].sums.try_emplace(*step);
  Sum& sum = at->second;
  const std::size_t before = sum.rtt.size();
  sum.cell.step = *step;
  sum.cell.flows = std::max(sum.cell.flows, rollup.flows);
  sum.cell.probes += rollup.probes;
  sum.cell.losses += rollup.losses;
  sum.cell.silences += rollup.silences;
  add_counts(sum.rtt, rollup.rtt);
  bytes_ += (sum.rtt.size() - before) * sizeof(RollupCounts::value_type) + (is_new ? sizeof(Sum) + kNodeBytes : 0);
}

void TimelineBuilder::append_cells(std::vector<TimelineCell>& cells, std::vector<Sample>& samples) {
  std::ranges::sort(samples, {}, [](const Sample& one) { return std::pair(one.step, one.port); });
  std::vector<Duration> rtts;
  for (std::size_t i = 0; i < samples.size();) {
    TimelineCell& cell = cells.emplace_back();
    cell.step = samples[i].step;
    rtts.clear();
    for (const std::size_t first = i; i < samples.size() && samples[i].step == cell.step; ++i) {
      const Sample& sample = samples[i];
      if (i == first || samples[i - 1].port != sample.port) ++cell.flows;
      ++cell.probes;
      if (sample.lost) ++cell.losses;
      cell.silences += sample.silences;
      if (sample.rtt >= Duration{}) rtts.push_back(sample.rtt);
    }
    std::ranges::sort(rtts);
    cell.rtt = quantiles_of(std::span<const Duration>(rtts));
  }
}

Timeline TimelineBuilder::finish() {
  flow_paths_.release(WallTime::max(), [this](const RoundRecord& known, std::uint32_t path) { count(known, path); });
  Timeline timeline;
  for (auto& [id, path] : paths_) {
    Timeline::Path& made = timeline.paths.emplace_back();
    made.id = id;
    for (auto& [step, sum] : path.sums) {
      sum.cell.rtt = quantiles_of(sum.rtt);
      made.cells.push_back(sum.cell);
    }
    path.sums.clear();
    append_cells(made.cells, path.samples);
    path.samples = {};
    std::ranges::stable_sort(made.cells, {}, &TimelineCell::step);
  }
  for (const auto& [port, steps] : flows_)
    timeline.flows[port].assign(steps.begin(), steps.end());
  return timeline;
}

}  // namespace ecmp
