#include "render/metrics/series.hpp"

#include <algorithm>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "render/metrics/oneway_series.hpp"
#include "render/metrics/protobuf_encoder.hpp"
#include "render/metrics/text_encoder.hpp"

namespace ecmp::render {

namespace {

/// Sorts what stands from `begin` on by `key` and merges what has the same one. What comes from the model is in order
/// and without doubles already; a double would make a scraper refuse the whole scrape, so it is not left to trust.
template <typename Items, typename Key, typename Merge>
void sort_and_merge(Items& items, std::size_t begin, const Key& key, const Merge& merge) {
  const auto first = items.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto not_ascending = [&](const auto& a, const auto& b) { return !(key(a.of) < key(b.of)); };
  if (std::adjacent_find(first, items.end(), not_ascending) == items.end()) return;
  std::stable_sort(first, items.end(), [&](const auto& a, const auto& b) { return key(a.of) < key(b.of); });
  auto last = first;
  for (auto it = std::next(first); it != items.end(); ++it) {
    if (key(last->of) == key(it->of)) {
      merge(last->of, it->of);
    } else if (++last != it) {  // a string moved to itself would be empty
      *last = std::move(*it);
    }
  }
  items.erase(std::next(last), items.end());
}

constexpr auto kKeepFirst = [](const auto&, const auto&) {};

/// [a-zA-Z_][a-zA-Z0-9_]*
bool is_label_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || is_digit(c); });
}

/// The configuration refuses labels that are malformed, doubled or named as ours; should one come all the same, it
/// costs itself and not the scrape.
void add_user_labels(LabelWriter& labels, const DestinationFacts& facts) {
  std::vector<std::string_view> taken = {"destination", "address", "family", "protocol", "port"};
  for (const auto& [name, value] : facts.labels) {
    if (!is_label_name(name) || std::find(taken.begin(), taken.end(), name) != taken.end()) continue;
    taken.push_back(name);
    labels.add(name, value);
  }
}

void add_destination_info(LabelWriter& labels, const DestinationFacts& facts) {
  if (facts.address.is_unspecified()) {  // a name that was never resolved
    labels.add("address", "");
    labels.add("family", "");
  } else {
    labels.add_address("address", facts.address);
    labels.add("family", to_string(facts.address.family()));
  }
  labels.add("protocol", facts.stamp ? "stamp" : lower_case(facts.protocol));
  labels.add_number("port", facts.port);
  add_user_labels(labels, facts);
}

/// The items of a range.
template <typename Item>
std::span<const Item> within(const std::vector<Item>& items, const SeriesSource::Range& range) {
  const std::size_t from = std::min(range.from, items.size());
  return std::span(items).subspan(from, std::min(range.to, items.size()) - from);
}

}  // namespace

SeriesSource::SeriesSource(std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots) {
  // Hops are by far the most: a vector that doubles would hold three times what it is filled with.
  std::size_t hops = 0;
  std::size_t links = 0;
  for (const auto& snapshot : snapshots) {
    links += snapshot->links.size();
    for (const PathSnapshot& path : snapshot->paths)
      hops += path.hops.size();
  }
  hops_.reserve(hops);
  links_.reserve(links);
  for (const auto& snapshot : snapshots) {
    // By the name as it will be written: mending UTF-8 can make one of two.
    Destination destination{{}, snapshot.get()};
    append_utf8(destination.name, snapshot->facts->name);
    destinations_.push_back({std::move(destination), {}});
  }
  sort_and_merge(
      destinations_, 0, [](const Destination& destination) -> const std::string& { return destination.name; },
      kKeepFirst);
  for (const auto& destination : destinations_) {
    collect(*destination.of.snapshot);
  }
  collect_findings();
  collect_responders();
}

