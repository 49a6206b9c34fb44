// Who gets a connection when there are too many, and who has to go.
#include <ctime>
#include <list>

#include "catch.hpp"
#include "net/http/client_place.hpp"
#include "unit/net/http_test_server.hpp"

using ecmp::net::HttpLimits;
using ecmp::net::HttpRequest;
using ecmp::net::HttpResponse;
using ecmp::test::add_fine;
using ecmp::test::RawClient;
using ecmp::test::TestServer;
using std::chrono::milliseconds;

TEST_CASE("the share of an address binds only while places are short", "[http]") {
  HttpLimits limits;
  limits.max_connections = 8;
  limits.max_connections_per_address = 2;
  TestServer server(limits);
  add_fine(server);
  server.start();
  std::list<RawClient> clients;
  for (int count = 0; count < 6; ++count)  // three times its share: two places of eight are left then
    REQUIRE(clients.emplace_back(server.port()).get("/").status == 200);
  CHECK(RawClient(server.port()).answer().body == "too many connections from this address\n");
  CHECK(server->counters().refused_address == 1);
  clients.pop_back();
  REQUIRE(server.await([](const auto& counters) { return counters.connections_open == 5; }));
  CHECK(RawClient(server.port()).get("/").status == 200);
}

TEST_CASE("what is reserved is served when half-sent requests have all places", "[http]") {
  HttpLimits limits;
  limits.max_connections = 8;
  limits.head_timeout = std::chrono::hours(1);
  TestServer server(limits);
  add_fine(server);
  server->route("GET", "/-/healthy", [](const HttpRequest&) { return HttpResponse::text(200, "healthy"); });
  server->reserve("/-/healthy");
  server.start();
  std::list<RawClient> stuck;
  for (int count = 0; count < 8; ++count)
    stuck.emplace_back(server.port()).send("GET / HT");
  REQUIRE(server.await([](const auto& counters) { return counters.connections_open == 8; }));
  // A client may have half of the reserved places, and one is free again a moment after its answer.
  const auto is_served = [&] {
    return server.await(
        [&](const auto&) { return RawClient(server.port()).get("/-/healthy?x=1").body == "healthy\n"; });
  };
  for (int count = 0; count < 20; ++count)
    REQUIRE(is_served());
  // A reserved place is for one request: kept open, two clients could hold all of them.
  REQUIRE(server.await([&](const auto&) {
    RawClient client(server.port());
    const auto once = client.get("/-/healthy");
    return once.status == 200 && once.header("connection") == "close" && client.rest().empty();
  }));
  RawClient other(server.port());
  other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(other.answer().status == 503);
}

TEST_CASE("health checks that are half sent give their reserved places to one that is whole", "[http]") {
  HttpLimits limits;
  limits.max_connections = 4;
  limits.head_timeout = limits.reserved_timeout = std::chrono::hours(1);
  TestServer server(limits);
  add_fine(server);
  server->route("GET", "/-/healthy", [](const HttpRequest&) { return HttpResponse::text(200, "healthy"); });
  server->reserve("/-/healthy");
  server.start();
  std::list<RawClient> stuck;
  for (int count = 0; count < 4; ++count)
    stuck.emplace_back(server.port()).send("GET / HT");
  REQUIRE(server.await([](const auto& counters) { return counters.connections_open == 4; }));
  // Half of the reserved places to each of two clients, neither of which finishes its request: the one that asks, too.
  for (const char* const source : {"127.0.0.1", "127.0.0.2"})
    for (int count = 0; count < 4; ++count)
      stuck.emplace_back(server.port(), 0, source).send("GET /-/healthy HTTP/1.1\r\nHost: a\r\nX: ");
  REQUIRE(server.await([](const auto& counters) { return counters.connections_accepted == 12; }));
  for (int count = 0; count < 6; ++count)
    REQUIRE(server.await([&](const auto&) { return RawClient(server.port()).get("/-/healthy").body == "healthy\n"; }));
}

TEST_CASE("of several clients that stall, the one with the most connections loses one", "[http]") {
  HttpLimits limits;
  limits.max_connections = 6;
  limits.max_connections_per_address = 0;
  limits.head_timeout = std::chrono::hours(1);
  TestServer server(limits);
  add_fine(server);
  server.start();
  // Those who have stalled the longest have fewer.
  std::list<RawClient> few;
  std::list<RawClient> many;
  for (int count = 0; count < 2; ++count)
    few.emplace_back(server.port(), 0, "127.0.0.3").send("GET / HTTP/1.1\r\nHost");
  REQUIRE(server.await([](const auto& counters) { return counters.connections_open == 2; }));
  for (int count = 0; count < 4; ++count)
    many.emplace_back(server.port()).send("GET / HTTP/1.1\r\nHost");
  REQUIRE(server.await([](const auto& counters) { return counters.connections_open == 6; }));
  const auto stalled = ecmp::net::monotonic_now() + ecmp::net::ClientPlace::kStalled + milliseconds(200);
  REQUIRE(server.await([&](const auto&) { return ecmp::net::monotonic_now() > stalled; }));
  CHECK(RawClient(server.port(), 0, "127.0.0.2").get("/").status == 200);
  CHECK(server->counters().evicted == 1);
  for (RawClient& client : few) {
    client.send(": a\r\n\r\n");
    CHECK(client.answer().status == 200);
  }
}

TEST_CASE("half a request that is to be refused keeps no processor busy until then", "[http]") {
  HttpLimits limits;
  limits.max_connections = 1;
  limits.max_connections_per_address = 0;
  limits.head_timeout = std::chrono::hours(1);
  TestServer server(limits);
  add_fine(server);
  server->reserve("/-/healthy");
  server.start();
  RawClient holder(server.port());
  holder.send("GET / HT");
  REQUIRE(server.await([](const auto& counters) { return counters.connections_open == 1; }));
  const std::clock_t before = std::clock();
  // Each is waited for as long as it may yet be for what is reserved, some 0.3 s.
  for (int count = 0; count < 4; ++count) {
    RawClient half(server.port());
    half.send("GET /-/heal");
    CHECK(half.answer().status == 503);
  }
  CHECK(std::clock() - before < CLOCKS_PER_SEC / 8);
}

TEST_CASE("clients are IPv4 addresses and networks of 64 bits", "[http]") {
  const auto client = [](const char* text) { return ecmp::net::client_of(*ecmp::IpAddress::parse(text)).to_string(); };
  CHECK(client("192.0.2.7") == "192.0.2.7");
  CHECK(client("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::");
}
