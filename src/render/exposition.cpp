#include "render/exposition.hpp"

#include <array>

#include "render/metric_table.hpp"
#include "render/protobuf_encoder.hpp"
#include "render/series.hpp"
#include "render/text_encoder.hpp"

namespace ecmp::render {

namespace {

template <Encoder To>
void write_families(To encoder, const SeriesSource& source, std::span<const Metric> metrics) {
  for (const Metric metric : metrics) {
    const MetricRow& family = row(metric);
    encoder.begin({family.name, family.help, family.type});
    source.write(encoder, metric);
    encoder.end();
  }
}

}  // namespace

bool takes(const FamilyFilter& filter, const MetricRow& family) {
  if (filter.empty() || filter.contains(family.name)) return true;
  const auto takes_with = [&](std::string_view ending) {
    return filter.contains(std::string(family.name).append(ending));
  };
  switch (family.type) {
    case MetricType::counter:
      return filter.contains(without_total(family.name));
    case MetricType::gauge:
      return false;
    case MetricType::histogram:
      return takes_with("_bucket") || takes_with("_sum") || takes_with("_count");
    case MetricType::summary:
      return takes_with("_sum") || takes_with("_count");
  }
  return false;
}

RenderOutcome append_exposition(std::string& out, std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots,
                                const HopNames& names, const ExpositionOptions& options) {
  SeriesSource source(snapshots);
  RenderOutcome outcome;
  std::vector<Metric> wanted;
  std::array<std::uint64_t, kNetworkMetrics> counts{};
  for (const MetricRow& family : metric_table().first(kNetworkMetrics)) {
    if (!takes(options.families, family)) continue;
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

  const bool is_protobuf = options.format == Format::protobuf;
  source.write_labels(wanted, names, is_protobuf ? LabelForm::protobuf : LabelForm::text);
  constexpr std::size_t kTypicalLine = 100;
  out.reserve(out.size() + outcome.series * kTypicalLine);
  if (is_protobuf) {
    write_families(ProtobufEncoder(out), source, wanted);
  } else {
    write_families(TextEncoder(out, options.format), source, wanted);
  }
  return outcome;
}

}  // namespace ecmp::render
