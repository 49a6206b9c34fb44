// The label sets of SeriesSource's items.
#include <algorithm>

#include "render/append.hpp"
#include "render/metrics/labels.hpp"
#include "render/metrics/series.hpp"

namespace ecmp::render {

namespace {

WallTime began(const FlowSnapshot* flow) {
  return flow->began;
}
WallTime began(const PathSnapshot* path) {
  return path->began;
}
WallTime began(const UnreachableSnapshot& refusal) {
  return refusal.began;
}
WallTime began(const LinkSnapshot& /*link*/) {
  return {};  // nothing of it is counted
}

}  // namespace

template <typename Write>
SeriesSource::Block SeriesSource::block(std::string_view start, WallTime began, const Write& write) {
  Block made;
  made.began = began;
  made.at = labels_.size();
  labels_.append(start);
  LabelWriter labels(labels_, form_, start.empty());
  write(labels);
  made.size = labels_.size() - made.at;
  return made;
}

void SeriesSource::write_labels(std::span<const Subject> subjects, const HopNames& names, LabelForm form) {
  const auto has = [&](Subject subject) {
    return std::find(subjects.begin(), subjects.end(), subject) != subjects.end();
  };
  form_ = form;
  labels_.clear();
  write_destination_labels(has(Subject::link));
  if (has(Subject::hop)) write_hop_labels();
  if (has(Subject::responder)) write_responder_labels(names);
  if (has(Subject::finding)) write_finding_labels();
}

void SeriesSource::write_destination_labels(bool with_links) {
  auto flow = flows_.begin();
  auto path = paths_.begin();
  auto link = links_.begin();
  auto refusal = refusals_.begin();
  for (std::size_t i = 0; i < destinations_.size(); ++i) {
    Item<Destination>& destination = destinations_[i];
    destination.labels = block({}, destination.of.snapshot->began,
                               [&](LabelWriter& labels) { labels.add("destination", destination.of.name); });
    const std::string start(text(destination.labels));
    const auto each = [&](auto& item, std::size_t count, const auto& write) {
      for (const auto end = item + static_cast<std::ptrdiff_t>(count); item != end; ++item) {
        item->labels = block(start, began(item->of), [&](LabelWriter& labels) { write(labels, item->of); });
      }
    };
    each(flow, extents_[i].flows,
         [](LabelWriter& labels, const FlowSnapshot* of) { labels.add_number("flow", of->source_port); });
    each(path, extents_[i].paths, [](LabelWriter& labels, const PathSnapshot* of) { labels.add_path(of->id); });
    each(link, with_links ? extents_[i].links : 0, [](LabelWriter& labels, const LinkSnapshot& of) {
      labels.add_number("ttl", static_cast<unsigned>(of.ttl));
      labels.add_address("from", of.from);
      labels.add_address("to", of.to);
    });
    each(refusal, extents_[i].refusals, [](LabelWriter& labels, const UnreachableSnapshot& of) {
      labels.add("reply", packet::to_string(of.reply));
      labels.add_address("hop", of.from);
    });
  }
}

void SeriesSource::write_hop_labels() {
  auto hop = hops_.begin();
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    const std::string start(text(paths_[i].labels));
    for (const auto end = hop + static_cast<std::ptrdiff_t>(path_hops_[i]); hop != end; ++hop) {
      hop->labels = block(start, hop->of->began, [&](LabelWriter& labels) {
        labels.add_number("ttl", static_cast<unsigned>(hop->of->ttl));
        labels.add_address("hop", hop->of->responder);
      });
    }
  }
}

void SeriesSource::write_finding_labels() {
  for (auto& item : findings_) {
    const std::string start(text(paths_[item.of.path].labels));
    item.labels = block(start, {}, [&](LabelWriter& labels) {
      labels.add_number("ttl", static_cast<unsigned>(item.of.hop->ttl));
      labels.add_address("hop", item.of.hop->responder);
      labels.add("kind", ecmp::to_string(item.of.finding.kind));
      labels.add("detail", item.of.finding.detail);
    });
  }
}

void SeriesSource::write_responder_labels(const HopNames& names) {
  for (auto& item : responders_) {
    const Responder& responder = item.of;
    item.labels = block({}, {}, [&](LabelWriter& labels) {
      labels.add_address("hop", responder.address);
      labels.add("name", names.name(responder.address));
      labels.add("asn", names.origin(responder.address));
      labels.add("city", names.city(responder.address));
      labels.add("country", names.country(responder.address));
      labels.add_plain("mpls", [&](std::string& out) {
        const char* before = "";
        for (const packet::MplsLabel& label : responder.mpls->view()) {
          out.append(before);
          append_number(out, label.label);
          before = "/";
        }
      });
    });
  }
}

}  // namespace ecmp::render
