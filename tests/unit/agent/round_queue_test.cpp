#include "trace/round_queue.hpp"

#include <poll.h>
#include <thread>

#include "catch.hpp"

using namespace ecmp;

namespace {

std::shared_ptr<const RoundRecord> record(std::uint32_t number) {
  auto made = std::make_shared<RoundRecord>();
  made->round.number = number;
  return made;
}

bool is_readable(const RoundQueue& queue) {
  pollfd ready{queue.descriptor(), POLLIN, 0};
  return ::poll(&ready, 1, 0) == 1;
}

}  // namespace

TEST_CASE("rounds come out in the order they were put in, and the descriptor tells when", "[trace]") {
  RoundQueue queue(RoundQueue::WhenFull::leave_out);
  CHECK_FALSE(is_readable(queue));
  queue.push(record(1));
  queue.push(record(2));
  CHECK(is_readable(queue));
  const auto taken = queue.take();
  REQUIRE(taken.records.size() == 2);
  CHECK(taken.records[0]->round.number == 1);
  CHECK(taken.records[1]->round.number == 2);
  CHECK_FALSE(taken.closed);
  CHECK_FALSE(is_readable(queue));
}

TEST_CASE("a closed queue gives what it has and then takes nothing", "[trace]") {
  RoundQueue queue(RoundQueue::WhenFull::leave_out);
  queue.push(record(1));
  queue.close();
  queue.push(record(2));
  CHECK(is_readable(queue));
  const auto taken = queue.take();
  CHECK(taken.closed);
  CHECK(taken.records.size() == 1);
}

TEST_CASE("a full queue leaves out the newest rounds and counts them", "[trace]") {
  RoundQueue queue(RoundQueue::WhenFull::leave_out);
  const auto one = record(7);
  for (std::size_t i = 0; i < RoundQueue::kCapacity + 3; ++i)
    queue.push(one);
  CHECK(queue.left_out() == 3);
  CHECK(queue.take().records.size() == RoundQueue::kCapacity);
}

TEST_CASE("a full queue that waits loses nothing", "[trace]") {
  RoundQueue queue(RoundQueue::WhenFull::wait);
  constexpr std::uint32_t kRounds = 2 * RoundQueue::kCapacity + 5;
  std::thread writer([&] {
    for (std::uint32_t i = 0; i < kRounds; ++i)
      queue.push(record(i));
    queue.close();
  });
  std::uint32_t next = 0;
  bool in_order = true;
  for (bool closed = false; !closed;) {
    pollfd ready{queue.descriptor(), POLLIN, 0};
    ::poll(&ready, 1, -1);
    const auto taken = queue.take();
    closed = taken.closed;
    for (const auto& one : taken.records)
      in_order = in_order && one->round.number == next++;
  }
  writer.join();
  CHECK(in_order);
  CHECK(next == kRounds);
  CHECK(queue.left_out() == 0);
}

TEST_CASE("nobody waits for a queue whose reader is gone", "[trace]") {
  RoundQueue queue(RoundQueue::WhenFull::wait);
  std::thread writer([&] {
    for (std::size_t i = 0; i < 2 * RoundQueue::kCapacity; ++i)
      queue.push(record(0));
  });
  pollfd ready{queue.descriptor(), POLLIN, 0};
  ::poll(&ready, 1, -1);
  queue.abandon();
  writer.join();
  CHECK(queue.take().records.empty());
}
