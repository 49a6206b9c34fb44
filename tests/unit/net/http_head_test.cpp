#include "net/http/http_head.hpp"

#include "catch.hpp"

using ecmp::net::field_values;
using ecmp::net::find_head_end;
using ecmp::net::inspect_head;
using ecmp::net::parse_target;

namespace {

constexpr std::size_t kMaxBody = 1000;

int refusal_of(const std::string& head) {
  return inspect_head(head, kMaxBody).refusal;
}

/// A good request with `lines` (each with its line end) added.
std::string with(const std::string& lines) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n";
}

}  // namespace

TEST_CASE("a head ends with its blank line, wherever the pieces were cut", "[http]") {
  const std::string head = with("A: b\r\n");
  CHECK(find_head_end(head + "GET") == head.size());
  for (std::size_t searched = 0; searched < head.size(); ++searched) {
    CHECK(find_head_end(head, searched) == head.size());
    CHECK(find_head_end(head.substr(0, searched), 0) == std::string::npos);
  }
}

TEST_CASE("fields of one name are one list, in the order of their lines", "[http]") {
  const std::string head =
      with("Accept: a/b;q=0.5\r\nX-Accept: no\r\nACCEPT:\t c/d \r\nAuthorization: Basic YTpi\r\naccept: e/%66\r\n");
  CHECK(field_values(head, "Accept") == "a/b;q=0.5, c/d, e/%66");
  CHECK(field_values(head, "authorization") == "Basic YTpi");
  CHECK(field_values(head, "If-None-Match").empty());
  CHECK(field_values("GET Accept:a HTTP/1.1\r\n\r\n", "Accept").empty());
  CHECK(field_values("", "Accept").empty());
}

TEST_CASE("the parser behind sees neither ranges nor codings nor connection options", "[http]") {
  const auto head =
      inspect_head(with("Range: bytes=0-,0-\r\nACCEPT-encoding: br\r\nAccept: text/plain\r\nIf-Range: x\r\n"
                        "Accept-Encoding: gzip;q=0.5\r\nConnection: Keep-Alive, CLOSE\r\n"),
                   kMaxBody);
  REQUIRE(head.refusal == 0);
  CHECK(head.forwarded == with("Accept: text/plain\r\n"));
  CHECK(head.accept_encoding == "br, gzip;q=0.5");
  CHECK(head.close);
}

