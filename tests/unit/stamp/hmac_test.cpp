#include "stamp/hmac.hpp"

#include "catch.hpp"
#include "unit/stamp/stamp_bytes.hpp"

using namespace ecmp;
using namespace ecmp::stamp;
using namespace ecmp::stamp::test;

TEST_CASE("HMAC-SHA-256 gives the digests of RFC 4231", "[stamp]") {
  struct Case {
    Bytes key, data;
    std::string digest;
  };
  const std::vector<Case> cases = {
      {hex("0b*20"), text("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {text("Jefe"), text("what do ya want for nothing?"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {hex("aa*20"), hex("dd*50"), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {hex("0102030405060708090a0b0c0d0e0f10111213141516171819"), hex("cd*50"),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {hex("aa*131"), text("Test Using Larger Than Block-Size Key - Hash Key First"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {hex("aa*131"),
       text("This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
            "hashed before being used by the HMAC algorithm."),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const Case& one : cases) {
    CHECK(to_hex(hmac_sha256(one.key, {one.data})) == one.digest);
    // In parts it is the same message.
    const ByteView data = one.data;
    CHECK(to_hex(hmac_sha256(one.key, {data.first(3), {}, data.subspan(3)})) == one.digest);
  }
  // Test case 5 is the one that cuts the digest to 128 bits.
  CHECK(to_hex(hmac_tag(hex("0c*20"), {text("Test With Truncation")})) == "a3b6167473100ee06e0c796c2955552b");
}

TEST_CASE("Tags are the same only when every bit is", "[stamp]") {
  const Bytes tag = hex("a3b6167473100ee06e0c796c2955552b");
  CHECK(same_in_constant_time(tag, tag));
  for (std::size_t bit = 0; bit < tag.size() * 8; ++bit) {
    Bytes other = tag;
    other[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    CHECK_FALSE(same_in_constant_time(tag, other));
  }
  CHECK_FALSE(same_in_constant_time(tag, ByteView(tag).first(15)));
  CHECK(same_in_constant_time({}, {}));
}
