#include "render/exposition.hpp"

#include <optional>
#include <utility>

#include "render/metric_table.hpp"
#include "render/protobuf_encoder.hpp"
#include "render/series.hpp"
#include "render/text_encoder.hpp"

namespace ecmp::render {

namespace {

/// A family that there is something to tell of.
struct Wanted {
  const MetricRow* family = nullptr;
  std::uint64_t series = 0;
  std::optional<FigureWriter> figures;  ///< set if the family is one of figures
};

/// nullopt if there is nothing to tell.
std::optional<Wanted> want(const MetricRow& family, const SeriesSource& source, const ExpositionOptions& options) {
  Wanted wanted{&family, 0, std::nullopt};
  if (const auto figure = figure_of(family.metric)) {
    wanted.figures.emplace(*figure, options.format, options.histograms);
    wanted.series = source.count(*figure, *wanted.figures);
  } else {
    wanted.series = source.count(family.metric);
  }
  if (wanted.series == 0) return std::nullopt;
  return wanted;
}

template <Encoder To>
void write_families(To encoder, const SeriesSource& source, std::span<Wanted> all) {
  for (Wanted& wanted : all) {
    const MetricRow& family = *wanted.family;
    encoder.begin({family.name, family.help, family.type});
    if (const auto figure = figure_of(family.metric)) {
      source.write(encoder, *figure, *wanted.figures);
    } else {
      source.write(encoder, family.metric);
    }
    encoder.end();
  }
}

/// About how long a scrape will be in text; protobuf is shorter. What is reserved and not written costs nothing, but to
/// grow what is hundreds of megabytes long costs as much again, in time and in memory.
std::size_t estimated_size(const SeriesSource& source, std::span<const Wanted> all) {
  constexpr std::size_t kHead = 400;
  constexpr std::size_t kAroundLabels = 48;  // an ending of the name, `le`, the value
  std::size_t size = 0;
  for (const Wanted& wanted : all) {
    const auto figure = figure_of(wanted.family->metric);
    size += figure ? source.label_bytes(*figure, *wanted.figures) : source.label_bytes(wanted.family->metric);
    size += kHead + wanted.series * (wanted.family->name.size() + kAroundLabels);
  }
  return size;
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
  std::vector<Wanted> wanted;
  for (const MetricRow& family : metric_table().first(kNetworkMetrics)) {
    if (!takes(options.families, family)) continue;
    if (auto one = want(family, source, options)) {
      outcome.series += one->series;
      wanted.push_back(std::move(*one));
    }
  }
  while (outcome.series > options.max_series) {
    const Wanted& least = wanted.back();
    outcome.dropped.push_back({least.family->name, least.series});
    outcome.series -= least.series;
    wanted.pop_back();
  }

  const bool is_protobuf = options.format == Format::protobuf;
  std::vector<Metric> metrics;
  metrics.reserve(wanted.size());
  for (const Wanted& one : wanted) {
    metrics.push_back(one.family->metric);
  }
  source.write_labels(metrics, names, is_protobuf ? LabelForm::protobuf : LabelForm::text);
  out.reserve(out.size() + estimated_size(source, wanted));
  if (is_protobuf) {
    write_families(ProtobufEncoder(out), source, wanted);
  } else {
    write_families(TextEncoder(out, options.format), source, wanted);
  }
  return outcome;
}

}  // namespace ecmp::render
