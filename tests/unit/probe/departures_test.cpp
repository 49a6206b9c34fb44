#include "probe/departures.hpp"

#include <vector>

#include "catch.hpp"

using namespace ecmp;

namespace {

/// 60 bytes of IPv4 that differ from those of another number in the last of the first 28, and one more behind them.
std::vector<std::uint8_t> datagram(std::uint32_t number) {
  std::vector<std::uint8_t> bytes(60);
  bytes[0] = 0x45;
  store32(bytes, 24, number);
  bytes[40] = 1;
  return bytes;
}

Departed probe(std::uint32_t number) {
  return {.flow = number / 30, .round = number / 7, .ttl = static_cast<std::uint8_t>(number % 30), .attempt = 0};
}

/// What take() says of a number; kNothing if it is none of the next ones.
constexpr std::uint32_t kNothing = UINT32_MAX;
std::uint32_t taken(Departures& departures, std::uint32_t number) {
  const Departed* const found = departures.take(datagram(number));
  if (found == nullptr) return kNothing;
  CHECK(*found == probe(number));
  return number;
}

}  // namespace

TEST_CASE("probes that are seen in the order in which they left are recognised, each once", "[probe][departures]") {
  Departures departures;
  CHECK(taken(departures, 0) == kNothing);
  for (std::uint32_t number = 0; number < 3000; ++number) {
    departures.add(datagram(number), probe(number));
    if (number < 100) continue;
    CHECK(taken(departures, number - 100) == number - 100);
    CHECK(taken(departures, number - 100) == kNothing);
  }
}

TEST_CASE("a probe that was never seen is passed over, and what comes late is none of the next",
          "[probe][departures]") {
  Departures departures;
  for (std::uint32_t number = 0; number < 40; ++number)
    departures.add(datagram(number), probe(number));
  CHECK(taken(departures, 3) == 3);
  CHECK(taken(departures, 1) == kNothing);
  CHECK(taken(departures, 4) == 4);
  CHECK(taken(departures, 39) == kNothing);  // further on than is looked
  departures.pass(probe(20));
  CHECK(taken(departures, 21) == 21);
  departures.clear();
  CHECK(taken(departures, 22) == kNothing);
}

TEST_CASE("probes that nobody sees leave room for those that come", "[probe][departures]") {
  Departures departures;
  for (std::uint32_t number = 0; number < 5000; ++number)
    departures.add(datagram(number), probe(number));
  CHECK(taken(departures, 4990) == kNothing);
  departures.pass(probe(4990));
  CHECK(taken(departures, 4991) == 4991);
}

TEST_CASE("a datagram that was cut short is no probe that was longer", "[probe][departures]") {
  Departures departures;
  departures.add(datagram(7), probe(7));
  auto cut = datagram(7);
  cut.resize(20);
  CHECK(departures.take(cut) == nullptr);
  CHECK(departures.take({}) == nullptr);
  CHECK(taken(departures, 7) == 7);
}
