#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ecmp {

/// What flows lost end to end, and which links they cross: what localisation works on. Links are numbers from 0 on.
///
/// Rows are added, then index() is called once; after that it is only read. Cost: the sum of the rows' links, in time
/// and (4 bytes each, twice) in memory.
class Crossings {
 public:
  struct Row {
    std::uint64_t probes = 0;  ///< end to end, finished
    std::uint64_t losses = 0;
    std::uint32_t flows = 1;  ///< several only where none of them lost anything
  };

  /// A row with the links that its flows cross, each once. Returns its number.
  std::uint32_t add(const Row& row, std::span<const std::uint32_t> links);
  void index();

  [[nodiscard]] std::size_t rows() const { return rows_.size(); }
  [[nodiscard]] std::size_t links() const { return links_; }
  [[nodiscard]] const Row& row(std::size_t number) const { return rows_[number]; }
  [[nodiscard]] std::span<const std::uint32_t> links_of(std::size_t row) const {
    return std::span(crossed_).subspan(begins_[row], begins_[row + 1] - begins_[row]);
  }
  /// After index().
  [[nodiscard]] std::span<const std::uint32_t> rows_of(std::size_t link) const {
    return std::span(crossing_).subspan(link_begins_[link], link_begins_[link + 1] - link_begins_[link]);
  }

 private:
  std::vector<Row> rows_;
  std::vector<std::uint32_t> crossed_;
  std::vector<std::size_t> begins_{0};
  std::vector<std::uint32_t> crossing_;
  std::vector<std::size_t> link_begins_;
  std::size_t links_ = 0;
};

/// Links that exactly the same rows cross: no flow tells them apart.
struct LinkGroups {
  std::vector<std::uint32_t> group_of;              ///< by link; kNone for a link that no row crosses
  std::vector<std::vector<std::uint32_t>> members;  ///< by group: links, rising
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
};
LinkGroups group_links(const Crossings& crossings);

/// The same rows over groups instead of links, indexed.
Crossings collapse(const Crossings& crossings, const LinkGroups& groups);

/// A link (or group) that is held to lose probes.
struct Blame {
  std::uint32_t link = 0;
  double loss = 0;   ///< ratio
  double score = 0;  ///< of the estimator: only to be compared with others of the same one
};

}  // namespace ecmp
