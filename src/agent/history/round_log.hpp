#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "agent/one_thread.hpp"
#include "base/ring.hpp"
#include "path/history/history.hpp"

namespace ecmp {

/// The history of rounds, shared: the probing loop adds, readers of /paths take pages and wait for more. No call holds
/// the lock for longer than one page takes, and the loop never waits for it: a reader that holds it may be a thread of
/// low priority, which has no processor just now.
class RoundLog {
 public:
  /// What is looked at under one lock, besides the flows of one destination: some 20 microseconds.
  static constexpr std::size_t kPage = 512;

  /// Rounds are numbered from `first` on.
  explicit RoundLog(std::size_t budget_bytes, std::uint64_t first = 0)
      : next_number_(first), history_(budget_bytes, first) {}

  /// Takes many short locks where the budget is smaller than it was: not for the probing loop.
  void set_budget(std::size_t bytes);

  // By the probing loop alone. What finds the lock taken is done with the next call.

  /// Its number.
  std::uint64_t add(History::Record record);
  void drop_destination(const std::string& name);
  /// A record that was forgotten, to be used for the next round; null if there is none.
  std::shared_ptr<RoundRecord> take_spare() { return std::exchange(spare_, nullptr); }
  /// Does what is left to do. To be called with every turn.
  void settle();

  // By any thread.

  /// A page of the newest rounds of all flows: see History.
  [[nodiscard]] History::NewestPage newest(const RoundFilter& filter, std::string_view after,
                                           std::uint64_t before) const;

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
  /// So many wait at most; then the loop waits: two seconds of 320,000 flows each 10 s.
  static constexpr std::size_t kMostWaiting = std::size_t{1} << 16;

  struct Waiting {
    History::Record record;  ///< null: `gone` is
    std::string gone;        ///< a destination
  };

  void later(Waiting waiting);

  [[no_unique_address]] OneThread owner_;
  Ring<Waiting> waiting_;  ///< of the probing loop; not locked
  std::shared_ptr<RoundRecord> spare_;
  std::uint64_t next_number_ = 0;  ///< the same

  mutable std::mutex mutex_;
  mutable std::condition_variable added_;
  History history_;
};

}  // namespace ecmp
