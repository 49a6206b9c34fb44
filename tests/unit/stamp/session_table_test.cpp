#include "stamp/session_table.hpp"

#include "catch.hpp"
#include "stamp/reflector.hpp"
#include "unit/stamp/stamp_bytes.hpp"

using namespace ecmp;
using namespace ecmp::stamp;
using namespace ecmp::stamp::test;
using namespace std::chrono_literals;

namespace {

constexpr SipKey kSecret = {4, 2};
constexpr Instant kStart{1h};

SessionKey key(std::uint32_t number) {
  return {IpAddress::v4(0x0a000000 + number), IpAddress::v4(0xc0000201), 50000, 862, 1};
}

/// One request of a session, as the reflector takes it; false: no room.
bool ask(SessionTable& table, std::uint32_t number, Instant now) {
  const auto found = table.find_or_begin(key(number), now);
  if (!found) return false;
  ++found->session->requests;
  return true;
}

/// Whether the table remembers `requests` of this session before it is asked once more.
std::uint32_t requests(SessionTable& table, std::uint32_t number, Instant now) {
  const auto found = table.find_or_begin(key(number), now);
  return found ? found->session->requests : 0;
}

}  // namespace

TEST_CASE("A flood of sources that send one request each does not push out those that go on", "[stamp][reflector]") {
  SessionTable table(1000, kSecret);
  for (int round = 0; round < 10; ++round)
    for (std::uint32_t number = 0; number < 100; ++number)
      REQUIRE(ask(table, number, kStart + round * 1s));
  for (std::uint32_t number = 1000; number < 101'000; ++number)
    REQUIRE(ask(table, number, kStart + 11s));
  CHECK(table.size() == 1000);
  for (std::uint32_t number = 0; number < 100; ++number)
    CHECK(requests(table, number, kStart + 12s) == 10);
}

TEST_CASE("When every session goes on, there is no room until one pauses", "[stamp][reflector]") {
  SessionTable table(8, kSecret);
  for (int round = 0; round < 10; ++round)
    for (std::uint32_t number = 0; number < 8; ++number)
      REQUIRE(ask(table, number, kStart + round * 1s));
  CHECK_FALSE(ask(table, 100, kStart + 10s));
  for (std::uint32_t number = 1; number < 8; ++number)
    REQUIRE(ask(table, number, kStart + 65s));
  // The session that has paused for a minute gives way, and it alone.
  CHECK(ask(table, 100, kStart + 71s));
  CHECK(requests(table, 1, kStart + 71s) == 11);
  CHECK(table.size() == 8);
}

TEST_CASE("Sessions that are idle for a quarter of an hour are forgotten", "[stamp][reflector]") {
  SessionTable table(100, kSecret);
  for (std::uint32_t number = 0; number < 100; ++number)
    REQUIRE(ask(table, number, kStart));
  for (int i = 0; i < 5; ++i)
    REQUIRE(ask(table, 5, kStart + 14min));
  for (int i = 0; i < 20; ++i)
    table.expire(kStart + 15min + 1s);
  CHECK(table.size() == 1);
  CHECK(requests(table, 5, kStart + 15min + 1s) == 6);
  // One that comes back has another epoch, so that its sender can see that it was forgotten.
  SessionTable again(1, kSecret);
  const std::uint32_t epoch = again.find_or_begin(key(1), kStart)->session->own.epoch;
  again.expire(kStart + 1h);
  CHECK(again.size() == 0);
  CHECK(again.find_or_begin(key(1), kStart + 1h)->session->own.epoch != epoch);
}

TEST_CASE("A table finds the sessions that a plain list finds", "[stamp][reflector]") {
  SessionTable table(64, kSecret);
  std::uint64_t state = 1;
  const auto random = [&state] { return static_cast<std::uint32_t>((state = state * 6364136223846793005u + 1) >> 33); };
  std::vector<std::pair<std::uint32_t, std::uint32_t>> plain;  // number, requests; at most 40 are alive at a time
  for (int i = 0; i < 20'000; ++i) {
    const std::uint32_t number = random() % 40;
    auto known = std::find_if(plain.begin(), plain.end(), [&](const auto& one) { return one.first == number; });
    if (known == plain.end()) known = plain.insert(plain.end(), {number, 0});
    REQUIRE(requests(table, number, kStart + i * 1ms) == known->second);
    REQUIRE(ask(table, number, kStart + i * 1ms));
    ++known->second;
  }
}

TEST_CASE("A hundred thousand sources take no more memory than the limit of sessions", "[stamp][reflector]") {
  Reflector reflector({}, 65536, kSecret);
  Bytes request = hex("00000007 ed00378080000000 8f02 1234 00*28");
  Bytes reply(request.size());
  std::size_t most = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    const SessionKey session{IpAddress::v4(0x0b000000 + i * 7), IpAddress::v4(0xc0000201),
                             static_cast<std::uint16_t>(1024 + i % 60000), 862, 0};
    const auto outcome =
        reflector.answer({.payload = request, .session = session, .now = kStart + i * 10us}, WallTime(1s), reply);
    REQUIRE(std::holds_alternative<Answer>(outcome));
    most = std::max(most, reflector.memory());
  }
  CHECK(reflector.sessions() == 65536);
  // 65,536 slots, their buckets, and what a vector has of room beyond what is used.
  CHECK(most < 2 * 65536 * sizeof(Session) + (std::size_t{4} << 20));
}
