#include "stamp/own_tlv.hpp"

#include <random>
#include <set>

#include "catch.hpp"
#include "unit/stamp/stamp_bytes.hpp"

using namespace ecmp;
using namespace ecmp::stamp;
using namespace ecmp::stamp::test;

TEST_CASE("Our own extension is laid out as its description says", "[stamp]") {
  OwnTlv own{0x01020304, 0x0a0b0c0d, 0x8000000000000005, 99, OwnTlv::Path{0x5c1e09aa, 12}};
  const Bytes golden = hex("ec4d 01 01 01020304 0a0b0c0d 8000000000000005 00000063 5c1e09aa 0c 000000");
  Bytes bytes(kOwnTlvSize, 0xff);
  write(own, bytes);
  CHECK(to_hex(bytes) == to_hex(golden));
  CHECK(read_own_tlv(golden) == own);

  own.back->hop = 3;
  own.back->address = IpAddress::v4(0xc0000207);
  const std::string head = "ec4d 01 01 01020304 0a0b0c0d 8000000000000005 00000063 5c1e09aa 0c 03 0000";
  const Bytes with_router = hex(head + "c0000207 00*12 04 000000");
  Bytes longer(kOwnTlvLong, 0xff);
  write(own, longer);
  CHECK(to_hex(longer) == to_hex(with_router));
  CHECK(read_own_tlv(with_router) == own);
  own.back->address = *IpAddress::parse("2001:db8::7");
  write(own, longer);
  CHECK(to_hex(longer) == to_hex(hex(head + "20010db8000000000000000000000007 06 000000")));
  CHECK(read_own_tlv(longer) == own);
  own.back->address = IpAddress();  // it has kept quiet so far
  write(own, longer);
  CHECK(to_hex(longer) == to_hex(hex(head + "00*20")));
  CHECK(read_own_tlv(longer) == own);
  // A router behind the end of the path is none.
  CHECK(read_own_tlv(hex("ec4d 01 01 01020304 0a0b0c0d 8000000000000005 00000063 5c1e09aa 02 03 0000 c0000207 00*12 04 "
                         "000000"))
            ->back->hop == 0);
  const OwnTlv asking{.routers = 5};
  write(asking, longer);
  CHECK(to_hex(longer) == to_hex(hex("ec4d 01 00*26 05 00*22")));
  CHECK(read_own_tlv(longer) == asking);

  write(OwnTlv(), bytes);
  CHECK(to_hex(bytes) == to_hex(hex("ec4d 01 00*29")));
  CHECK_FALSE(read_own_tlv(bytes)->back);
}

TEST_CASE("Experiments of others with our type are not read", "[stamp]") {
  const Bytes golden = hex("ec4d 01 00 00*28");
  REQUIRE(read_own_tlv(golden));
  for (std::size_t size = 0; size < golden.size(); ++size)
    CHECK_FALSE(read_own_tlv(ByteView(golden).first(size)));
  CHECK_FALSE(read_own_tlv(golden + hex("00")));
  CHECK_FALSE(read_own_tlv(hex("ec4e 01 00 00*28")));
  CHECK_FALSE(read_own_tlv(hex("ec4d 02 00 00*28")));
}

TEST_CASE("The bitmap knows of each of the last 64 requests whether it arrived", "[stamp]") {
  std::mt19937_64 random(19);
  for (const std::uint32_t first : {0u, 1000u, 0xffffff80u}) {
    OwnTlv own;
    std::set<std::uint32_t> arrived;  // as distances from `first`, so that no wrap disturbs the order
    std::uint32_t count = 0;
    for (std::uint32_t sent = 0; sent < 400; ++sent) {
      // A fifth is lost, some come twice, some up to ten late.
      if (random() % 5 != 0) {
        const std::uint32_t number =
            random() % 7 == 0 && sent > 10 ? sent - static_cast<std::uint32_t>(random() % 10) : sent;
        const bool is_new = arrived.insert(number).second;
        CHECK(own.note(first + number) == is_new);
        count += is_new ? 1 : 0;
      }
      if (arrived.empty()) continue;
      const std::uint32_t highest = *arrived.rbegin();
      REQUIRE(own.highest == first + highest);
      REQUIRE(own.received == count);
      for (std::uint32_t back = 0; back < 64 && back <= highest; ++back)
        REQUIRE(own.has(first + highest - back) == arrived.contains(highest - back));
      CHECK_FALSE(own.has(first + highest + 1));
      CHECK_FALSE(own.has(first + highest - 64));
    }
  }
}

TEST_CASE("A jump beyond the bitmap forgets it, and what is older than it cannot be told from a duplicate", "[stamp]") {
  OwnTlv own;
  CHECK(own.note(10));
  CHECK(own.note(74));
  CHECK(own.arrived == 1);
  CHECK(own.received == 2);
  CHECK_FALSE(own.note(10));
  CHECK(own.received == 2);
  CHECK(own.note(11));
  CHECK(own.arrived == 0x8000000000000001u);
}
