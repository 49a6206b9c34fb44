// The probing loop never waits for those who read its rounds, and what they do at a time is bounded.
#include "agent/history/round_log.hpp"

#include <atomic>
#include <latch>
#include <set>
#include <thread>

#include "agent/history/event_log.hpp"
#include "agent/tracing/board.hpp"
#include "catch.hpp"

namespace ecmp {
namespace {

History::Record record(const std::string& destination, std::uint32_t flow, std::uint16_t flows, std::uint32_t number) {
  auto facts = std::make_shared<DestinationFacts>();
  facts->name = destination;
  facts->flows = flows;
  auto made = std::make_shared<RoundRecord>();
  made->destination = facts;
  made->flow_index = flow;
  made->source_port = static_cast<std::uint16_t>(50000 + flow);
  made->round.number = number;
  return made;
}

}  // namespace

TEST_CASE("a page of newest rounds is bounded, and all pages together are all flows", "[agent][paths]") {
  constexpr std::uint16_t kFlows = 32;
  constexpr std::size_t kDestinations = 300;
  RoundLog log(std::size_t{1} << 26);
  for (std::size_t i = 0; i < kDestinations; ++i)
    for (std::uint16_t flow = 0; flow < kFlows; ++flow)
      log.add(record("d" + std::to_string(i), flow, kFlows, 1));
  std::set<std::pair<std::string, std::uint16_t>> seen;
  std::size_t pages = 0;
  History::NewestPage page;
  do {
    page = log.newest({}, page.after, log.end());
    CHECK(page.looked <= RoundLog::kPage + kFlows);
    for (const auto& one : page.records)
      CHECK(seen.emplace(one->destination->name, one->source_port).second);
    ++pages;
  } while (page.more);
  CHECK(seen.size() == kDestinations * kFlows);
  CHECK(pages >= kDestinations * kFlows / (RoundLog::kPage + kFlows));
  // Only those that were there at a moment.
  CHECK(log.newest({}, {}, 10).records.size() == 10);
  log.drop_destination("d7");
  CHECK(log.newest({.destination = "d7"}, {}, log.end()).records.empty());
  CHECK(log.newest({.destination = "d8"}, {}, log.end()).records.size() == kFlows);
}

TEST_CASE("rounds that find the lock taken come with the next call, in their order", "[agent][paths]") {
  RoundLog log(std::size_t{1} << 24);
  std::atomic<bool> over = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      while (!over)
        (void)log.newest({}, {}, UINT64_MAX);
    });
  }
  constexpr std::uint32_t kRounds = 20000;
  for (std::uint32_t i = 0; i < kRounds; ++i)
    CHECK(log.add(record("d", i % 16, 16, i)) == i);
  over = true;
  for (std::thread& reader : readers)
    reader.join();
  while (log.end() < kRounds)
    log.settle();
  std::uint64_t next = 0;
  std::uint32_t expected = static_cast<std::uint32_t>(log.first());
  for (next = log.first(); next < log.end();) {
    const History::Page page = log.read({}, next, 1000);
    for (const auto& one : page.records)
      CHECK(one->round.number == expected++);
    next = page.next;
  }
  CHECK(expected == kRounds);
}

TEST_CASE("what is put up while somebody reads is there with the next turn", "[agent]") {
  Board board;
  std::atomic<bool> over = false;
  std::thread reader([&] {
    while (!over)
      (void)board.get();
  });
  for (int i = 0; i < 2000; ++i) {
    auto next = std::make_shared<const Snapshots>();
    board.put(next);
    while (board.get() != next)
      board.settle();
  }
  over = true;
  reader.join();
}

TEST_CASE("whoever reads figures that were not kept new waits for new ones", "[agent]") {
  Board board;
  const auto old = std::make_shared<const Snapshots>();
  board.put(old);
  CHECK(board.figures() == old);
  CHECK(board.take_read());
  CHECK_FALSE(board.take_read());
  board.settle(false);
  CHECK(board.get() == old);
  std::shared_ptr<const Snapshots> read;
  std::thread reader([&] { read = board.figures(); });
  while (!board.take_read())
    std::this_thread::yield();
  const auto made = std::make_shared<const Snapshots>();
  while (board.get() != made) {
    board.put(made);
    board.settle(true);
  }
  reader.join();
  CHECK(read == made);
  CHECK(board.figures() == made);
}

}  // namespace ecmp
