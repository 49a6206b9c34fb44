#include "stamp/key.hpp"

#include "catch.hpp"
#include "unit/stamp/stamp_bytes.hpp"

using namespace ecmp::stamp;
using namespace ecmp::stamp::test;

TEST_CASE("A key is the first line of its file, in hexadecimal or as it is", "[stamp]") {
  const Bytes key = hex("00112233445566778899aabbccddeeff");
  CHECK(*read_key("00112233445566778899aabbccddeeff\n") == key);
  CHECK(*read_key("00112233445566778899AABBCCDDEEFF") == key);
  CHECK(*read_key("00112233445566778899aabbccddeeff\r\nmore\n") == key);
  CHECK(*read_key("a key of more than 16 bytes\n") == text("a key of more than 16 bytes"));
  // An odd number of digits is no hexadecimal.
  CHECK(*read_key("00112233445566778899aabbccddeeff0") == text("00112233445566778899aabbccddeeff0"));
}

TEST_CASE("A key that is too short is refused", "[stamp]") {
  CHECK(read_key("").error() == "a key of 0 bytes: expected 16 at least");
  CHECK(read_key("\n0011223344556677889900112233445566\n").error() == "a key of 0 bytes: expected 16 at least");
  CHECK(read_key("00112233445566778899aabbccddee\n").error() == "a key of 15 bytes: expected 16 at least");
  CHECK(read_key("fifteen letters").error() == "a key of 15 bytes: expected 16 at least");
}