TEST_CASE("a request that says in two ways where it ends is refused", "[http]") {
  CHECK(refusal_of(with("Content-Length: 5\r\n")) == 0);
  CHECK(refusal_of(with("Content-Length: 5\r\nContent-Length: 5\r\n")) == 400);
  CHECK(refusal_of(with("Content-Length: 5, 5\r\n")) == 400);
  CHECK(refusal_of(with("Content-Length: +5\r\n")) == 400);
  CHECK(refusal_of(with("Content-Length: 0x5\r\n")) == 400);
  CHECK(refusal_of(with("Content-Length:\r\n")) == 400);
  CHECK(refusal_of(with("Content-Length : 5\r\n")) == 400);
  CHECK(refusal_of(with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")) == 411);
  CHECK(refusal_of(with("Transfer-Encoding: identity\r\n")) == 411);
}

TEST_CASE("a head of a blank line alone is no request", "[http]") {
  CHECK(refusal_of("\r\n") == 400);
  CHECK(refusal_of("\r\n\r\n") == 400);
}

TEST_CASE("too much of anything is refused with its own status", "[http]") {
  CHECK(refusal_of(with("Content-Length: 1000\r\n")) == 0);
  CHECK(refusal_of(with("Content-Length: 1001\r\n")) == 413);
  CHECK(refusal_of(with("Content-Length: 99999999999999999999999999\r\n")) == 413);
  CHECK(refusal_of("GET /" + std::string(8000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n") == 414);
  CHECK(refusal_of(with("A: " + std::string(8000, 'a') + "\r\n")) == 431);
  std::string lines;
  for (int count = 0; count < 99; ++count)
    lines += "A: b\r\n";
  CHECK(refusal_of(with(lines)) == 0);
  CHECK(refusal_of(with(lines + "A: b\r\n")) == 431);
  CHECK(refusal_of(with("Content-Encoding: br\r\n")) == 415);
  CHECK(refusal_of(with("Expect: something\r\n")) == 417);
}

TEST_CASE("malformed heads are refused", "[http]") {
  CHECK(refusal_of(with("no colon\r\n")) == 400);
  CHECK(refusal_of(with(": no name\r\n")) == 400);
  CHECK(refusal_of(with("A: b\r\n folded: c\r\n")) == 400);
  CHECK(refusal_of(with("A: b\nB: c\r\n")) == 400);
  CHECK(refusal_of(with(std::string("A: b\0c\r\n", 8))) == 400);
  CHECK(refusal_of(with("H\xc3\xa4: b\r\n")) == 400);
  CHECK(refusal_of(with("A: \xc3\xa4\r\n")) == 0);
  CHECK(refusal_of(with("Host: b\r\n")) == 400);
  CHECK(refusal_of("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(refusal_of("GET / HTTP/1.0\r\n\r\n") == 0);
  CHECK(refusal_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
  CHECK(refusal_of("GET /\r\nHost: a\r\n\r\n") == 505);
  CHECK(refusal_of("GET  / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(refusal_of("GET /  HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(refusal_of("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(refusal_of("GET HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(refusal_of(" / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(refusal_of("G(T / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(refusal_of("GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(refusal_of(std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 28)) == 400);
}

TEST_CASE("HTTP/1.0 closes, and a body that is not there is not waited for", "[http]") {
  CHECK(inspect_head("GET / HTTP/1.0\r\n\r\n", kMaxBody).close);
  CHECK_FALSE(inspect_head(with(""), kMaxBody).close);
  CHECK_FALSE(inspect_head(with("Expect: 100-continue\r\n"), kMaxBody).expects_continue);
  CHECK(inspect_head(with("Expect: 100-Continue\r\nContent-Length: 1\r\n"), kMaxBody).expects_continue);
}

TEST_CASE("a target is split and decoded, parameters in their order", "[http]") {
  const auto target = parse_target("/a%20b/+?x=1&name[]=a%2Bb+c&x=&flag&&=v&d=%c3%A4");
  REQUIRE(target);
  CHECK(target->path == "/a b/+");
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  CHECK(target->query == Pairs{{"x", "1"}, {"name[]", "a+b c"}, {"x", ""}, {"flag", ""}, {"", "v"}, {"d", "\xc3\xa4"}});
  CHECK(parse_target("http://host:80/p?q=1")->path == "/p");
  CHECK(parse_target("HTTP://host")->path == "/");
  // RFC 9112 section 3.2.2: the authority of a target in absolute form counts in place of Host.
  CHECK(ecmp::net::authority_of("http://host:80/p?q=1") == "host:80");
  CHECK(ecmp::net::authority_of("HTTPS://host?q") == "host");
  CHECK_FALSE(ecmp::net::authority_of("/p?u=http://host/"));
  CHECK(parse_target("https://host?q=1")->query == Pairs{{"q", "1"}});
}

TEST_CASE("bad escapes and control characters in a target are refused", "[http]") {
  for (const char* bad :
       {"/%", "/%4", "/%zz", "/?a=%0", "/?a=%g0", "/%00", "/?a=%00", "/?%0a=1", "/?a=%7f", "/?a=%0d%0a"}) {
    INFO(bad);
    CHECK_FALSE(parse_target(bad));
  }
}

TEST_CASE("a method that the parser behind does not know is passed on as one that no route has", "[http]") {
  for (const std::string method : {"PROPFIND", "PURGE", "get", "X", "PRI", "M-SEARCH"}) {
    const auto head = inspect_head(method + " /paths?limit=1 HTTP/1.1\r\nHost: a\r\n\r\n", kMaxBody);
    CHECK(head.refusal == 0);
    CHECK(head.forwarded == "TRACE /paths?limit=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  for (const std::string method : {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}) {
    const std::string request = method + " / HTTP/1.1\r\nHost: a\r\n\r\n";
    CHECK(inspect_head(request, kMaxBody).forwarded == request);
  }
  CHECK(refusal_of("G(T / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
}

TEST_CASE("a Host header names one host, and a port of digits", "[http]") {
  for (const std::string host : {"", "a", "a:80", "a:", "[::1]", "[::1]:80", "[fe80::1%25eth0]:80", "127.0.0.1:10815"})
    CHECK(refusal_of("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n") == 0);
  for (const std::string host : {"a:b", "a:80, b", "127.0.0.1:80@b", "a b", "[::1]:x", "a/b", "::1"})
    CHECK(refusal_of("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n") == 400);
}
