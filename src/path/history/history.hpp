#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ring.hpp"
#include "path/model/round_record.hpp"

namespace ecmp {

/// Which rounds somebody asks for. Empty fields match everything.
struct RoundFilter {
  std::optional<std::string> destination;  ///< name
  std::optional<std::uint16_t> flow;       ///< source port
  std::optional<std::uint32_t> path;       ///< id
  std::optional<WallTime> since;           ///< rounds that began at or after
  bool lossy = false;                      ///< only rounds whose destination did not answer (EndToEnd::lost)

  [[nodiscard]] bool matches(const RoundRecord& record) const;
};

/// The newest rounds, oldest first, within a budget of bytes. Beside them the newest round of every flow is kept, also
/// when the budget made the ring forget it; those are in the budget too, so that many flows shorten the ring. Not
/// thread-safe: its owner locks.
class History {
 public:
  using Record = std::shared_ptr<const RoundRecord>;

  /// Rounds are numbered from `first` on.
  explicit History(std::size_t budget_bytes, std::uint64_t first = 0);

  void add(Record record);

  /// The newest round of every flow that matches, by destination name and then flow index.
  [[nodiscard]] std::vector<Record> newest(const RoundFilter& filter) const;

  /// The same in pages: of the destinations whose names come after `after`, until at least `enough` flows were looked
  /// at, and of rounds with a sequence number below `before`.
  struct NewestPage {
    std::vector<Record> records;
    std::string after;       ///< for the next page
    bool more = false;       ///< there are destinations behind it
    std::size_t looked = 0;  ///< flows looked at: at most `enough` and those of one destination
  };
  [[nodiscard]] NewestPage newest(const RoundFilter& filter, std::string_view after, std::uint64_t before,
                                  std::size_t enough) const;

  /// Rounds that match with a sequence number of at least `from`, oldest first, at most `limit`, looking at no more
  /// than `scan` records. `next` is the sequence number to go on from.
  struct Page {
    std::vector<Record> records;
    std::uint64_t from = 0;  ///< above what was asked for, where that is forgotten
    std::uint64_t next = 0;
  };
  [[nodiscard]] Page read(const RoundFilter& filter, std::uint64_t from, std::size_t limit, std::size_t scan) const;

  /// Sequence number of the oldest round kept, and the one the next added round will get.
  [[nodiscard]] std::uint64_t first() const;
  [[nodiscard]] std::uint64_t end() const;

  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] std::uint64_t forgotten() const;  ///< rounds dropped for the budget

  /// Another budget. Where it is smaller, trim() makes room little by little; so does add().
  void set_budget(std::size_t bytes) { budget_ = bytes; }
  /// A round that was forgotten and that no reader has any more, to be used for another one; null if there is none.
  std::shared_ptr<RoundRecord> take_spare();

  /// Forgets at most so many rounds for the budget. True when it is kept.
  bool trim(std::size_t at_most);

  /// Forgets the newest rounds of a destination that is no longer configured (its rounds in the ring stay).
  void drop_destination(const std::string& name);

 private:
  struct Kept {
    Record record;
    std::size_t bytes = 0;
    std::uint64_t sequence = 0;
    bool newest = true;  ///< of its flow: the index has it too
  };
  /// By flow index; without a record where no round was yet.
  using NewestByFlow = std::vector<Kept>;

  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };

  [[nodiscard]] bool in_ring(const Kept& kept) const { return kept.sequence >= first_; }
  void release(Kept& kept);
  void note_newest(const Kept& kept);
  void forget_oldest();

  std::size_t budget_;
  Ring<Kept> ring_;
  std::uint64_t first_ = 0;
  std::unordered_map<std::string, NewestByFlow, NameHash, std::equal_to<>> newest_;
  std::vector<const std::string*> names_;  ///< of newest_, sorted
  std::size_t bytes_ = 0;
  std::uint64_t forgotten_ = 0;
  std::vector<Record> spare_;
};

}  // namespace ecmp
