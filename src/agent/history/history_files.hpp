#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/history/history_segment.hpp"
#include "path/history/history_codec.hpp"

namespace ecmp {

/// Where a reader is. A place before everything to begin with.
struct HistoryPlace {
  std::uint64_t next = 0;  ///< the lowest number that is still to be read
  std::shared_ptr<const HistorySegment> segment;
  std::uint64_t offset = 0;
};

/// The files of one kind in the history's directory, oldest first: rounds, events, or roll-ups. One thread writes; any
/// reads, and neither waits for the other but for the list of files.
class HistoryFiles {
 public:
  struct Limits {
    Duration retention{};
    std::uint64_t bytes = 0;
  };

  HistoryFiles(std::string directory, HistoryKind kind, HistoryAccess access = HistoryAccess::write)
      : directory_(std::move(directory)), kind_(kind), access_(access) {}

  // By the one thread that writes.
  /// Takes in what is found in the directory, instead of what was known. The error is one line; with one about files of
  /// a newer program nothing may be written.
  struct Problem {
    Error error;
    bool newer = false;
  };
  std::optional<Problem> open();
  /// Appends a group of batches, in a new file where the newest is full.
  std::optional<Error> append(std::vector<HistoryBatch>& group, const Limits& limits, WallTime now);
  /// Deletes some files that are too old, by the clock that is believed, or too many; closes those that nobody reads,
  /// and looks now and then whether one that could not be read can be by now.
  void trim(const Limits& limits, WallTime now);
  std::optional<Error> sync();
  [[nodiscard]] bool in_place() const;

  // By any thread.
  [[nodiscard]] HistoryKind kind() const { return kind_; }

  /// The next step of a reader: of the groups with numbers of at least place.next and below `below`, the first that may
  /// hold something the filter wants. `done`: there is none at present. Otherwise `batches` may still be empty: a step
  /// is no longer than some milliseconds.
  struct Step {
    bool done = false;
    std::vector<std::string> batches;  ///< of one group
    BatchRange range;                  ///< what of them is to be read
  };
  Step read(HistoryPlace& place, const RoundFilter& filter, std::uint64_t below);

  /// What came out of a step was not what it should be.
  void count_damaged(std::uint64_t count);

  /// The number behind the newest on disk; 0 without any.
  [[nodiscard]] std::uint64_t end() const;
  /// False if the newest file cannot be read: nobody knows how far its numbers go. By the thread that writes.
  [[nodiscard]] std::size_t unread() const { return unread_.size(); }  ///< files that cannot be read now
  [[nodiscard]] bool end_known() const { return unread_.empty() || unread_.back() < end(); }
  /// When the newest item began; none without any.
  [[nodiscard]] std::optional<WallTime> newest() const;

  struct Size {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t damaged = 0;       ///< places in files, and files
    std::optional<WallTime> oldest;  ///< of an item
  };
  [[nodiscard]] Size size() const;

 private:
  using Segments = std::vector<std::shared_ptr<HistorySegment>>;

  [[nodiscard]] std::string path_of(std::uint64_t first) const;
  void read_unread();
  std::optional<Error> begin_file(std::uint64_t first, WallTime now);
  std::shared_ptr<const HistorySegment> following(const HistoryPlace& place, const RoundFilter& filter) const;
  void take_group(HistoryPlace& place, const HistorySegment::Block& first, const RoundFilter& filter, Step& step);

  const std::string directory_;
  const HistoryKind kind_;
  const HistoryAccess access_;
  WallTime began_{};                  ///< when the newest file was begun, or gone on with
  std::vector<std::string> useless_;  ///< files with our names that were read and are none of ours
  /// First numbers of files that cannot be opened or read now. They stay as they are: nobody knows what is in them.
  std::vector<std::uint64_t> unread_;
  std::uint32_t trims_ = 0;

  mutable std::mutex mutex_;
  Segments segments_;
  std::uint64_t damaged_ = 0;
};

}  // namespace ecmp
