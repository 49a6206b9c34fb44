#include "probe/flow_index.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "catch.hpp"
#include "probe/timer_queue.hpp"

using ecmp::FlowIndex;
using ecmp::FlowName;

namespace {

FlowName name_of(std::uint32_t number) {
  return {ecmp::IpAddress::v4(0x0ac80000u + number / 32), ecmp::Protocol::udp,
          static_cast<std::uint16_t>(50000 + number % 32), 33434};
}

}  // namespace

TEST_CASE("flows are found by name, whatever was added and removed before", "[flow_index]") {
  // `bits` of the hash are left: the fewer, the more names want the same place.
  const int bits = GENERATE(64, 12, 6, 1);
  const auto hash_of = [&](std::uint32_t number) {
    return FlowIndex::hash(name_of(number)) & (bits == 64 ? ~0ull : (1ull << bits) - 1);
  };
  FlowIndex index;
  std::map<std::uint32_t, bool> there;
  std::mt19937 random(7);
  for (int step = 0; step < 5000; ++step) {
    const auto number = static_cast<std::uint32_t>(random() % 300);
    const std::uint64_t hash = hash_of(number);
    const auto is_it = [&](std::uint32_t flow) { return name_of(flow) == name_of(number); };
    CAPTURE(bits, step, number);
    REQUIRE(index.find(hash, is_it) == (there[number] ? number : FlowIndex::kNone));
    if (there[number]) {
      index.erase(hash, number);
    } else {
      index.insert(hash, number);
    }
    there[number] = !there[number];
    const auto size = std::ranges::count_if(there, [](const auto& entry) { return entry.second; });
    REQUIRE(index.size() == static_cast<std::size_t>(size));
  }
  for (const auto& [number, is_there] : there) {
    const auto is_it = [&, wanted = number](std::uint32_t flow) { return flow == wanted; };
    CHECK(index.find(hash_of(number), is_it) == (is_there ? number : FlowIndex::kNone));
  }
}

TEST_CASE("erasing a flow that is not there changes nothing", "[flow_index]") {
  FlowIndex index;
  index.erase(FlowIndex::hash(name_of(1)), 1);
  index.insert(FlowIndex::hash(name_of(1)), 1);
  index.erase(FlowIndex::hash(name_of(2)), 2);
  CHECK(index.size() == 1);
}

TEST_CASE("names that differ in one field have different hashes", "[flow_index]") {
  const FlowName name = name_of(0);
  FlowName other = name;
  other.protocol = ecmp::Protocol::tcp;
  CHECK(FlowIndex::hash(other) != FlowIndex::hash(name));
  other = name;
  other.destination_port = 33435;
  CHECK(FlowIndex::hash(other) != FlowIndex::hash(name));
}

TEST_CASE("timers come up in the order of their times, then of their flows", "[timer_queue]") {
  ecmp::TimerQueue queue;
  std::vector<std::pair<ecmp::Instant, std::uint32_t>> waiting;
  std::mt19937 random(11);
  const auto pop_least = [&] {
    const auto least = std::ranges::min_element(waiting);
    REQUIRE(queue.top().at == least->first);
    REQUIRE(queue.top().flow == least->second);
    queue.pop();
    waiting.erase(least);
  };
  for (std::uint32_t step = 0; step < 4000; ++step) {
    CAPTURE(step);
    if (waiting.empty() || random() % 5 < 3) {
      const ecmp::Instant at{ecmp::Duration(random() % 50)};
      queue.push(at, step);
      waiting.emplace_back(at, step);
    } else {
      pop_least();
    }
    REQUIRE(queue.size() == waiting.size());
  }
  while (!waiting.empty())
    pop_least();
  CHECK(queue.empty());
}
