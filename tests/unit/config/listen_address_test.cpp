#include "catch.hpp"
#include "config/config.hpp"

using ecmp::config::parse_listen_address;

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

TEST_CASE("a unix socket is named by its path", "[listen_address]") {
  const auto parsed = parse_listen_address("unix:/run/ecmp_exporter/web.sock");
  REQUIRE(parsed.ok());
  CHECK(parsed->path == "/run/ecmp_exporter/web.sock");
  CHECK(parsed->host.empty());
  CHECK(to_string(*parsed) == "unix:/run/ecmp_exporter/web.sock");
  CHECK(parse_listen_address("unix:/" + std::string(106, 'a')).ok());
  // With a port it is a host that is called so.
  CHECK(parse_listen_address("unix:80")->host == "unix");
}

TEST_CASE("a bad listen address is refused with one line", "[listen_address]") {
  const std::pair<std::string, std::string> rows[] = {{"", "expected an address"},
                                                      {"10815", "expected an address"},
                                                      {":", "expected a port"},
                                                      {":65536", "expected a port"},
                                                      {":-1", "expected a port"},
                                                      {":80x", "expected a port"},
                                                      {": 80", "expected a port"},
                                                      {"::1:80", "needs brackets"},
                                                      {"[::1]", "expected a port"},
                                                      {"[::1:80", "expected an address"},
                                                      {"[127.0.0.1]:80", "not an IPv6"},
                                                      {"[fe80::1%eth0]:80", "not an IPv6"},
                                                      {"1.2.3:80", "before the colon"},
                                                      {"1.2.3.4.5:80", "before the colon"},
                                                      {"a b:80", "before the colon"},
                                                      {std::string("a\0b:80", 6), "before the colon"},
                                                      {"ho\nst:80", "before the colon"},
                                                      {std::string(300, 'a') + ":80", "before the colon"},
                                                      {"unix:", "expected the path"},
                                                      {"unix:web.sock", "expected the path"},
                                                      {"unix:/" + std::string(107, 'a'), "at most 107"},
                                                      {"unix:/run/", "a directory"},
                                                      {"unix:/a\nb", "control character"}};
  for (const auto& [text, what] : rows) {
    INFO(text);
    const auto parsed = parse_listen_address(text);
    REQUIRE_FALSE(parsed.ok());
    CHECK_THAT(parsed.error(), Catch::Contains(what));
    CHECK(parsed.error().find('\n') == std::string::npos);
    CHECK(parsed.error().size() < 250);
  }
}
