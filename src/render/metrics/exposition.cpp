#include "render/metrics/exposition.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "render/metrics/metric_table.hpp"
#include "render/metrics/protobuf_encoder.hpp"
#include "render/metrics/series.hpp"
#include "render/metrics/text_encoder.hpp"

namespace ecmp::render {

namespace {

/// A family that has samples.
struct Wanted {
  std::size_t at = 0;  ///< in network_metrics()
  const MetricRow* family = nullptr;
  std::uint64_t series = 0;
  std::optional<FigureWriter> figures;  ///< set if the family is one of figures
};

/// Whether the family is in no group that is switched off.
bool takes(const MetricGroups& groups, const MetricRow& family) {
  switch (family.subject) {
    case Subject::flow:
    case Subject::oneway_flow:
      return groups.flows;
    case Subject::path:
      return groups.path_windows || family.name.find("_window_") == std::string_view::npos;
    case Subject::hop:
      if (family.type == MetricType::counter) return groups.hops;
      return groups.hop_windows || family.type != MetricType::summary;
    case Subject::link:
      return groups.links;
    default:
      return true;
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

class Exposition::State {
 public:
  State(std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots, const HopNames& names,
        const ExpositionOptions& options);

  bool next_text(std::string& out, std::size_t enough);
  bool next_protobuf(std::string& out, std::size_t enough);

  RenderOutcome outcome;
  Format format;

 private:
  static FamilyHead head_of(const MetricRow& family) { return {family.name, family.help, family.type}; }
  template <Encoder To>
  void write(To& encoder, Wanted& wanted, const SeriesSource::Range& range) const {
    if (wanted.figures) {
      source_.write(encoder, *wanted.family->figure, *wanted.figures, range);
    } else {
      source_.write(encoder, wanted.at, range);
    }
  }

  SeriesSource source_;
  std::vector<Wanted> wanted_;
  std::size_t family_ = 0;  ///< of wanted_, to be written next
  std::size_t item_ = 0;    ///< of that family
};

Exposition::State::State(std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots, const HopNames& names,
                         const ExpositionOptions& options)
    : format(options.format), source_(snapshots) {
  const std::span<const MetricRow> families = network_metrics();
  for (std::size_t i = 0; i < families.size(); ++i) {
    const MetricRow& family = families[i];
    if (!takes(options.families, family) || !takes(options.groups, family)) continue;
    Wanted wanted{i, &family, 0, std::nullopt};
    if (family.figure) wanted.figures.emplace(*family.figure, options.format, options.histograms);
    wanted.series = wanted.figures ? source_.count(*family.figure, *wanted.figures) : source_.count(i);
    if (wanted.series == 0) continue;
    outcome.series += wanted.series;
    wanted_.push_back(std::move(wanted));
  }
  while (outcome.series > options.max_series) {
    const Wanted& least = wanted_.back();
    outcome.dropped.push_back({least.family->name, least.series});
    outcome.series -= least.series;
    wanted_.pop_back();
  }
  std::vector<Subject> subjects;
  for (const Wanted& one : wanted_)
    subjects.push_back(one.family->subject);
  source_.write_labels(subjects, names, format == Format::protobuf ? LabelForm::protobuf : LabelForm::text);
}

bool Exposition::State::next_text(std::string& out, std::size_t enough) {
  // Between two looks at the size: a hop's histogram is 2 kB of text.
  constexpr std::size_t kItems = 8;
  const std::size_t end = out.size() + std::min(enough, out.max_size() - out.size());
  TextEncoder encoder(out, format);
  for (; family_ < wanted_.size(); ++family_, item_ = 0) {
    Wanted& wanted = wanted_[family_];
    if (out.size() >= end) return true;
    if (item_ == 0) {
      encoder.begin(head_of(*wanted.family));
    } else {
      encoder.resume(head_of(*wanted.family));
    }
    for (const std::size_t items = source_.items(wanted.family->subject); item_ < items;) {
      write(encoder, wanted, {item_, item_ + kItems});
      item_ += kItems;
      if (out.size() >= end && item_ < items) return true;
    }
    encoder.end();
  }
  return false;
}

bool Exposition::State::next_protobuf(std::string& out, std::size_t enough) {
  const std::size_t end = out.size() + std::min(enough, out.max_size() - out.size());
  ProtobufEncoder encoder(out);
  for (; family_ < wanted_.size() && out.size() < end; ++family_) {
    Wanted& wanted = wanted_[family_];
    encoder.begin(head_of(*wanted.family));
    write(encoder, wanted, {});
    encoder.end();
  }
  return family_ < wanted_.size();
}

Exposition::Exposition(std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots, const HopNames& names,
                       const ExpositionOptions& options)
    : state_(std::make_unique<State>(snapshots, names, options)) {}

Exposition::~Exposition() = default;

const RenderOutcome& Exposition::outcome() const {
  return state_->outcome;
}

bool Exposition::next(std::string& out, std::size_t enough) {
  return state_->format == Format::protobuf ? state_->next_protobuf(out, enough) : state_->next_text(out, enough);
}

RenderOutcome append_exposition(std::string& out, std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots,
                                const HopNames& names, const ExpositionOptions& options) {
  Exposition exposition(snapshots, names, options);
  while (exposition.next(out, std::numeric_limits<std::size_t>::max())) {
  }
  return exposition.outcome();
}

}  // namespace ecmp::render
