#include "path/history/history.hpp"

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"

using namespace ecmp;
using std::chrono::seconds;

namespace {

constexpr std::size_t kPlenty = 1u << 30;

std::shared_ptr<const DestinationFacts> facts_of(const std::string& name, std::uint16_t flows = 4) {
  DestinationFacts facts;
  facts.name = name;
  facts.address = IpAddress::v4(0xc0000201);
  facts.source_ports = 50000;
  facts.flows = flows;
  return std::make_shared<const DestinationFacts>(facts);
}

History::Record record_of(const std::shared_ptr<const DestinationFacts>& facts, std::uint32_t flow,
                          std::uint32_t number, std::size_t hops = 3) {
  RoundRecord record;
  record.destination = facts;
  record.flow_index = flow;
  record.source_port = facts->source_ports[flow];
  record.round.number = number;
  record.round.started = Instant(seconds(10 * number));
  record.round.finished = Instant(seconds(10 * number + 2));
  record.round.hops.resize(hops);
  record.wall_offset = seconds(1'000'000);
  record.verdict.path = 0x100 + flow;
  return std::make_shared<const RoundRecord>(std::move(record));
}

std::vector<std::pair<std::string, std::uint32_t>> flows_of(const std::vector<History::Record>& records) {
  std::vector<std::pair<std::string, std::uint32_t>> flows;
  for (const auto& record : records) {
    flows.emplace_back(record->destination->name, record->flow_index);
  }
  return flows;
}

std::size_t bytes_of_one_record() {
  History history(kPlenty);
  history.add(record_of(facts_of("a"), 0, 0));
  return history.bytes();
}

}  // namespace

TEST_CASE("a round filter matches name, source port, path and time, and all when it is empty", "[path][history]") {
  const auto record = record_of(facts_of("a"), 2, 3);
  CHECK(RoundFilter{}.matches(*record));
  CHECK(RoundFilter{.destination = "a", .flow = 50002, .path = 0x102, .since = {}}.matches(*record));
  CHECK_FALSE(RoundFilter{.destination = "b", .flow = {}, .path = {}, .since = {}}.matches(*record));
  CHECK_FALSE(RoundFilter{.destination = {}, .flow = 50003, .path = {}, .since = {}}.matches(*record));
  CHECK_FALSE(RoundFilter{.destination = {}, .flow = {}, .path = 0x103, .since = {}}.matches(*record));
  const WallTime began{seconds(1'000'030)};
  CHECK(RoundFilter{.destination = {}, .flow = {}, .path = {}, .since = began}.matches(*record));
  CHECK_FALSE(RoundFilter{.destination = {}, .flow = {}, .path = {}, .since = began + Duration(1)}.matches(*record));
}

TEST_CASE("the newest round of every flow comes by destination name and then flow", "[path][history]") {
  History history(kPlenty);
  const auto b = facts_of("b");
  const auto a = facts_of("a");
  history.add(record_of(b, 1, 0));
  history.add(record_of(a, 1, 0));
  history.add(record_of(b, 0, 0));
  history.add(record_of(a, 0, 0));
  history.add(record_of(a, 1, 1));
  const auto newest = history.newest({});
  CHECK(flows_of(newest) == std::vector<std::pair<std::string, std::uint32_t>>{{"a", 0}, {"a", 1}, {"b", 0}, {"b", 1}});
  CHECK(newest[1]->round.number == 1);
  RoundFilter only_b;
  only_b.destination = "b";
  CHECK(flows_of(history.newest(only_b)) == std::vector<std::pair<std::string, std::uint32_t>>{{"b", 0}, {"b", 1}});
  only_b.destination = "c";
  CHECK(history.newest(only_b).empty());
}

TEST_CASE("pages go on where the last one ended and miss nothing", "[path][history]") {
  History history(kPlenty);
  const auto a = facts_of("a");
  const auto b = facts_of("b");
  for (std::uint32_t number = 0; number < 10; ++number) {
    history.add(record_of(number % 2 == 0 ? a : b, 0, number));
  }
  RoundFilter filter;
  filter.destination = "a";
  auto page = history.read(filter, 0, 2, 100);
  CHECK(page.records.size() == 2);
  CHECK(page.next == 3);  // behind the second match, rounds 0 and 2
  page = history.read(filter, page.next, 100, 3);
  CHECK(page.records.size() == 1);  // round 4; looked at 3, 4, 5
  CHECK(page.next == 6);
  page = history.read(filter, page.next, 100, 100);
  CHECK(page.records.size() == 2);
  CHECK(page.next == history.end());
  CHECK(history.read(filter, page.next, 100, 100).records.empty());
  CHECK(history.read(filter, 1'000'000, 100, 100).next == history.end());
}

TEST_CASE("the ring forgets the oldest rounds for the budget, and counts them", "[path][history]") {
  History history(bytes_of_one_record() * 4);
  const auto a = facts_of("a");
  for (std::uint32_t number = 0; number < 10; ++number) {
    history.add(record_of(a, 0, number));
    CHECK(history.bytes() <= bytes_of_one_record() * 4);
  }
  CHECK(history.first() == 6);
  CHECK(history.end() == 10);
  CHECK(history.forgotten() == 6);
  const auto page = history.read({}, 0, 100, 100);
  REQUIRE(page.records.size() == 4);
  CHECK(page.records.front()->round.number == 6);
}

