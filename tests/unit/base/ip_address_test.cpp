#include "base/ip_address.hpp"

#include "catch.hpp"

using ecmp::IpAddress;

TEST_CASE("addresses are written as they are read", "[base]") {
  for (const char* text : {"192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::", "::1", "fe80::1:0:0:1"}) {
    CAPTURE(text);
    const auto address = IpAddress::parse(text);
    REQUIRE(address);
    CHECK(address->to_string() == text);
  }
}

TEST_CASE("what is not an address is refused", "[base]") {
  for (const char* text : {"", "192.0.2", "192.0.2.256", "1.2.3.4 ", "01.2.3.4.5", "fe80::1%eth0", "[::1]",
                           "10.0.0.0/8", "2001:db8::g", "example.com", ":::"}) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text));
  }
  CHECK_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
}

TEST_CASE("address classes", "[base]") {
  CHECK(IpAddress{}.is_unspecified());
  CHECK(IpAddress::parse("127.1.2.3")->is_loopback());
  CHECK(IpAddress::parse("::1")->is_loopback());
  CHECK_FALSE(IpAddress::parse("::2")->is_loopback());
  CHECK(IpAddress::parse("224.0.0.1")->is_multicast());
  CHECK(IpAddress::parse("ff02::1")->is_multicast());
  CHECK(IpAddress::parse("169.254.9.9")->is_link_local());
  CHECK(IpAddress::parse("fe80::1")->is_link_local());
  CHECK_FALSE(IpAddress::parse("fec0::1")->is_link_local());
  CHECK(IpAddress::v4(0xc0000201).to_string() == "192.0.2.1");
}
