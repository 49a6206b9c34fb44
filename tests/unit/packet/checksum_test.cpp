#include "packet/checksum.hpp"

#include <random>

#include "catch.hpp"
#include "samples.hpp"

using namespace ecmp;
using namespace ecmp::packet;
using samples::Bytes;

TEST_CASE("the sum is the one of RFC 1071", "[packet]") {
  // The example of its section 3.
  CHECK(ones_complement_sum(samples::hex("0001 f203 f4f5 f6f7")) == 0xddf2);
  CHECK(ones_complement_sum({}) == 0);
  CHECK(ones_complement_sum({}, 0x1234) == 0x1234);
  CHECK(ones_complement_sum(samples::hex("ab")) == 0xab00);
  CHECK(ones_complement_sum(samples::hex("ff*64")) == 0xffff);
}

TEST_CASE("the sum agrees with a plain one for every length and can be carried on", "[packet]") {
  std::mt19937_64 random(5);
  for (std::size_t size = 0; size < 300; ++size) {
    Bytes bytes(size);
    for (std::uint8_t& byte : bytes)
      byte = static_cast<std::uint8_t>(random());
    const auto initial = static_cast<std::uint16_t>(random());
    CAPTURE(size);
    REQUIRE(ones_complement_sum(bytes, initial) == samples::plain_sum(bytes, initial));
    const ByteView view(bytes);
    const std::size_t half = size / 4 * 2;
    REQUIRE(ones_complement_sum(view.subspan(half), ones_complement_sum(view.first(half), initial)) ==
            samples::plain_sum(bytes, initial));
  }
}

TEST_CASE("the pseudo header is summed for both versions", "[packet]") {
  for (const Family family : samples::kFamilies) {
    const FiveTuple tuple = samples::tuple(family, Protocol::udp);
    for (const std::uint32_t length : {0u, 8u, 1480u, 65535u, 70000u}) {
      CAPTURE(static_cast<int>(family), length);
      CHECK(pseudo_header_sum(tuple.source, tuple.destination, 17, length) ==
            samples::plain_pseudo_sum(tuple.source, tuple.destination, 17, length));
    }
  }
}