void SeriesSource::collect(const DestinationSnapshot& snapshot) {
  const Extent before{flows_.size(), paths_.size(), links_.size(), refusals_.size()};
  for (const FlowSnapshot& flow : snapshot.flows) {
    flows_.push_back({&flow, {}});
  }
  sort_and_merge(flows_, before.flows, [](const FlowSnapshot* flow) { return flow->source_port; }, kKeepFirst);
  collect_paths(snapshot);
  for (const LinkSnapshot& link : snapshot.links) {
    links_.push_back({link, {}});
  }
  sort_and_merge(
      links_, before.links, [](const LinkSnapshot& link) { return std::tie(link.ttl, link.from, link.to); },
      [](LinkSnapshot& kept, const LinkSnapshot& more) { kept.flows += more.flows; });
  for (const UnreachableSnapshot& refusal : snapshot.unreachables) {
    refusals_.push_back({refusal, {}});
  }
  sort_and_merge(
      refusals_, before.refusals,
      [](const UnreachableSnapshot& refusal) { return std::tie(refusal.reply, refusal.from); },
      [](UnreachableSnapshot& kept, const UnreachableSnapshot& more) {
        kept.count += more.count;
        kept.began = std::min(kept.began, more.began);
      });
  extents_.push_back({flows_.size() - before.flows, paths_.size() - before.paths, links_.size() - before.links,
                      refusals_.size() - before.refusals});
}

void SeriesSource::collect_paths(const DestinationSnapshot& snapshot) {
  const std::size_t first = paths_.size();
  for (const PathSnapshot& path : snapshot.paths) {
    paths_.push_back({&path, {}});
  }
  sort_and_merge(paths_, first, [](const PathSnapshot* path) { return path->id; }, kKeepFirst);
  for (std::size_t i = first; i < paths_.size(); ++i) {
    const std::size_t before = hops_.size();
    for (const HopSnapshot& hop : paths_[i].of->hops) {
      if (!hop.responder.is_unspecified()) hops_.push_back({&hop, {}});
    }
    sort_and_merge(
        hops_, before, [](const HopSnapshot* hop) { return std::tie(hop->ttl, hop->responder); }, kKeepFirst);
    path_hops_.push_back(hops_.size() - before);
  }
}

void SeriesSource::collect_findings() {
  std::vector<HopEvidence> evidence;
  auto hop = hops_.begin();
  for (std::size_t path = 0; path < paths_.size(); ++path) {
    evidence.clear();
    const auto first = hop;
    for (const auto end = hop + static_cast<std::ptrdiff_t>(path_hops_[path]); hop != end; ++hop)
      evidence.push_back(evidence_of(*hop->of));
    const std::size_t before = findings_.size();
    for (Finding& finding : findings_of(evidence))
      findings_.push_back({{path, first[finding.hop].of, std::move(finding)}, {}});
    // Two interfaces of a hop may be told alike.
    sort_and_merge(
        findings_, before,
        [](const HopFinding& of) {
          return std::tie(of.hop->ttl, of.hop->responder, of.finding.kind, of.finding.detail);
        },
        kKeepFirst);
  }
}

/// A responder stands on many paths of many destinations, but what is known of it is told once. Which of its label
/// stacks is told is open; it is always the same one while the paths are.
void SeriesSource::collect_responders() {
  static const packet::KeptMpls no_labels;
  // Most are there many times over: once each is all there needs to be room for.
  std::unordered_map<IpAddress, std::size_t> known;
  for (const auto& hop : hops_) {
    const auto [at, is_new] = known.try_emplace(hop.of->responder, responders_.size());
    if (is_new) {
      responders_.push_back({{hop.of->responder, &hop.of->mpls}, {}});
    } else if (Responder& responder = responders_[at->second].of; responder.mpls->empty()) {
      responder.mpls = &hop.of->mpls;
    }
  }
  for (const auto& refusal : refusals_) {
    if (!refusal.of.from.is_unspecified()) responders_.push_back({{refusal.of.from, &no_labels}, {}});
  }
  sort_and_merge(
      responders_, 0, [](const Responder& responder) -> const IpAddress& { return responder.address; },
      [](Responder& kept, const Responder& more) {
        if (kept.mpls->empty()) kept.mpls = more.mpls;
      });
}

