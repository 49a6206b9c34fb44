#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "path/model/event_gathering.hpp"

namespace ecmp {

/// The newest events, within a budget of bytes: the probing loop adds rounds, readers of /events take pages and wait
/// for more. No call holds the lock for longer than one page takes.
class EventLog {
 public:
  using Event = EventGathering::Event;

  explicit EventLog(std::size_t budget_bytes) : budget_(budget_bytes) {}

  /// What an earlier run has left, before anything is added: the newest of its events, and the number of the next one.
  void begin(std::vector<Event> events, std::uint64_t next);
  /// Is told of every event, in the order of their numbers, by whichever thread adds it and within the lock: it must
  /// not wait, nor call back. To be set before anything is added.
  using OnEvent = std::function<void(std::uint64_t number, const Event&)>;
  void set_on_event(OnEvent on_event) { on_event_ = std::move(on_event); }

  // By the probing loop alone, which never waits for the lock: what finds it taken is done by a later maintain().
  void on_round(const RoundRecord& record);
  void drop_destination(const std::string& name);
  /// Events that nothing more came to are over.
  void maintain(Instant now);

  /// By any thread: events that others found.
  void add(std::vector<Event> events);

  /// By any thread. Events that match with a number of at least `from`, oldest first. `next` beyond the newest event
  /// means that all has been read.
  struct Numbered {
    std::uint64_t number = 0;
    Event event;
  };
  struct Page {
    std::vector<Numbered> events;
    std::uint64_t from = 0;  ///< above what was asked for, where that is forgotten
    std::uint64_t next = 0;
  };
  [[nodiscard]] Page read(const RoundFilter& filter, std::uint64_t from, std::size_t limit) const;

  /// The number from which on `count` kept events match, or as many as there are; and how many are missing.
  struct Start {
    std::uint64_t number = 0;
    std::size_t missing = 0;
  };
  [[nodiscard]] Start start_of_last(const RoundFilter& filter, std::size_t count) const;

  /// Waits until an event with this number is there, or the deadline.
  void wait(std::uint64_t number, Instant deadline) const;

  /// Number of the oldest event, and the one that the next will get.
  [[nodiscard]] std::uint64_t first() const;
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

  void keep_all(std::vector<Event> events);
  void keep(Event event);

  EventGathering gathering_;     ///< of the probing loop; not locked
  std::vector<Event> gathered_;  ///< the same
  OnEvent on_event_;
  std::size_t budget_;
  mutable std::mutex mutex_;
  mutable std::condition_variable added_;
  std::deque<Kept> kept_;
  std::uint64_t first_ = 0;  ///< number of the oldest kept
  std::uint64_t forgotten_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace ecmp
