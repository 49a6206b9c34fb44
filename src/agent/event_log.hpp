#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "path/event_gathering.hpp"

namespace ecmp {

/// The newest events, within a budget of bytes: the probing loop adds rounds, readers of /events take pages and wait
/// for more. No call holds the lock for longer than one page takes.
class EventLog {
 public:
  using Event = EventGathering::Event;

  explicit EventLog(std::size_t budget_bytes) : budget_(budget_bytes) {}

  // By the probing loop alone.
  void on_round(const RoundRecord& record);
  void drop_destination(const std::string& name);
  /// Events that nothing more came to are over.
  void maintain(Instant now) { publish(gathering_.take(now)); }

  /// By any thread: events that others found.
  void add(std::vector<Event> events) { publish(std::move(events)); }

  /// By any thread. Events that match with a number of at least `from`, oldest first. `next` beyond the newest event
  /// means that all has been read.
  struct Numbered {
    std::uint64_t number = 0;
    Event event;
  };
  struct Page {
    std::vector<Numbered> events;
    std::uint64_t next = 0;
  };
  [[nodiscard]] Page read(const RoundFilter& filter, std::uint64_t from, std::size_t limit) const;

  /// The number from which on `count` kept events match, or as many as there are.
  [[nodiscard]] std::uint64_t start_of_last(const RoundFilter& filter, std::size_t count) const;

  /// Waits until an event with this number is there, or the deadline.
  void wait(std::uint64_t number, Instant deadline) const;

  /// The number that the next event will get.
  [[nodiscard]] std::uint64_t end() const;

  struct Size {
    std::uint64_t events = 0;
    std::size_t bytes = 0;
    std::uint64_t forgotten = 0;
  };
  [[nodiscard]] Size size() const;

 private:
  struct Kept {
    Event event;
    std::size_t bytes = 0;
  };

  void publish(std::vector<Event> events);

  EventGathering gathering_;  ///< of the probing loop; not locked
  std::size_t budget_;
  mutable std::mutex mutex_;
  mutable std::condition_variable added_;
  std::deque<Kept> kept_;
  std::uint64_t first_ = 0;  ///< number of the oldest kept; as many are forgotten
  std::size_t bytes_ = 0;
};

}  // namespace ecmp
