#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "path/model/quote_findings.hpp"
#include "path/model/snapshot.hpp"
#include "render/figures.hpp"
#include "render/hop_names.hpp"
#include "render/metrics/encoder.hpp"
#include "render/metrics/metric_table.hpp"

namespace ecmp::render {

/// The things that have samples, over all destinations, each once and in a fixed order; and the start of their label
/// sets, written once and copied into every family.
class SeriesSource {
 public:
  /// Labels of an item, as a place in a shared text.
  struct Block {
    std::size_t at = 0;
    std::size_t size = 0;
    WallTime began{};  ///< when what is counted of the item was 0
  };

  /// Keeps pointers into the snapshots: they must outlive it.
  explicit SeriesSource(std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots);

  /// Samples a family has, by its place in network_metrics(). Cheap: nothing is written for it.
  [[nodiscard]] std::uint64_t count(std::size_t family) const;
  /// The same of a family of figures, by what will write it.
  [[nodiscard]] std::uint64_t count(const Figure& figure, const FigureWriter& writer) const;

  /// To be called before write(): label sets for families about these, in the form of the encoder that they are for.
  void write_labels(std::span<const Subject> subjects, const HopNames& names, LabelForm form);

  /// Some of the things that a family is about: a scrape is written piece by piece.
  struct Range {
    std::size_t from = 0;
    std::size_t to = std::numeric_limits<std::size_t>::max();  ///< may be beyond the last
  };
  /// How many of them there are, whether they have samples or not.
  [[nodiscard]] std::size_t items(Subject subject) const;

  /// Hands samples of a family to an encoder: TextEncoder or ProtobufEncoder.
  template <Encoder To>
  void write(To& encoder, std::size_t family, const Range& range) const;
  template <Encoder To>
  void write(To& encoder, const Figure& figure, FigureWriter& writer, const Range& range) const;

 private:
  template <typename Of>
  struct Item {
    Of of;
    Block labels;
  };
  struct Destination {
    std::string name;  ///< as it will be written: valid UTF-8
    const DestinationSnapshot* snapshot = nullptr;
  };
  struct HopFinding {
    std::size_t path = 0;  ///< of paths_
    const HopSnapshot* hop = nullptr;
    Finding finding;
  };
  struct Responder {
    IpAddress address;
    const packet::KeptMpls* mpls = nullptr;
  };

  void collect(const DestinationSnapshot& snapshot);
  void collect_paths(const DestinationSnapshot& snapshot);
  void collect_findings();
  void collect_responders();
  void write_destination_labels(bool with_links);
  void write_hop_labels();
  void write_finding_labels();
  void write_responder_labels(const HopNames& names);
  /// The labels of `start` and those that `write(LabelWriter&)` adds.
  template <typename Write>
  Block block(std::string_view start, WallTime began, const Write& write);
  [[nodiscard]] std::string_view text(const Block& block) const { return {labels_.data() + block.at, block.size}; }

  // Calls sink(labels, value) or sink(labels, value, add_more_labels) for every sample, when counting and when writing:
  // so the two cannot disagree.
  template <typename Sink>
  void visit(std::size_t family, const Range& range, const Sink& sink) const;
  template <std::size_t kFamily, typename Sink>
  void visit_one(const Range& range, const Sink& sink) const;
  // Calls visit(labels, of), or visit(labels, of, add) where add(LabelWriter&) writes labels that `labels` lacks.
  template <Subject kSubject, typename Visit>
  void visit_items(const Range& range, const Visit& visit) const;
  template <Subject kSubject, typename Visit>
  static void visit_oneway(const DestinationSnapshot& snapshot, const Block& labels, const Visit& visit);
  // Calls sink(labels, statistics) for those that the writer reports.
  template <typename Sink>
  void visit_figures(const Figure& figure, const FigureWriter& writer, const Range& range, const Sink& sink) const;

  /// How many items of each kind a destination has: they stand one destination after the other.
  struct Extent {
    std::size_t flows = 0;
    std::size_t paths = 0;
    std::size_t links = 0;
    std::size_t refusals = 0;
  };

  std::vector<Item<Destination>> destinations_;
  std::vector<Extent> extents_;
  std::vector<Item<const FlowSnapshot*>> flows_;
  std::vector<Item<const PathSnapshot*>> paths_;
  std::vector<std::size_t> path_hops_;  ///< how many of hops_ each path has
  std::vector<Item<const HopSnapshot*>> hops_;
  std::vector<Item<HopFinding>> findings_;
  std::vector<Item<LinkSnapshot>> links_;
  std::vector<Item<UnreachableSnapshot>> refusals_;
  std::vector<Item<Responder>> responders_;
  LabelForm form_ = LabelForm::text;
  std::string labels_;
};

}  // namespace ecmp::render
