#include "net/listen_address.hpp"

#include "catch.hpp"

using ecmp::net::parse_listen_address;

TEST_CASE("listen addresses are read as they are written", "[listen_address]") {
  struct Row {
    const char* text;
    const char* host;
    std::uint16_t port;
    bool is_address;
  };
  const Row rows[] = {{":10815", "", 10815, false},
                      {"0.0.0.0:1", "0.0.0.0", 1, true},
                      {"[::]:1", "::", 1, true},
                      {"[2001:db8::1]:65535", "2001:db8::1", 65535, true},
                      {"localhost:0", "localhost", 0, false},
                      {"my-host_1.example:80", "my-host_1.example", 80, false}};
  for (const Row& row : rows) {
    INFO(row.text);
    const auto parsed = parse_listen_address(row.text);
    REQUIRE(parsed.ok());
    CHECK(parsed->host == row.host);
    CHECK(parsed->port == row.port);
    CHECK(parsed->address.has_value() == row.is_address);
    CHECK(to_string(*parsed) == row.text);
  }
}

TEST_CASE("a bad listen address is refused with one line that quotes it", "[listen_address]") {
  const std::pair<std::string, std::string> rows[] = {{"", "port is missing"},
                                                      {"10815", "port is missing"},
                                                      {":", "the port is not"},
                                                      {":65536", "the port is not"},
                                                      {":-1", "the port is not"},
                                                      {":80x", "the port is not"},
                                                      {": 80", "the port is not"},
                                                      {"::1:80", "in brackets"},
                                                      {"[::1]", "after it is missing"},
                                                      {"[::1:80", "after it is missing"},
                                                      {"[127.0.0.1]:80", "not an IPv6"},
                                                      {"[fe80::1%eth0]:80", "not an IPv6"},
                                                      {"1.2.3:80", "neither an address"},
                                                      {"1.2.3.4.5:80", "neither an address"},
                                                      {"a b:80", "neither an address"},
                                                      {std::string("a\0b:80", 6), "neither an address"},
                                                      {"ho\nst:80", "neither an address"},
                                                      {std::string(300, 'a') + ":80", "neither an address"}};
  for (const auto& [text, what] : rows) {
    INFO(text);
    const auto parsed = parse_listen_address(text);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().find(what) != std::string::npos);
    CHECK(parsed.error().find('\n') == std::string::npos);
    CHECK(parsed.error().size() < 200);
  }
}
