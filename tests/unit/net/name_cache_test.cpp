#include "net/dns/name_cache.hpp"

#include "catch.hpp"

using namespace ecmp;
using namespace ecmp::net;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

IpAddress host(unsigned number) {
  return IpAddress::v4(0x0a000000u + number);
}

constexpr Instant kStart{hours(1000)};

NameCache::Limits holding(std::size_t entries) {
  NameCache::Limits limits;
  limits.entries = entries;
  return limits;
}

}  // namespace

TEST_CASE("a wanted address is due at once, and once", "[name_cache]") {
  NameCache cache({});
  CHECK(cache.take_due(kStart, 10).empty());
  cache.want(host(1), kStart);
  cache.want(host(1), kStart);
  CHECK(cache.take_due(kStart, 10) == std::vector{host(1)});
  CHECK(cache.take_due(kStart, 10).empty());
  CHECK(cache.take_due(kStart + seconds(59), 10).empty());
  CHECK(cache.take_due(kStart + seconds(60), 10) == std::vector{host(1)});  // the answer was lost
}

TEST_CASE("a name is looked up again when its TTL is over, within bounds, and stays meanwhile", "[name_cache]") {
  struct Row {
    Duration ttl;
    Duration expected;
  };
  for (const Row row : {Row{seconds(0), seconds(60)}, Row{minutes(10), minutes(10)}, Row{hours(1000), hours(24)}}) {
    NameCache cache({});
    cache.want(host(1), kStart);
    cache.take_due(kStart, 1);
    cache.learn(host(1), "a.example", row.ttl, kStart);
    CHECK(cache.table()->name(host(1)) == "a.example");
    CHECK(cache.take_due(kStart + row.expected - seconds(1), 1).empty());
    CHECK(cache.take_due(kStart + row.expected, 1).size() == 1);
    CHECK(cache.table()->name(host(1)) == "a.example");
    cache.learn_failure(host(1), kStart + row.expected);
    CHECK(cache.table()->name(host(1)) == "a.example");
    CHECK(cache.take_due(kStart + row.expected + seconds(60), 1).size() == 1);
  }
}

TEST_CASE("a fixed refresh beats every TTL", "[name_cache]") {
  NameCache::Limits limits;
  limits.refresh = seconds(5);
  NameCache cache(limits);
  cache.want(host(1), kStart);
  cache.want(host(2), kStart);
  cache.take_due(kStart, 2);
  cache.learn(host(1), "a.example", hours(10), kStart);
  cache.learn_none(host(2), kStart);
  CHECK(cache.take_due(kStart + seconds(4), 2).empty());
  CHECK(cache.take_due(kStart + seconds(5), 2).size() == 2);
}

TEST_CASE("an address without a name is remembered as such, and asked for again later", "[name_cache]") {
  NameCache cache({});
  cache.want(host(1), kStart);
  cache.take_due(kStart, 1);
  cache.learn(host(1), "old.example", minutes(2), kStart);
  cache.learn_none(host(1), kStart + minutes(2));
  CHECK(cache.table()->name(host(1)).empty());
  CHECK(cache.take_due(kStart + minutes(61), 1).empty());
  CHECK(cache.take_due(kStart + minutes(62), 1).size() == 1);
}

TEST_CASE("when it is full the address nobody has wanted for longest goes", "[name_cache]") {
  NameCache cache(holding(3));
  for (unsigned number = 1; number <= 3; ++number) {
    cache.want(host(number), kStart);
    cache.learn(host(number), "h" + std::to_string(number), hours(1), kStart);
  }
  cache.want(host(1), kStart);
  cache.want(host(4), kStart);
  CHECK(cache.size() == 3);
  const auto table = cache.table();
  CHECK(table->name(host(1)) == "h1");
  CHECK(table->name(host(2)).empty());
  CHECK(table->name(host(3)) == "h3");
  cache.learn(host(2), "late", hours(1), kStart);  // the answer to one that is gone
  CHECK(cache.size() == 3);
  CHECK(cache.table()->name(host(2)).empty());
  CHECK(cache.take_due(kStart + hours(100), 10).size() == 3);
}

TEST_CASE("the longest due come first, as many as asked for", "[name_cache]") {
  NameCache cache({});
  for (unsigned number = 1; number <= 5; ++number)
    cache.want(host(number), kStart - seconds(number));
  CHECK(cache.take_due(kStart, 2) == std::vector{host(5), host(4)});
  CHECK(cache.take_due(kStart, 10) == std::vector{host(3), host(2), host(1)});
}

TEST_CASE("a table never changes, and one without news is the same table", "[name_cache]") {
  NameCache cache({});
  for (unsigned number = 0; number < 5000; ++number) {
    cache.want(host(number), kStart);
    cache.learn(host(number), "h" + std::to_string(number), hours(1), kStart);
  }
  const auto before = cache.table();
  CHECK(cache.table() == before);
  cache.learn(host(7), "h7", hours(1), kStart + hours(1));  // as it was
  CHECK(cache.table() == before);
  cache.learn(host(7), "renamed", hours(1), kStart + hours(2));
  const auto after = cache.table();
  CHECK(after != before);
  CHECK(before->name(host(7)) == "h7");
  CHECK(after->name(host(7)) == "renamed");
  for (unsigned number = 8; number < 5000; ++number)
    REQUIRE(after->name(host(number)) == "h" + std::to_string(number));
}

TEST_CASE("a cache for nothing holds nothing", "[name_cache]") {
  NameCache cache(holding(0));
  cache.want(host(1), kStart);
  CHECK(cache.size() == 0);
  CHECK(cache.take_due(kStart, 1).empty());
}
