#include "agent/history/event_log.hpp"

#include <thread>

#include "catch.hpp"
#include "unit/path/round_builder.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

/// Rounds of a destination that goes down and up in turn, each long enough to be no chance: an event each.
void toggle(EventLog& log, const std::shared_ptr<const DestinationFacts>& facts, int times) {
  static double seconds = 1000;
  for (int i = 0; i < times; ++i) {
    RoundRecord record;
    record.destination = facts;
    record.source_port = 50000;
    for (int round = 0; round < 100; ++round) {
      record.round = round_builder::round(i % 2 == 0 ? "a * *" : "a b D", seconds += 10);
      log.on_round(record);
    }
  }
  log.maintain(round_builder::at(seconds));
}

std::shared_ptr<const DestinationFacts> named(const char* name) {
  DestinationFacts facts = *round_builder::facts(1);
  facts.name = name;
  return std::make_shared<const DestinationFacts>(facts);
}

}  // namespace

TEST_CASE("events are read from a number on, filtered, page by page", "[agent][events]") {
  EventLog log(1u << 20);
  toggle(log, named("a"), 6);
  toggle(log, named("b"), 4);
  CHECK(log.end() == 10);
  const auto page = log.read({.destination = "b"}, 0, 3);
  REQUIRE(page.events.size() == 3);
  CHECK(page.events[0].number == 6);
  CHECK(page.next == 9);
  CHECK(log.read({.destination = "b"}, page.next, 3).events.size() == 1);
  CHECK(log.read({}, 10, 3).events.empty());
  CHECK(log.start_of_last({.destination = "a"}, 2).number == 4);
  CHECK(log.start_of_last({.destination = "a"}, 100).number == 0);
  CHECK(log.start_of_last({}, 1).number == 9);
}

TEST_CASE("the oldest events make room for new ones, and are counted", "[agent][events]") {
  EventLog log(4000);
  toggle(log, named("a"), 200);
  const auto size = log.size();
  CHECK(size.bytes <= 4000);
  CHECK(size.events > 5);
  CHECK(size.events + size.forgotten == 200);
  const auto page = log.read({}, 0, 1000);
  CHECK(page.events.size() == size.events);
  CHECK(page.events.front().number == size.forgotten);
}

TEST_CASE("who waits for an event is woken by it", "[agent][events]") {
  EventLog log(1u << 20);
  const Instant soon(std::chrono::steady_clock::now().time_since_epoch() + 20s);
  std::thread reader([&] { log.wait(0, soon); });
  toggle(log, named("a"), 1);
  reader.join();
  CHECK(Instant(std::chrono::steady_clock::now().time_since_epoch()) < soon);
}
