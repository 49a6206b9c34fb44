#include "config/selection.hpp"

#include "catch.hpp"
#include "config/shard.hpp"

using namespace ecmp;
using namespace ecmp::config;

namespace {

Found found(const std::string& name, const std::string& host, const std::string& origin) {
  Found made{.destination = {}, .origin = origin};
  made.destination.name = name;
  made.destination.host = host;
  made.destination.source_port = 50000;
  made.destination.address = IpAddress::parse(host);
  return made;
}

std::vector<std::string> names(const Selection& selection) {
  std::vector<std::string> all;
  for (const Found& each : selection.found)
    all.push_back(each.destination.name);
  return all;
}

std::uint64_t count(const Selection& selection, LeftOut reason) {
  return selection.left_out[static_cast<std::size_t>(reason)];
}

using Words = std::vector<std::string>;
using Sources = std::vector<const std::vector<Found>*>;

}  // namespace

TEST_CASE("of two sources with a name the first has it, and both places are told", "[config][discovery]") {
  const std::vector<Found> first = {found("a", "192.0.2.1", "one:1:1"), found("b", "192.0.2.2", "one:2:1")};
  const std::vector<Found> second = {found("b", "192.0.2.3", "two:7:9"), found("c", "192.0.2.4", "two:8:9")};
  const Selection selection = select_destinations(Sources{&first, &second}, {}, {});
  CHECK(names(selection) == Words{"a", "b", "c"});
  CHECK(selection.found[1].destination.host == "192.0.2.2");
  CHECK(selection.problems == Words{"two:7:9: left out: the destination of one:2:1 has the name \"b\" already"});
  CHECK(count(selection, LeftOut::duplicate) == 1);
}

TEST_CASE("a name that an address of another destination may get is taken", "[config][discovery]") {
  std::vector<Found> all = {found("a", "a.example", "all:1:1")};
  all.front().destination.all = true;
  const std::vector<Found> others = {
      found("a/192.0.2.1", "192.0.2.9", "other:1:1"), found("a/2001:db8::1", "192.0.2.10", "other:2:1"),
      found("a/b", "192.0.2.11", "other:3:1"), found("b/192.0.2.1", "192.0.2.12", "other:4:1")};
  const Selection last = select_destinations(Sources{&all, &others}, {}, {});
  CHECK(names(last) == Words{"a", "a/b", "b/192.0.2.1"});
  CHECK(count(last, LeftOut::duplicate) == 2);
  const Selection first = select_destinations(Sources{&others, &all}, {}, {});
  CHECK(names(first) == Words{"a/192.0.2.1", "a/2001:db8::1", "a/b", "b/192.0.2.1"});
  CHECK(first.problems.size() == 1);
}

TEST_CASE("of two sources with the same flows the first has them", "[config][discovery]") {
  const std::vector<Found> first = {found("a", "192.0.2.1", "one:1:1")};
  std::vector<Found> second = {found("b", "192.0.2.1", "two:1:1"), found("c", "192.0.2.1", "two:2:1"),
                               found("d", "192.0.2.1", "two:3:1"), found("e", "192.0.2.1", "two:4:1")};
  second[0].destination.source_port = 50015;  // the last of a's
  second[1].destination.source_port = 50016;  // beyond them
  second[2].destination.source_port = 49985;  // their first is its last
  second[3].destination.protocol = Protocol::tcp;
  const Selection selection = select_destinations(Sources{&first, &second}, {}, {});
  CHECK(names(selection) == Words{"a", "c", "e"});
  CHECK(count(selection, LeftOut::overlap) == 2);
  CHECK(selection.problems[0] ==
        "two:1:1: left out: the source ports of \"b\" overlap with those of \"a\" of one:1:1: same host, both udp");
}

TEST_CASE("flows whose ports are spread step round each other, so that one host may have many names",
          "[config][discovery]") {
  std::vector<Found> all = {found("a", "192.0.2.1", "1"), found("b", "192.0.2.1", "2"), found("c", "192.0.2.1", "3")};
  all[0].destination.source_port.reset();
  all[1].destination.source_port.reset();
  CHECK(names(select_destinations(Sources{&all}, {}, {})) == Words{"a", "b", "c"});
}