template <typename Sink>
void SeriesSource::visit_destinations(Metric metric, const Range& range, const Sink& sink) const {
  for (const auto& [destination, labels] : within(destinations_, range)) {
    const DestinationSnapshot* const snapshot = destination.snapshot;
    switch (metric) {
      case Metric::destination_up:
        if (snapshot->measured) sink(labels, snapshot->up ? 1u : 0u);
        break;
      case Metric::destination_unjudged:
        if (snapshot->unjudged == Unjudged::none) break;
        sink(labels, 1u, [why = snapshot->unjudged](LabelWriter& more) { more.add("reason", ecmp::to_string(why)); });
        break;
      case Metric::destination_info: {
        const DestinationFacts& facts = *snapshot->facts;
        sink(labels, 1u, [&facts](LabelWriter& more) { add_destination_info(more, facts); });
        break;
      }
      case Metric::paths:
        // None is a finding once something was judged, and before that no more than not known.
        if (snapshot->measured || snapshot->paths_in_use > 0) sink(labels, snapshot->paths_in_use);
        break;
      case Metric::destination_expected_paths:
        if (snapshot->facts->expected_paths > 0) sink(labels, snapshot->facts->expected_paths);
        break;
      case Metric::destination_paths_refused:
        sink(labels, snapshot->paths_refused);
        break;
      case Metric::path_coverage_probability:
        if (snapshot->coverage) sink(labels, *snapshot->coverage);
        break;
      default:
        break;
    }
  }
}

/// All reasons from the start, as for the kinds of changes.
template <typename Sink, typename Labels>
void write_unjudged(const Sink& sink, const Labels& labels, const UnjudgedCounters& counts) {
  const auto write = [&](EndToEnd outcome, std::uint64_t count) {
    sink(labels, count, [outcome](LabelWriter& more) { more.add("reason", ecmp::to_string(outcome)); });
  };
  write(EndToEnd::suppressed, counts.suppressed);
  write(EndToEnd::left_out, counts.left_out);
  write(EndToEnd::undecided, counts.undecided);
}

template <typename Sink>
void SeriesSource::visit_flows(Metric metric, const Range& range, const Sink& sink) const {
  for (const auto& [item, labels] : within(flows_, range)) {
    const FlowSnapshot& flow = *item;
    switch (metric) {
      case Metric::flow_probes:
        sink(labels, flow.probes);
        break;
      case Metric::flow_replies:
        sink(labels, flow.replies);
        break;
      case Metric::flow_unjudged:
        write_unjudged(sink, labels, flow.unjudged);
        break;
      case Metric::flow_path_ordinal:
        sink(labels, flow.ordinal);
        break;
      case Metric::flow_info:
        if (flow.source.is_unspecified()) break;
        sink(labels, 1u, [&flow](LabelWriter& more) { more.add_address("source_address", flow.source); });
        break;
      case Metric::flow_path_info:
        if (flow.path == 0) break;
        sink(labels, 1u, [&flow](LabelWriter& more) { more.add_path(flow.path); });
        break;
      case Metric::flow_path_changes:
        // All kinds from the start: a counter that appears with its first event hides that event from increase().
        for (auto kind = static_cast<std::size_t>(ChangeKind::reroute); kind < flow.changes.size(); ++kind) {
          sink(labels, flow.changes[kind],
               [kind](LabelWriter& more) { more.add("kind", ecmp::to_string(static_cast<ChangeKind>(kind))); });
        }
        break;
      default:
        break;
    }
  }
}

template <typename Sink>
void SeriesSource::visit_paths(Metric metric, const Range& range, const Sink& sink) const {
  for (const auto& [path, labels] : within(paths_, range)) {
    switch (metric) {
      case Metric::path_probes:
        sink(labels, path->probes);
        break;
      case Metric::path_replies:
        sink(labels, path->replies);
        break;
      case Metric::path_unjudged:
        write_unjudged(sink, labels, path->unjudged);
        break;
      case Metric::path_flows:
        sink(labels, path->flows);
        break;
      case Metric::path_hops:
        sink(labels, static_cast<unsigned>(path->length));
        break;
      default:
        break;
    }
  }
}

template <typename Sink>
void SeriesSource::visit_hops(Metric metric, const Range& range, const Sink& sink) const {
  for (const auto& [hop, labels] : within(hops_, range)) {
    switch (metric) {
      case Metric::path_hop_info:
        sink(labels, 1u);
        break;
      case Metric::hop_limited:
        if (hop->limiting != Limiting::none) sink(labels, hop->limiting == Limiting::confirmed ? 2u : 1u);
        break;
      case Metric::hop_probes:
        sink(labels, hop->counters.probes);
        break;
      case Metric::hop_replies:
        sink(labels, hop->counters.replies);
        break;
      case Metric::hop_losses:
        sink(labels, hop->counters.losses);
        break;
      case Metric::hop_silences:
        sink(labels, hop->counters.silences);
        break;
      default:
        break;
    }
  }
}

