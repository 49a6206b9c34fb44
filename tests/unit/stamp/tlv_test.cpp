#include "stamp/tlv.hpp"

#include "catch.hpp"
#include "unit/stamp/stamp_bytes.hpp"

using namespace ecmp;
using namespace ecmp::stamp;
using namespace ecmp::stamp::test;

namespace {

/// RFC 8972 figures 13 (class of service, DSCP 46 wanted) and 8 (padding).
const Bytes kClass = hex("80 04 0004 b8000000");
const Bytes kPad = hex("80 01 0003 aabbcc");
/// Sequence number 7 and the rest of an open packet.
const Bytes kBase = hex("00000007 00*40");

std::vector<Tlv> all(ByteView bytes, bool& cut) {
  TlvReader reader(bytes);
  std::vector<Tlv> found;
  while (const auto tlv = reader.next())
    found.push_back(*tlv);
  cut = reader.cut();
  return found;
}

}  // namespace

TEST_CASE("TLVs are read one behind the other", "[stamp]") {
  bool cut = false;
  const Bytes bytes = kClass + kPad + hex("80 fa 0000");
  const auto found = all(bytes, cut);
  CHECK_FALSE(cut);
  REQUIRE(found.size() == 3);
  CHECK(found[0].type == tlv::kClassOfService);
  CHECK(to_hex(found[0].value) == "b8000000");
  CHECK(found[1].at == 8);
  CHECK(found[1].flags == kUnrecognised);
  CHECK(to_hex(found[1].value) == "aabbcc");
  CHECK(found[2].type == tlv::kOwn);
  CHECK(found[2].value.empty());
}

TEST_CASE("TLVs that are cut at any byte are seen to be cut", "[stamp]") {
  const Bytes bytes = kClass + kPad;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    CAPTURE(size);
    bool cut = false;
    // A copy of just this size, so that a sanitizer sees a look behind its end.
    const Bytes copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const auto found = all(copy, cut);
    CHECK(found.size() == (size < 8 ? 0u : size < 15 ? 1u : 2u));
    CHECK(cut == (size != 0 && size != 8 && size != 15));
  }
  bool cut = false;
  CHECK(all(hex("80 01 ffff 00*20"), cut).empty());
  CHECK(cut);
}

TEST_CASE("A sender believes only TLVs whose flags are clear", "[stamp]") {
  CHECK_FALSE(find_answered(kClass, tlv::kClassOfService));
  CHECK_FALSE(find_answered(hex("40 04 0004 b8000000"), tlv::kClassOfService));
  CHECK_FALSE(find_answered(hex("20 04 0004 b8000000"), tlv::kClassOfService));
  CHECK_FALSE(find_answered(hex("00 04 0004 b8"), tlv::kClassOfService));
  CHECK(find_answered(kPad + hex("00 04 0004 b8000000"), tlv::kClassOfService));
}

TEST_CASE("TLVs are written as they are read, and never beyond the room", "[stamp]") {
  Bytes bytes(15, 0xff);
  TlvWriter writer(bytes);
  MutableBytes value = writer.add(tlv::kClassOfService, kClassOfServiceSize);
  REQUIRE(value.size() == 4);
  value[0] = 0xb8;
  CHECK(writer.add(tlv::kPadding, 4).empty());
  CHECK(writer.size() == 8);
  value = writer.add(tlv::kPadding, 3);
  REQUIRE(value.size() == 3);
  value[0] = 0xaa;
  value[1] = 0xbb;
  value[2] = 0xcc;
  CHECK(to_hex(bytes) == to_hex(kClass + kPad));
  CHECK(writer.room() == 0);
  CHECK(writer.add(tlv::kPadding, 0).empty());
  CHECK(writer.size() == 15);
}

TEST_CASE("The HMAC of extensions covers the sequence number and the TLVs before it", "[stamp]") {
  const Bytes key = text("stamp key");
  // What Python's hmac gives for "00000007" and the class of service.
  const Bytes sealed = kBase + kClass + hex("80 08 0010 6b1b7d3ddce3d822428f2c23f6b2f9fc");
  CHECK(check_extensions(key, sealed, 44) == Extensions::right);
  CHECK(check_extensions(key, sealed + kPad, 44) == Extensions::right);
  CHECK(check_extensions(text("another"), sealed, 44) == Extensions::wrong);

  Bytes written = kBase + kClass + hex("80 08 0010 00*16");
  seal_extensions(key, written, 44, 52);
  CHECK(to_hex(written) == to_hex(sealed));

  for (const std::size_t at : {std::size_t{3}, std::size_t{44}, std::size_t{48}, std::size_t{56}, sealed.size() - 1}) {
    Bytes changed = sealed;
    changed[at] ^= 1;
    CAPTURE(at);
    CHECK(check_extensions(key, changed, 44) == Extensions::wrong);
  }
  // Bytes of the base other than the number are the base's own HMAC's.
  Bytes other_time = sealed;
  other_time[5] ^= 1;
  CHECK(check_extensions(key, other_time, 44) == Extensions::right);
}

TEST_CASE("An HMAC in another place than the last counts as wrong", "[stamp]") {
  const Bytes key = text("stamp key");
  const Bytes hmac = hex("80 08 0010 6b1b7d3ddce3d822428f2c23f6b2f9fc");
  CHECK(check_extensions(key, kBase, 44) == Extensions::none);
  CHECK(check_extensions(key, kBase + kPad, 44) == Extensions::none);
  CHECK(check_extensions(key, kBase + kClass + kPad, 44) == Extensions::bare);
  CHECK(check_extensions(key, kBase + kClass + hmac + kClass, 44) == Extensions::wrong);
  CHECK(check_extensions(key, kBase + kClass + hmac + hmac, 44) == Extensions::wrong);
  CHECK(check_extensions(key, kBase + kClass + hmac + kPad + kPad, 44) == Extensions::wrong);
  CHECK(check_extensions(key, kBase + kClass + hmac + hex("80"), 44) == Extensions::wrong);
  CHECK(check_extensions(key, kBase + kClass + hex("80 08 0008 6b1b7d3ddce3d822"), 44) == Extensions::wrong);
}
