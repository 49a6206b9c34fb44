#include "net/http/http_origin.hpp"

#include "catch.hpp"
#include "unit/net/http_test_server.hpp"

using ecmp::net::HttpRequest;
using ecmp::net::HttpResponse;
using ecmp::test::RawClient;
using ecmp::test::TestServer;

TEST_CASE("on a loopback address a request must name this machine", "[http]") {
  TestServer server;
  server->route("GET", "/", [](const HttpRequest&) { return HttpResponse::text(200, "fine"); });
  server->check_hosts();
  server->set_allowed_hosts({"probe.example.net"});
  server.start();
  const auto status = [&server](const std::string& host) {
    RawClient client(server.port());
    client.send("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return client.answer().status;
  };
  for (const char* fine : {"127.0.0.1", "127.0.0.1:10815", "[::1]:10815", "[2001:db8::1]", "192.0.2.1", "localhost",
                           "LOCALHOST:1", "localhost.", "Probe.Example.NET:10815", ""})
    CHECK(status(fine) == 200);
  for (const char* wrong : {"rebound.example", "rebound.example:10815", "localhost.example", "127.0.0.1.example",
                            "probe.example.net.example", "[::1", "1270.0.1"})
    CHECK(status(wrong) == 403);
  RawClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n");
  CHECK(client.answer().body.find("web.allowed_hosts") != std::string::npos);
  // A target in absolute form says itself which host it means.
  RawClient absolute(server.port());
  absolute.send("GET http://rebound.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(absolute.answer().status == 403);
}

TEST_CASE("a listener on all addresses looks at the names by which this machine asks", "[http]") {
  TestServer server({}, "0.0.0.0");
  server->route("GET", "/", [](const HttpRequest&) { return HttpResponse::text(200, "fine"); });
  server->check_hosts({"laptop", "laptop.example.org"});
  server->set_allowed_hosts({"probe.example.net"});
  server.start();
  const auto status = [&server](const std::string& host) {
    RawClient client(server.port());
    client.send("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return client.answer().status;
  };
  for (const char* fine : {"127.0.0.1:10815", "localhost", "laptop:10815", "Laptop.example.org", "probe.example.net"})
    CHECK(status(fine) == 200);
  for (const char* wrong : {"rebound.example", "laptop.rebound.example", "example.org"})
    CHECK(status(wrong) == 403);
}

TEST_CASE("this machine's names are its host name and what stands beside it in the file of hosts", "[http]") {
  using ecmp::net::HostNames;
  using ecmp::net::own_host_names;
  const std::string hosts =
      "127.0.0.1 localhost\n127.0.1.1\tlaptop.example.org  laptop # here\n0.0.0.0 adverts.example\n192.0.2.1 "
      "other\n\n#";
  CHECK(own_host_names("laptop", hosts) == HostNames{"laptop", "laptop.example.org", "laptop"});
  CHECK(own_host_names("server", hosts) == HostNames{"server"});
  CHECK(own_host_names("server", "") == HostNames{"server"});
  CHECK(own_host_names("", hosts).empty());
  CHECK(own_host_names("192.0.2.1", hosts) == HostNames{"192.0.2.1"});
}

TEST_CASE("a request for another site is known by what browsers say", "[http]") {
  using ecmp::net::is_cross_site;
  const ecmp::net::HostNames allowed = {"front.example"};
  // Neither curl nor Prometheus sends either of them.
  CHECK_FALSE(is_cross_site("", "", "127.0.0.1:10815", allowed));
  CHECK_FALSE(is_cross_site("same-origin", "http://127.0.0.1:10815", "127.0.0.1:10815", allowed));
  CHECK_FALSE(is_cross_site("none", "", "127.0.0.1:10815", allowed));
  CHECK_FALSE(is_cross_site("", "http://127.0.0.1:10815", "127.0.0.1:10815", allowed));
  CHECK_FALSE(is_cross_site("", "https://front.example", "127.0.0.1:10815", allowed));
  CHECK(is_cross_site("cross-site", "", "127.0.0.1:10815", allowed));
  CHECK(is_cross_site("same-site", "", "127.0.0.1:10815", allowed));
  CHECK(is_cross_site("nonsense", "", "127.0.0.1:10815", allowed));
  CHECK(is_cross_site("", "null", "127.0.0.1:10815", allowed));
  CHECK(is_cross_site("", "http://127.0.0.1:9090", "127.0.0.1:10815", allowed));
  CHECK(is_cross_site("", "https://evil.example", "127.0.0.1:10815", allowed));
}