template <typename Sink>
void SeriesSource::visit(Metric metric, const Range& range, const Sink& sink) const {
  if (is_oneway(metric)) {
    for (const auto& [destination, labels] : within(destinations_, range))
      if (destination.snapshot->oneway != nullptr) visit_oneway(metric, *destination.snapshot, labels, sink);
    return;
  }
  switch (subject_of(metric)) {
    case Subject::destination:
      visit_destinations(metric, range, sink);
      break;
    case Subject::refusal:
      for (const auto& [refusal, labels] : within(refusals_, range))
        sink(labels, refusal.count);
      break;
    case Subject::flow:
      visit_flows(metric, range, sink);
      break;
    case Subject::path:
      visit_paths(metric, range, sink);
      break;
    case Subject::hop:
      visit_hops(metric, range, sink);
      break;
    case Subject::responder:
      for (const auto& [responder, labels] : within(responders_, range))
        sink(labels, 1u);
      break;
    case Subject::finding:
      for (const auto& [finding, labels] : within(findings_, range))
        sink(labels, 1u);
      break;
    case Subject::link:
      for (const auto& [link, labels] : within(links_, range))
        sink(labels, link.flows);
      break;
    case Subject::exporter:
      break;
  }
}

std::size_t SeriesSource::items(Metric metric) const {
  if (is_oneway(metric)) return destinations_.size();
  switch (subject_of(metric)) {
    case Subject::destination:
      return destinations_.size();
    case Subject::refusal:
      return refusals_.size();
    case Subject::flow:
      return flows_.size();
    case Subject::path:
      return paths_.size();
    case Subject::hop:
      return hops_.size();
    case Subject::responder:
      return responders_.size();
    case Subject::finding:
      return findings_.size();
    case Subject::link:
      return links_.size();
    case Subject::exporter:
      break;
  }
  return 0;
}

std::uint64_t SeriesSource::count(Metric metric) const {
  std::uint64_t samples = 0;
  visit(metric, {}, [&samples](const Block&, const auto& value, const auto&...) { samples += samples_of(value); });
  return samples;
}

template <Encoder To>
void SeriesSource::write(To& encoder, Metric metric, const Range& range) const {
  std::string longer;
  visit(metric, range, [&](const Block& labels, auto number, const auto&... add_more) {
    encoder.counted_since(labels.began);
    if constexpr (sizeof...(add_more) != 0) {
      longer = text(labels);
      LabelWriter more(longer, To::kLabels, longer.empty());
      (add_more(more), ...);
    }
    if constexpr (std::is_same_v<decltype(number), SummarySample>) {
      encoder.summary(longer, number);
    } else {
      using Value = std::conditional_t<std::is_floating_point_v<decltype(number)>, double, std::uint64_t>;
      const Value value = number;
      encoder.value(sizeof...(add_more) == 0 ? text(labels) : std::string_view(longer), value);
    }
  });
}

template <typename Sink>
void SeriesSource::visit_figures(const Figure& figure, const FigureWriter& writer, const Range& range,
                                 const Sink& sink) const {
  const auto each = [&](const auto& items) {
    for (const auto& [of, labels] : within(items, range)) {
      if (of->statistics != nullptr && writer.tells(*of->statistics)) sink(labels, *of->statistics);
    }
  };
  if (figure.of_hops) {
    each(hops_);
  } else {
    each(paths_);
  }
}

std::uint64_t SeriesSource::count(const Figure& figure, const FigureWriter& writer) const {
  std::uint64_t items = 0;
  visit_figures(figure, writer, {}, [&items](const Block&, const Statistics&) { ++items; });
  return items * writer.series();
}

template <Encoder To>
void SeriesSource::write(To& encoder, const Figure& figure, FigureWriter& writer, const Range& range) const {
  visit_figures(figure, writer, range, [&](const Block& labels, const Statistics& statistics) {
    encoder.counted_since(labels.began);
    writer.write(encoder, text(labels), statistics);
  });
}

template void SeriesSource::write(TextEncoder&, Metric, const Range&) const;
template void SeriesSource::write(ProtobufEncoder&, Metric, const Range&) const;
template void SeriesSource::write(TextEncoder&, const Figure&, FigureWriter&, const Range&) const;
template void SeriesSource::write(ProtobufEncoder&, const Figure&, FigureWriter&, const Range&) const;

}  // namespace ecmp::render