TEST_CASE("the heap behind a round counts", "[path][history]") {
  History small(kPlenty);
  History large(kPlenty);
  small.add(record_of(facts_of("a"), 0, 0, 1));
  large.add(record_of(facts_of("a"), 0, 0, 31));
  CHECK(large.bytes() - small.bytes() == 30 * sizeof(HopResult));
}

TEST_CASE("the newest round of a quiet flow outlives the ring, within the budget", "[path][history]") {
  const std::size_t one = bytes_of_one_record();
  History history(one * 3);
  const auto a = facts_of("a");
  history.add(record_of(a, 0, 0));
  for (std::uint32_t number = 0; number < 10; ++number) {
    history.add(record_of(a, 1, number));
  }
  CHECK(history.bytes() == one * 3);
  CHECK(history.end() - history.first() == 2);  // the third place in the budget is the quiet flow's
  const auto newest = history.newest({});
  REQUIRE(newest.size() == 2);
  CHECK(newest[0]->flow_index == 0);
  CHECK(newest[1]->round.number == 9);

  // When the flow speaks again, its old round is given up and the ring has the place.
  history.add(record_of(a, 0, 1));
  CHECK(history.newest({})[0]->round.number == 1);
  CHECK(history.end() - history.first() == 3);
  CHECK(history.bytes() == one * 3);
}

TEST_CASE("flows a destination no longer has are forgotten with its next round", "[path][history]") {
  History history(kPlenty);
  for (std::uint32_t flow = 0; flow < 4; ++flow) {
    history.add(record_of(facts_of("a", 4), flow, 0));
  }
  history.add(record_of(facts_of("a", 2), 0, 1));
  CHECK(history.newest({}).size() == 2);
}

TEST_CASE("bytes come back to nothing, whatever came and went", "[path][history]") {
  const unsigned seed = 20260101;
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::vector<std::string> names = {"a", "b", "c"};
  const std::size_t budget = bytes_of_one_record() * 8;
  History history(budget);
  for (std::uint32_t number = 0; number < 5000; ++number) {
    const auto facts = facts_of(names[random() % names.size()], static_cast<std::uint16_t>(1 + random() % 6));
    history.add(record_of(facts, static_cast<std::uint32_t>(random() % facts->flows), number, 1 + random() % 20));
    // What is above the budget can only be newest rounds: the ring is empty then.
    if (history.bytes() > budget) CHECK(history.first() == history.end());
    if (random() % 50 == 0) history.drop_destination(names[random() % names.size()]);
  }
  const auto next = history.end();
  CHECK(next == 5000);
  CHECK(history.forgotten() == history.first());
  for (const auto& name : names) {
    history.drop_destination(name);
  }
  CHECK(history.newest({}).empty());
  // A round larger than the budget pushes all others out of the ring; nothing but it is left, and then nothing.
  history.add(record_of(facts_of("z"), 0, 0, 4000));
  CHECK(history.first() == history.end());
  history.drop_destination("z");
  CHECK(history.bytes() == 0);
}

TEST_CASE("a forgotten round that nobody reads may be used for another one", "[path][history]") {
  History history(4 * bytes_of_one_record());
  const auto facts = facts_of("a", 1);
  for (std::uint32_t i = 0; i < 4; ++i)
    history.add(std::make_shared<RoundRecord>(*record_of(facts, 0, i)));
  CHECK(history.take_spare() == nullptr);
  const History::Page page = history.read({}, history.first(), 1, 10);
  REQUIRE(page.records.size() == 1);
  history.add(std::make_shared<RoundRecord>(*record_of(facts, 0, 4)));
  REQUIRE(history.forgotten() == 1);
  CHECK(history.take_spare() == nullptr);  // it is read
  history.add(std::make_shared<RoundRecord>(*record_of(facts, 0, 5)));
  REQUIRE(history.forgotten() == 2);
  const auto spare = history.take_spare();
  REQUIRE(spare != nullptr);
  CHECK(spare->round.number == 1);
  CHECK(spare.use_count() == 1);
  CHECK(page.records.front()->round.number == 0);
  CHECK(history.take_spare() == nullptr);
}

TEST_CASE("the newest round of a flow is no spare, though the ring has forgotten it", "[path][history]") {
  History history(3 * bytes_of_one_record());
  const auto facts = facts_of("a", 2);
  history.add(std::make_shared<RoundRecord>(*record_of(facts, 0, 0)));
  for (std::uint32_t i = 0; i < 8; ++i) {
    history.add(std::make_shared<RoundRecord>(*record_of(facts, 1, i)));
    while (const auto spare = history.take_spare())
      CHECK(spare->flow_index == 1);
  }
  REQUIRE(history.newest({.flow = 50000}).size() == 1);
  CHECK(history.newest({.flow = 50000}).front()->round.number == 0);
}
