#include "base/url.hpp"

#include "catch.hpp"

using namespace ecmp;

TEST_CASE("a URL is taken apart", "[url]") {
  const auto url = parse_url("https://us%65r:p%3aw@h.example:8443/a/b?c=d");
  REQUIRE(url.ok());
  CHECK(url->tls);
  CHECK(url->credentials == "user:p:w");
  CHECK(url->host == "h.example");
  CHECK(url->port == 8443);
  CHECK(url->target == "/a/b?c=d");
  CHECK(url->authority() == "h.example:8443");
  CHECK(parse_url("http://h")->target == "/");
  CHECK(parse_url("http://h?x")->target == "/?x");
  CHECK(parse_url("http://h/")->port == 80);
  CHECK(parse_url("https://h/")->port == 443);
  CHECK(parse_url("http://[2001:db8::1]:81/")->host == "2001:db8::1");
  CHECK(parse_url("http://[2001:db8::1]:81/")->authority() == "[2001:db8::1]:81");
  CHECK(parse_url("http://[2001:db8::1]/")->authority() == "[2001:db8::1]");
}

TEST_CASE("what is no URL is refused", "[url]") {
  for (const char* text :
       {"", "h", "ftp://h/", "http:/h", "http://", "http:///x", "http://h:/", "http://h:0/", "http://h:65536/",
        "http://h:1x/", "http://[::1/", "http://[::1]x/", "http://[1.2.3.4]/", "http://h/#f", "http://h/ x",
        "http://h\r\n/", "http://%zz@h/", "http://a b/", "http://\xc3\xa9/"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_url(text).ok());
  }
  CHECK_FALSE(parse_url("http://h/" + std::string(3000, 'x')).ok());
}

TEST_CASE("of a URL scheme, host and port are shown, whatever surrounds them", "[url]") {
  CHECK(masked_url("http://u:p@h/x") == "http://<secret>@h/<secret>");
  CHECK(masked_url("https://u:p:q@r@h") == "https://<secret>@h");
  CHECK(masked_url("https://token@h:8443") == "https://<secret>@h:8443");
  CHECK(masked_url("http://u:p/q@h/x?y") == "http://<secret>@h/<secret>");
  CHECK(masked_url("http://h:80/") == "http://h:80/");
  CHECK(masked_url("http://h") == "http://h");
  CHECK(masked_url("http://h/hooks/T0KEN") == "http://h/<secret>");
  CHECK(masked_url("http://[2001:db8::1]:81?token=x") == "http://[2001:db8::1]:81/<secret>");
  CHECK(masked_url("ftp://u:p@h/x") == "ftp://<secret>@h/<secret>");
  CHECK(masked_url("nonsense:x@y") == "<secret>@y");
}

TEST_CASE("URLs within a text are masked up to the quote that they began with", "[url]") {
  CHECK(masked_urls("") == "");
  CHECK(masked_urls("no URL: a://") == "no URL: a://");
  CHECK(masked_urls("x = [\"http://u:p'q r@h/\", 'https://h/t']") ==
        "x = [\"http://<secret>@h/\", 'https://h/<secret>']");
  CHECK(masked_urls("x = http://u:p q@h/t\ny") == "x = http://<secret>@h/<secret>\ny");
}
