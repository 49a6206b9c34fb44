#include <list>
#include <memory>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "net/http/http_server.hpp"
#include "unit/net/http_test_server.hpp"

using ecmp::net::BodyStream;
using ecmp::net::HttpLimits;
using ecmp::net::HttpRequest;
using ecmp::net::HttpResponse;
using ecmp::test::add_fine;
using ecmp::test::RawClient;
using ecmp::test::TestServer;
using std::chrono::milliseconds;

namespace {

/// Never ends, and never waits.
class EndlessStream : public BodyStream {
 public:
  Next next(std::string& out, ecmp::Instant /*deadline*/) override {
    out.append(65536, 'x');
    return Next::more;
  }
};

/// Has never anything to say.
class SilentStream : public BodyStream {
 public:
  Next next(std::string& /*out*/, ecmp::Instant deadline) override {
    while (ecmp::net::monotonic_now() < deadline)
      std::this_thread::yield();
    return Next::idle;
  }
};

void add_streams(TestServer& server) {
  server->route("GET", "/endless", [](const HttpRequest&) {
    HttpResponse response;
    response.stream = std::make_unique<EndlessStream>();
    return response;
  });
  server->route("GET", "/silent", [](const HttpRequest&) {
    HttpResponse response;
    response.stream = std::make_unique<SilentStream>();
    return response;
  });
}

}  // namespace

TEST_CASE("a head that comes too slowly is answered with 408 and closed", "[http]") {
  HttpLimits limits;
  limits.head_timeout = milliseconds(300);
  TestServer server(limits);
  add_fine(server);
  server.start();
  RawClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
  // A byte now and then does not move the deadline, which counts from the first one.
  while (!client.readable(milliseconds(20)))
    REQUIRE(client.send("y"));
  const auto answer = client.answer();
  CHECK(answer.status == 408);
  CHECK(answer.body == "request timed out\n");
  CHECK(answer.header("connection") == "close");
  CHECK(client.rest().empty());
  CHECK(server->counters().read_timeouts == 1);
}

TEST_CASE("a client that says nothing is closed without a word", "[http]") {
  HttpLimits limits;
  limits.head_timeout = milliseconds(50);
  TestServer server(limits);
  add_fine(server);
  server.start();
  CHECK(RawClient(server.port()).rest().empty());
  CHECK(server->counters().read_timeouts == 1);
}

TEST_CASE("an idle connection is closed after its time", "[http]") {
  HttpLimits limits;
  limits.idle_timeout = milliseconds(50);
  TestServer server(limits);
  add_fine(server);
  server.start();
  RawClient client(server.port());
  CHECK(client.get("/").status == 200);
  CHECK(client.rest().empty());
}

TEST_CASE("an endless request line is cut at the budget", "[http]") {
  TestServer server;
  add_fine(server);
  server.start();
  RawClient client(server.port());
  client.send("GET /" + std::string(16 * 1024, 'a'));
  const auto answer = client.answer();
  CHECK(answer.status == 414);
  CHECK(answer.header("connection") == "close");
  CHECK(client.rest().empty());
}

TEST_CASE("too many and too long headers are cut at the budget", "[http]") {
  TestServer server;
  add_fine(server);
  server.start();
  RawClient many(server.port());
  std::string lines = "GET / HTTP/1.1\r\nHost: a\r\n";
  while (lines.size() < 16 * 1024)
    lines += "X-Something: or other\r\n";
  many.send(lines);
  CHECK(many.answer().status == 431);
  RawClient small(server.port());
  std::string short_lines;
  for (int count = 0; count < 200; ++count)
    short_lines += "A: b\r\n";
  CHECK(small.get("/", short_lines).status == 431);
  RawClient within(server.port());
  CHECK(within.get("/", "X: " + std::string(7000, 'a') + "\r\n").status == 200);
}

