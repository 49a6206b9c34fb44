#include "render/metrics/series.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "render/metrics/network_metrics.hpp"
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

template <typename Value>
std::uint64_t samples_of(const Value& /*value*/) {
  return 1;
}
std::uint64_t samples_of(const SummarySample& summary) {
  return summary.quantiles.size() + 2;  // its sum and its count
}

/// The items of a range.
template <typename Item>
std::span<const Item> within(const std::vector<Item>& items, const SeriesSource::Range& range) {
  const std::size_t from = std::min(range.from, items.size());
  return std::span(items).subspan(from, std::min(range.to, items.size()) - from);
}

}  // namespace

std::span<const MetricRow> network_metrics() {
  static constexpr auto kRows =
      std::apply([](const auto&... families) { return std::array{families.row...}; }, kFamilies);
  return kRows;
}

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
    // Two interfaces of a hop may read alike.
    sort_and_merge(
        findings_, before,
        [](const HopFinding& of) {
          return std::tie(of.hop->ttl, of.hop->responder, of.finding.kind, of.finding.detail);
        },
        kKeepFirst);
  }
}

/// A responder stands on many paths of many destinations, but what is known of it is reported once. Which of its
/// label stacks is reported is open; it is always the same one while the paths are.
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

template <Subject kSubject, typename Visit>
void SeriesSource::visit_items(const Range& range, const Visit& visit) const {
  const auto each = [&](const auto& items) {
    for (const auto& [of, labels] : within(items, range)) {
      if constexpr (std::is_pointer_v<std::remove_cvref_t<decltype(of)>>) {
        visit(labels, *of);
      } else {
        visit(labels, of);
      }
    }
  };
  if constexpr (kSubject == Subject::destination) {
    for (const auto& [destination, labels] : within(destinations_, range))
      visit(labels, *destination.snapshot);
  } else if constexpr (kSubject == Subject::refusal) {
    each(refusals_);
  } else if constexpr (kSubject == Subject::flow) {
    each(flows_);
  } else if constexpr (kSubject == Subject::path) {
    each(paths_);
  } else if constexpr (kSubject == Subject::hop) {
    each(hops_);
  } else if constexpr (kSubject == Subject::responder) {
    each(responders_);
  } else if constexpr (kSubject == Subject::finding) {
    each(findings_);
  } else if constexpr (kSubject == Subject::link) {
    each(links_);
  } else {
    for (const auto& [destination, labels] : within(destinations_, range))
      if (destination.snapshot->oneway != nullptr) visit_oneway<kSubject>(*destination.snapshot, labels, visit);
  }
}

/// The labels of a destination's paths and flows are written where they are needed: few destinations have streams.
template <Subject kSubject, typename Visit>
void SeriesSource::visit_oneway(const DestinationSnapshot& snapshot, const Block& labels, const Visit& visit) {
  const OnewaySnapshot& oneway = *snapshot.oneway;
  if constexpr (kSubject == Subject::reflector) {
    visit(labels, oneway);
  } else if constexpr (kSubject == Subject::oneway_path) {
    for (const OnewayPathSnapshot& path : oneway.paths)
      visit(labels, path, path_label(path.path));
  } else {
    static_assert(kSubject == Subject::oneway_flow);
    for (std::uint32_t i = 0; i < oneway.flows.size(); ++i) {
      if (!is_steady(*snapshot.facts, i)) continue;
      visit(labels, oneway.flows[i],
            [port = snapshot.facts->source_ports[i]](LabelWriter& more) { more.add_number("flow", port); });
    }
  }
}

template <std::size_t kFamily, typename Sink>
void SeriesSource::visit_one(const Range& range, const Sink& sink) const {
  constexpr const auto& kOne = std::get<kFamily>(kFamilies);
  if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(kOne.values)>, Figure>) {
    visit_items<kOne.kOf>(range, [&](const Block& labels, const auto& of, const auto&... add_first) {
      kOne.values(of, [&](const auto& value, const auto&... add) {
        if constexpr (sizeof...(add_first) == 0) {
          sink(labels, value, add...);
        } else {
          sink(labels, value, [&](LabelWriter& more) { (add_first(more), ..., (add(more), ...)); });
        }
      });
    });
  }
}

template <typename Sink>
void SeriesSource::visit(std::size_t family, const Range& range, const Sink& sink) const {
  using Visit = void (SeriesSource::*)(const Range&, const Sink&) const;
  static constexpr auto kVisits = []<std::size_t... kIndices>(std::index_sequence<kIndices...> /*families*/) {
    return std::array<Visit, sizeof...(kIndices)>{&SeriesSource::visit_one<kIndices, Sink>...};
  }(std::make_index_sequence<std::tuple_size_v<decltype(kFamilies)>>());
  (this->*kVisits[family])(range, sink);
}

std::size_t SeriesSource::items(Subject subject) const {
  switch (subject) {
    case Subject::destination:
    case Subject::reflector:
    case Subject::oneway_path:
    case Subject::oneway_flow:
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

std::uint64_t SeriesSource::count(std::size_t family) const {
  std::uint64_t samples = 0;
  visit(family, {}, [&samples](const Block&, const auto& value, const auto&...) { samples += samples_of(value); });
  return samples;
}

template <Encoder To>
void SeriesSource::write(To& encoder, std::size_t family, const Range& range) const {
  std::string longer;
  visit(family, range, [&](const Block& labels, auto number, const auto&... add_more) {
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
      if (of->statistics != nullptr && writer.reports(*of->statistics)) sink(labels, *of->statistics);
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

template void SeriesSource::write(TextEncoder&, std::size_t, const Range&) const;
template void SeriesSource::write(ProtobufEncoder&, std::size_t, const Range&) const;
template void SeriesSource::write(TextEncoder&, const Figure&, FigureWriter&, const Range&) const;
template void SeriesSource::write(ProtobufEncoder&, const Figure&, FigureWriter&, const Range&) const;

}  // namespace ecmp::render
