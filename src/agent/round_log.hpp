#pragma once

#include <condition_variable>
#include <mutex>

#include "path/history.hpp"

namespace ecmp {

/// The history of rounds, shared: the probing loop adds, readers of /paths take pages and wait for more. No call holds
/// the lock for longer than one page takes, so that no reader holds up the loop.
class RoundLog {
 public:
  /// Rounds are numbered from `first` on.
  explicit RoundLog(std::size_t budget_bytes, std::uint64_t first = 0) : history_(budget_bytes, first) {}

  /// Takes many short locks where the budget is smaller than it was: not for the probing loop.
  void set_budget(std::size_t bytes);

  /// Its number.
  std::uint64_t add(History::Record record);
  void drop_destination(const std::string& name);

  [[nodiscard]] std::vector<History::Record> newest(const RoundFilter& filter) const;

  /// A page of at most `limit` rounds from sequence number `from` on. `next` beyond the newest round means that all has
  /// been read.
  [[nodiscard]] History::Page read(const RoundFilter& filter, std::uint64_t from, std::size_t limit) const;

  /// Waits until a round with this sequence number is there, or the deadline.
  void wait(std::uint64_t sequence, Instant deadline) const;

  /// Number of the oldest round, and the one that the next will get.
  [[nodiscard]] std::uint64_t first() const;
  [[nodiscard]] std::uint64_t end() const;

  struct Size {
    std::uint64_t rounds = 0;
    std::size_t bytes = 0;
    std::uint64_t forgotten = 0;
  };
  [[nodiscard]] Size size() const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable added_;
  History history_;
};

}  // namespace ecmp
