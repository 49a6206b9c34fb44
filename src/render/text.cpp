#include "render/text.hpp"

#include <array>

#include "render/metric_table.hpp"
#include "render/series.hpp"

namespace ecmp::render {

namespace {

void append_head(std::string& out, const MetricRow& family) {
  out.append("# HELP ").append(family.name).push_back(' ');
  out.append(family.help).append("\n# TYPE ").append(family.name).push_back(' ');
  out.append(to_string(family.type)).push_back('\n');
}

}  // namespace

RenderOutcome append_text(std::string& out, std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots,
                          const HopNames& names, const TextOptions& options) {
  SeriesSource source(snapshots);
  RenderOutcome outcome;
  std::vector<Metric> wanted;
  std::array<std::uint64_t, kNetworkMetrics> counts{};
  for (const MetricRow& family : metric_table().first(kNetworkMetrics)) {
    if (!options.families.empty() && !options.families.contains(family.name)) continue;
    const std::uint64_t count = source.count(family.metric);
    if (count == 0) continue;
    counts[static_cast<std::size_t>(family.metric)] = count;
    outcome.series += count;
    wanted.push_back(family.metric);
  }
  while (outcome.series > options.max_series) {
    const Metric least = wanted.back();
    const std::uint64_t count = counts[static_cast<std::size_t>(least)];
    outcome.dropped.push_back({row(least).name, count});
    outcome.series -= count;
    wanted.pop_back();
  }

  source.write_labels(wanted, names);
  constexpr std::size_t kTypicalLine = 100;
  out.reserve(out.size() + outcome.series * kTypicalLine);
  for (const Metric metric : wanted) {
    append_head(out, row(metric));
    source.write(out, metric);
  }
  return outcome;
}

}  // namespace ecmp::render
