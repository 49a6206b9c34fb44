#include "config/host.hpp"

#include "catch.hpp"

using ecmp::config::parse_host;

namespace {

std::string name(std::string_view text) {
  const auto host = parse_host(text);
  return host.ok() ? host->name : host.error();
}

}  // namespace

TEST_CASE("a destination is an address or a name, and what else is written gets a sentence", "[config]") {
  CHECK(parse_host("192.0.2.1")->address.has_value());
  CHECK(parse_host("2001:db8::1")->address.has_value());
  CHECK_FALSE(parse_host("a.example")->address.has_value());
  CHECK(name("A.Example.") == "A.Example.");
  CHECK(name("fe80::1%eth0") == "expected an address without a zone: use the key interface for that");
  CHECK(name("[2001:db8::1]") == "expected an IPv6 address without brackets");
  CHECK(name("a.example:443") == "expected an IPv6 address, or a host without a port: use the key port");
  CHECK(name("http://a.example/") == "expected a host, not a prefix or a URL");
  CHECK(name("192.0.2.0/24") == "expected a host, not a prefix or a URL");
  CHECK(name("192.0.02.1") == "expected four numbers from 0 to 255, for an IPv4 address");
  CHECK(name("::ffff:192.0.2.1") == "an IPv4-mapped address: write the IPv4 address");
  CHECK(name("::ffff:c000:201") == "an IPv4-mapped address: write the IPv4 address");
  CHECK(name("0.0.0.0") == "the unspecified address cannot be traced");
  CHECK(name("ff02::1") == "a multicast address cannot be traced");
  CHECK(name("255.255.255.255") == "the broadcast address cannot be traced");
  CHECK(name("") == "expected an address or a host name");
}

TEST_CASE("an address of one link needs the interface that the link is behind", "[config]") {
  const auto wrong = [](const char* address, std::string_view interface) {
    return std::string(ecmp::config::wrong_with_link(ecmp::IpAddress::parse(address).value(), interface));
  };
  CHECK(wrong("fe80::1", "") == "a link-local address: say which interface it is behind");
  CHECK(wrong("febf::1", "") == "a link-local address: say which interface it is behind");
  CHECK(wrong("fe80::1", "eth0").empty());
  CHECK(wrong("fec0::1", "").empty());
  CHECK(wrong("2001:db8::1", "").empty());
  CHECK(wrong("169.254.0.1", "").empty());  // routed like any other IPv4 address
}

TEST_CASE("internationalised names become what the DNS has of them", "[config]") {
  // The forms are those of UTS 46, non-transitional, as browsers and registries show them.
  CHECK(name("b\xc3\xbc"
             "cher.example") == "xn--bcher-kva.example");
  CHECK(name("B\xc3\x9c"
             "CHER.example") == "xn--bcher-kva.example");
  CHECK(name("bu\xcc\x88"
             "cher.example") == "xn--bcher-kva.example");  // u and a combining diaeresis
  CHECK(name("fa\xc3\x9f.example") == "xn--fa-hia.example");
  CHECK(name("\xe4\xbe\x8b\xe3\x81\x88\xe3\x80\x82\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88") == "xn--r8jz45g.xn--zckzah");
  // Digits of full width are digits, of an address, too: no way around what is refused.
  CHECK(parse_host("\xef\xbc\x91"
                   "92.0.2.1")
            ->address == ecmp::IpAddress::parse("192.0.2.1"));
  CHECK(name("\xef\xbc\x92"
             "24.0.0.1") == "a multicast address cannot be traced");
  CHECK_FALSE(parse_host("\xff.example").ok());
  CHECK_FALSE(parse_host("a\xe2\x80\xae.example").ok());  // right-to-left override
  CHECK_FALSE(parse_host("b\xc3\xbc"
                         "cher.example:443")
                  .ok());
}
