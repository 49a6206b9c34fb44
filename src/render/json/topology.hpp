#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "path/localisation/link_verdict.hpp"
#include "path/model/round_record.hpp"
#include "path/model/snapshot.hpp"
#include "render/hop_names.hpp"

namespace ecmp::render {

/// The answer of GET /topology: destinations with their paths and flows, and the graph of responders and links between
/// them, as one JSON object; docs/http.md has its fields. It is written piece by piece, so that no answer is ever held
/// as a whole: a piece is what one destination adds to one of the lists.
class TopologyWriter {
 public:
  enum class Detail : std::uint8_t {
    full,
    summary,  ///< what an overview needs: no graph, no paths, no flows
  };
  struct Options {
    Detail detail = Detail::full;
    WallTime time;
    std::string version;
    std::size_t left_out = 0;                                          ///< destinations that match and are not told
    std::shared_ptr<const LocalisationReport> localisation = nullptr;  ///< null: it is off, and nothing of it is told
  };
  using Snapshots = std::vector<std::shared_ptr<const DestinationSnapshot>>;
  /// The newest round of each flow of a destination, in any order; some may be missing.
  using NewestRounds = std::function<std::vector<std::shared_ptr<const RoundRecord>>(const std::string& destination)>;

  TopologyWriter(Snapshots snapshots, Options options);

  /// Appends the next piece; false if that was the last one.
  bool next(std::string& out, const HopNames& names, const NewestRounds& rounds);

 private:
  enum class Section : std::uint8_t { head, destinations, nodes, links, end };

  Snapshots snapshots_;
  Options options_;
  Section section_ = Section::head;
  std::size_t place_ = 0;  ///< in snapshots_
  bool first_ = true;      ///< nothing is in the list yet
};

}  // namespace ecmp::render