TEST_CASE("a body too large is refused before it is read", "[http]") {
  TestServer server;
  server->route("POST", "/", [](const HttpRequest& request) {
    return HttpResponse::text(200, std::to_string(request.body.size()));
  });
  server.start();
  const auto post = [&server](const std::string& headers, const std::string& body) {
    RawClient client(server.port());
    client.send("POST / HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n" + body);
    return client.answer();
  };
  CHECK(post("Content-Length: 65536\r\n", std::string(65536, 'x')).body == "65536\n");
  CHECK(post("Content-Length: 65537\r\n", std::string(65537, 'x')).status == 413);
  CHECK(post("Content-Length: 99999999999\r\n", "").status == 413);
  CHECK(post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n").status == 411);
  CHECK(post("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "x").status == 415);
  CHECK(post("Expect: 100-continue\r\nContent-Length: 99999999999\r\n", "").status == 413);

  RawClient polite(server.port());
  polite.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  CHECK(polite.answer().status == 100);
  polite.send("hello");
  CHECK(polite.answer().body == "5\n");
}

TEST_CASE("a body that does not come is not waited for without end", "[http]") {
  HttpLimits limits;
  limits.body_timeout = milliseconds(50);
  TestServer server(limits);
  add_fine(server);
  server.start();
  RawClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell");
  CHECK(client.answer().status == 408);
}

TEST_CASE("bad escapes and control characters in the URL are a 400", "[http]") {
  TestServer server;
  add_fine(server);
  server.start();
  RawClient client(server.port());
  for (const std::string target : {"/?a=%", "/?a=%zz", "/?a=%00b", "/%00", "/?a=%0d%0aSet-Cookie:%20x"}) {
    INFO(target);
    const auto answer = client.get(target);
    CHECK(answer.status == 400);
    CHECK(answer.body == "bad escape or control character in the URL\n");
  }
  for (const std::string& request :
       {std::string("nonsense\r\n\r\n"), std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 28),
        std::string("F(O / HTTP/1.1\r\nHost: a\r\n\r\n"), std::string("GET  /  HTTP/1.1\r\nHost: a\r\n\r\n")}) {
    INFO(request);
    RawClient rude(server.port());
    rude.send(request);
    const auto answer = rude.answer();
    CHECK((answer.status == 400 || answer.status == 505));
    CHECK(answer.body.find('\n') == answer.body.size() - 1);
    CHECK(rude.rest().empty());
  }
}

TEST_CASE("any other method is a 405 that names the right ones, and what follows it is read as a request", "[http]") {
  TestServer server;
  add_fine(server);
  server.start();
  RawClient client(server.port());
  for (const std::string method : {"PROPFIND", "PURGE", "get", "X", "TRACE"}) {
    INFO(method);
    client.send(method + " / HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto answer = client.answer();
    CHECK(answer.status == 405);
    CHECK(answer.header("allow") == "GET, HEAD");
  }
  client.send("PROPFIND /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.answer().status == 404);
  CHECK(client.get("/").status == 200);
}

TEST_CASE("idle and half-open clients block nobody", "[http]") {
  TestServer server;
  add_fine(server);
  server.start();
  std::list<RawClient> others;
  for (int count = 0; count < 60; ++count) {
    RawClient& other = others.emplace_back(server.port());
    if (count % 3 == 1) other.send("GET / HT");
    if (count % 3 == 2) REQUIRE(other.get("/").status == 200);
  }
  CHECK(server.await([](const auto& counters) { return counters.connections_open == 60; }));
  CHECK(RawClient(server.port()).get("/").status == 200);
}

TEST_CASE("beyond the bound a connection is refused with 503, and a freed place is used again", "[http]") {
  HttpLimits limits;
  limits.max_connections = 3;
  limits.idle_when_crowded = std::chrono::hours(1);
  TestServer server(limits);
  add_fine(server);
  server.start();
  std::list<RawClient> clients;
  for (int count = 0; count < 3; ++count)
    REQUIRE(clients.emplace_back(server.port()).get("/").status == 200);

  RawClient refused(server.port());
  refused.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto answer = refused.answer();
  CHECK(answer.status == 503);
  CHECK(answer.body == "too many connections\n");
  CHECK(answer.header("connection") == "close");
  CHECK(refused.rest().empty());
  CHECK(server->counters().refused_full == 1);
  CHECK(clients.front().get("/").status == 200);

  clients.pop_back();
  REQUIRE(server.await([](const auto& counters) { return counters.connections_open == 2; }));
  CHECK(RawClient(server.port()).get("/").status == 200);
  CHECK(server->counters().connections_accepted == 4);
}

TEST_CASE("idle connections give way when most places are taken", "[http]") {
  HttpLimits limits;
  limits.max_connections = 4;
  limits.idle_when_crowded = milliseconds(50);
  TestServer server(limits);
  add_fine(server);
  server.start();
  std::list<RawClient> clients;
  for (int count = 0; count < 3; ++count)
    REQUIRE(clients.emplace_back(server.port()).get("/").status == 200);
  CHECK(clients.front().readable(milliseconds(200)) == false);  // three of four are not most of them yet
  REQUIRE(clients.emplace_back(server.port()).get("/").status == 200);
  CHECK(server.await([](const auto& counters) { return counters.idle_cut > 0; }));
  CHECK(server.await([](const auto& counters) { return counters.connections_open <= 3; }));
  CHECK(RawClient(server.port()).get("/").status == 200);
}

TEST_CASE("a client with few connections takes the place of one that stalls", "[http]") {
  HttpLimits limits;
  limits.max_connections = 6;
  limits.max_connections_per_address = 0;
  limits.head_timeout = limits.write_timeout = std::chrono::hours(1);
  TestServer server(limits);
  add_fine(server);
  add_streams(server);
  server.start();
  std::list<RawClient> many;
  for (int count = 0; count < 3; ++count)
    many.emplace_back(server.port()).send("GET / HT");
  for (int count = 0; count < 3; ++count)
    many.emplace_back(server.port(), 4096).send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(server.await([](const auto& counters) { return counters.connections_open == 6; }));
  CHECK(RawClient(server.port(), 0, "127.0.0.2").answer().status == 503);  // nobody has stalled for long yet
  const auto stalled = ecmp::net::monotonic_now() + ecmp::net::ClientPlace::kStalled + milliseconds(200);
  REQUIRE(server.await([&](const auto&) { return ecmp::net::monotonic_now() > stalled; }));
  // Half a request goes first, and is told so; then come the readers.
  for (int count = 0; count < 5; ++count) {
    CAPTURE(count);
    CHECK(RawClient(server.port(), 0, "127.0.0.2").get("/").status == 200);
    CHECK(server->counters().evicted == static_cast<std::uint64_t>(count) + 1);
    REQUIRE(server.await([](const auto& counters) { return counters.connections_open <= 5; }));
    many.emplace_back(server.port(), 4096).send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(server.await([](const auto& counters) { return counters.connections_open == 6; }));
  }
  CHECK(many.front().answer().body == "too many connections: this one kept others waiting\n");
}

TEST_CASE("many refused clients that stay are let go", "[http]") {
  HttpLimits limits;
  limits.max_connections = 0;
  TestServer server(limits);
  server.start();
  std::list<RawClient> clients;
  for (int count = 0; count < 100; ++count)
    clients.emplace_back(server.port());
  for (RawClient& client : clients)
    CHECK(client.answer().status == 503);
  CHECK(server->counters().refused_full == 100);
}

TEST_CASE("of a whole answer a reader must take a least rate, however it spreads the bytes", "[http]") {
  using std::chrono::seconds;
  const ecmp::Instant begin{std::chrono::hours(1)};
  ecmp::net::SendPace pace;
  pace.begin(seconds(10));
  CHECK(pace.wait_begins(begin) == begin + seconds(10));
  pace.wait_ends(begin + seconds(9));
  // Nine bytes in nine seconds: what is left is the tenth, and what nine bytes are worth.
  pace.took(9);
  CHECK(pace.wait_begins(begin + seconds(20)) > begin + seconds(21));
  CHECK(pace.wait_begins(begin + seconds(20)) < begin + milliseconds(21010));
  pace.wait_ends(begin + seconds(21));
  CHECK(pace.waited(begin + seconds(60)) == seconds(10));
  // Whoever takes more than enough has the whole patience for each wait, however long it takes altogether.
  pace.took(1 << 20);
  CHECK(pace.wait_begins(begin + seconds(60)) == begin + seconds(70));
  pace.wait_ends(begin + seconds(60));
  // The next answer begins anew: 4,096 bytes a second, and ten seconds, are what is asked for.
  pace.begin(seconds(10));
  pace.took(8 * 4096);
  pace.wait_begins(begin);
  pace.wait_ends(begin + seconds(16));
  CHECK(pace.wait_begins(begin) == begin + seconds(2));
}

TEST_CASE("an answer beyond the byte budget is 503, and a small one is always to be had", "[http]") {
  HttpLimits limits;
  limits.answer_memory = 1 << 20;
  TestServer server(limits);
  add_fine(server);
  add_streams(server);
  server->route("GET", "/large", [](const HttpRequest&) {
    HttpResponse response;
    response.body.assign(600000, 'x');
    return response;
  });
  server.start();
  std::list<RawClient> readers;
  CHECK(RawClient(server.port()).get("/large").body.size() == 600000);
  // Its bytes are given back a moment after the last of them has been read.
  REQUIRE(server.await([](const auto& counters) { return counters.answer_bytes == 0; }));
  for (int count = 0; count < 2; ++count)  // 512 KiB each
    REQUIRE((readers.emplace_back(server.port()).send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n") &&
             readers.back().answer_head().status == 200));
  for (const char* target : {"/silent", "/large"}) {
    const auto refused = RawClient(server.port()).get(target);
    CHECK(refused.status == 503);
    CHECK(refused.header("retry-after") == "1");
    CHECK(refused.body == "the answers under way hold as much as web.answer_memory allows\n");
  }
  CHECK(RawClient(server.port()).get("/").status == 200);
  CHECK(server->counters().refused_memory == 2);
  REQUIRE(server.await([](const auto& counters) { return counters.answer_bytes == 1 << 20; }));
  readers.clear();
  REQUIRE(server.await([](const auto& counters) { return counters.answer_bytes == 0; }));
  CHECK(RawClient(server.port()).get("/large").status == 200);
}

TEST_CASE("where answers keep too much alive, the slowest reader goes", "[http]") {
  HttpLimits limits;
  limits.answer_memory = 8 << 20;
  limits.write_timeout = std::chrono::hours(1);
  TestServer server(limits);
  add_streams(server);
  server.start();
  RawClient stuck(server.port(), 4096);
  stuck.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
  RawClient fine(server.port());
  fine.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(server.await([](const auto& counters) { return counters.answer_bytes == 1 << 20; }));
  server->budget().set_kept(8 << 20);
  REQUIRE(server.await([](const auto& counters) { return counters.evicted == 1; }));
  REQUIRE(server.await([](const auto& counters) { return counters.connections_open == 1; }));
  const auto later = ecmp::net::monotonic_now() + milliseconds(300);
  REQUIRE(server.await([&](const auto&) { return ecmp::net::monotonic_now() > later; }));
  CHECK(server->counters().evicted == 1);  // one that is not waited for stays
}

TEST_CASE("a reader that stops reading is given up, and blocks nobody meanwhile", "[http]") {
  HttpLimits limits;
  limits.write_timeout = milliseconds(200);
  TestServer server(limits);
  add_fine(server);
  add_streams(server);
  server.start();
  RawClient stuck(server.port(), 4096);
  stuck.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(RawClient(server.port()).get("/").status == 200);
  CHECK(server.await([](const auto& counters) { return counters.write_timeouts == 1; }));
  CHECK(server.await([](const auto& counters) { return counters.connections_open == 0; }));
}

TEST_CASE("stopping waits for no client, whatever it is doing", "[http]") {
  // None of these limits may help: what ends the connections is stop() alone. If it did not, the test would hang.
  HttpLimits limits;
  limits.head_timeout = limits.body_timeout = limits.write_timeout = limits.idle_timeout = std::chrono::hours(1);
  TestServer server(limits);
  add_fine(server);
  add_streams(server);
  server.start();
  RawClient nothing(server.port());
  RawClient half(server.port());
  half.send("GET / HTTP/1.1\r\nHo");
  RawClient body(server.port());
  body.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf");
  RawClient idle(server.port());
  REQUIRE(idle.get("/").status == 200);
  RawClient stuck(server.port(), 4096);
  stuck.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
  RawClient reading(server.port());
  reading.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
  std::jthread reader([&reading] { reading.rest(); });
  RawClient silent(server.port());
  silent.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(silent.answer_head().status == 200);
  REQUIRE(server.await([](const auto& counters) { return counters.connections_open == 7; }));
  server->stop();
  CHECK(server->counters().connections_open == 0);
  CHECK(silent.chunk() == "");
  CHECK(nothing.rest().empty());
  CHECK(half.rest().empty());
}