TEST_CASE("who is left out does not stand in the way of others", "[config][discovery]") {
  // A name over IPv4 only has the flows; one over both families loses them all, also those over IPv6.
  std::vector<Found> all = {found("a", "x.example", "1"), found("b", "X.example.", "2"), found("c", "x.example", "3")};
  all[0].destination.family = FamilyChoice::ipv4;
  all[2].destination.family = FamilyChoice::ipv6;
  CHECK(names(select_destinations(Sources{&all}, {}, {})) == Words{"a", "c"});
}

TEST_CASE("no more destinations than the limit, after sharding", "[config][discovery]") {
  std::vector<Found> many;
  for (int i = 0; i < 300; ++i)
    many.push_back(found("d" + std::to_string(i), "192.0.2." + std::to_string(i % 250), "x"));
  for (Found& each : many)
    each.destination.source_port = static_cast<std::uint16_t>(1000 + 100 * (&each - many.data()));
  const Selection whole = select_destinations(Sources{&many}, {}, {.max_destinations = 200});
  CHECK(whole.found.size() == 200);
  CHECK(count(whole, LeftOut::limit) == 100);
  CHECK(whole.problems == Words{"100 destinations are left out: max_destinations of [limits] is 200"});
  std::size_t sum = 0;
  for (std::uint32_t index = 0; index < 3; ++index) {
    const Selection part = select_destinations(Sources{&many}, {.index = index, .count = 3}, {.max_destinations = 200});
    CHECK(part.problems.empty());
    CHECK(part.found.size() + part.elsewhere == 300);
    sum += part.found.size();
  }
  CHECK(sum == 300);
}

TEST_CASE("of many problems the first hundred are told", "[config][discovery]") {
  std::vector<Found> first, second;
  for (int i = 0; i < 150; ++i)
    first.push_back(found(std::to_string(i), "192.0.2." + std::to_string(i), "x"));
  second = first;
  const Selection selection = select_destinations(Sources{&first, &second}, {}, {});
  CHECK(selection.problems.size() == 101);
  CHECK(selection.problems.back() == "... and more: 150 destinations are left out");
}

TEST_CASE("every destination is of one shard, and shards are of about one size", "[config][shard]") {
  constexpr std::uint32_t kNames = 20000;
  for (const std::uint32_t shards : {1u, 2u, 3u, 7u, 20u}) {
    std::vector<std::uint32_t> sizes(shards);
    for (std::uint32_t i = 0; i < kNames; ++i)
      ++sizes.at(shard_of("destination-" + std::to_string(i), shards));
    const double mean = static_cast<double>(kNames) / shards;
    for (const std::uint32_t size : sizes)
      CHECK(size == Approx(mean).margin(6 * std::sqrt(mean)));
  }
}

TEST_CASE("one agent more takes its part from all others and moves nothing else", "[config][shard]") {
  constexpr std::uint32_t kNames = 20000;
  for (const std::uint32_t before : {1u, 2u, 3u, 9u, 31u}) {
    std::uint32_t moved = 0;
    for (std::uint32_t i = 0; i < kNames; ++i) {
      const std::string name = "10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256);
      const std::uint32_t was = shard_of(name, before);
      const std::uint32_t is = shard_of(name, before + 1);
      if (was == is) continue;
      ++moved;
      REQUIRE(is == before);  // the new one
    }
    const double expected = static_cast<double>(kNames) / (before + 1);
    CAPTURE(before);
    CHECK(moved == Approx(expected).margin(6 * std::sqrt(expected)));
  }
}

TEST_CASE("which shard a name belongs to never changes between versions", "[config][shard]") {
  std::string shards;
  for (int i = 0; i < 24; ++i)
    shards += std::to_string(shard_of("name" + std::to_string(i), 5));
  CHECK(shards == "314032314311033140021121");
}
