#include "net/http/http_server.hpp"

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "catch.hpp"
#include "unit/net/http_test_server.hpp"

using ecmp::config::parse_listen_address;
using ecmp::net::BodyStream;
using ecmp::net::HttpRequest;
using ecmp::net::HttpResponse;
using ecmp::net::HttpServer;
using ecmp::test::gunzip;
using ecmp::test::gunzip_available;
using ecmp::test::RawClient;
using ecmp::test::TestServer;

TEST_CASE("a route sees the decoded request", "[http]") {
  TestServer server;
  HttpRequest seen;
  server->route("GET", "/a b", [&seen](const HttpRequest& request) {
    seen = request;
    return HttpResponse::text(200, "fine");
  });
  server.start();
  RawClient client(server.port());
  const auto answer = client.get("/a%20b?x=1&x=%262",
                                 "Accept: a/b;q=0.5\r\nAccept: c/d\r\nAccept-Encoding: br\r\n"
                                 "X-Prometheus-Scrape-Timeout-Seconds: 9.5\r\n");
  CHECK(answer.status == 200);
  CHECK(answer.body == "fine\n");
  CHECK(answer.header("content-type") == "text/plain; charset=utf-8");
  CHECK(answer.header("server").empty());
  CHECK(answer.header("connection").empty());
  CHECK(seen.method == "GET");
  CHECK(seen.path == "/a b");
  CHECK(seen.parameter("x") == "1");
  CHECK(seen.query.size() == 2);
  CHECK(seen.query[1].second == "&2");
  CHECK(seen.accept == "a/b;q=0.5, c/d");
  CHECK(seen.accept_encoding == "br");
  CHECK(seen.scrape_timeout == std::chrono::milliseconds(9500));
  CHECK(seen.remote_address.to_string() == "127.0.0.1");
  CHECK(seen.remote_port != 0);
}

TEST_CASE("unknown paths and wrong methods are told, and the connection goes on", "[http]") {
  TestServer server;
  server->route("GET", "/only", [](const HttpRequest&) { return HttpResponse::text(200, "fine"); });
  server->route("POST", "/-/reload", [](const HttpRequest& request) { return HttpResponse::text(200, request.body); });
  server.start();
  RawClient client(server.port());
  const auto missing = client.get("/missing");
  CHECK(missing.status == 404);
  CHECK(missing.body == "not found\n");
  client.send("POST /only HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  const auto wrong = client.answer();
  CHECK(wrong.status == 405);
  CHECK(wrong.header("allow") == "GET, HEAD");
  CHECK(client.get("/-/reload").header("allow") == "POST");
  CHECK(client.get("/only/").status == 404);
  CHECK(client.get("/only").status == 200);
  const auto requests = server->counters().requests;
  CHECK(requests.at(404) == 2);
  CHECK(requests.at(405) == 2);
  CHECK(requests.at(200) == 1);
}

TEST_CASE("HEAD has the headers of GET and no body", "[http]") {
  TestServer server;
  const std::string body(5000, 'x');
  server->route("GET", "/", [&body](const HttpRequest&) {
    HttpResponse response;
    response.body = body;
    return response;
  });
  server.start();
  RawClient client(server.port());
  client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto head = client.answer(true);
  CHECK(head.status == 200);
  CHECK(head.header("content-length") == "5000");
  CHECK(head.header("accept-ranges").empty());
  CHECK(client.get("/").body == body);  // directly behind the headers: no body came
}

TEST_CASE("requests sent at once are answered in their order", "[http]") {
  TestServer server;
  server->route("GET", "/echo",
                [](const HttpRequest& request) { return HttpResponse::text(200, *request.parameter("n")); });
  server->route("POST", "/body", [](const HttpRequest& request) { return HttpResponse::text(200, request.body); });
  server.start();
  RawClient client(server.port());
  std::string burst;
  for (int n = 0; n < 50; ++n) {
    burst += "GET /echo?n=" + std::to_string(n) + " HTTP/1.1\r\nHost: a\r\n\r\n\r\n";
    burst += "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nGET / b";
  }
  client.send(burst);
  for (int n = 0; n < 50; ++n) {
    REQUIRE(client.answer().body == std::to_string(n) + "\n");
    REQUIRE(client.answer().body == "GET / b\n");
  }
  CHECK(server->counters().connections_accepted == 1);
}

TEST_CASE("empty lines in front of a request are skipped, however they come", "[http]") {
  TestServer server;
  server->route("GET", "/", [](const HttpRequest&) { return HttpResponse::text(200, "fine"); });
  server.start();
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  RawClient client(server.port());
  client.send("\r\n" + request);
  CHECK(client.answer().body == "fine\n");
  client.send("\r\n");
  client.send("\r\n\r\n" + request);
  CHECK(client.answer().body == "fine\n");
  RawClient endless(server.port());
  std::string empty;
  for (int i = 0; i < 200; ++i)
    empty += "\r\n";
  endless.send(empty + request);
  CHECK(endless.answer().status == 400);
}

TEST_CASE("the connection is closed for clients that ask for it", "[http]") {
  TestServer server;
  server->route("GET", "/", [](const HttpRequest&) { return HttpResponse::text(200, "fine"); });
  server.start();
  for (const std::string request :
       {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"}) {
    RawClient client(server.port());
    client.send(request);
    const auto answer = client.answer();
    CHECK(answer.status == 200);
    CHECK(answer.header("connection") == "close");
    CHECK(client.rest().empty());
  }
}

TEST_CASE("ranges are ignored", "[http]") {
  TestServer server;
  const std::string body(100000, 'x');
  server->route("GET", "/", [&body](const HttpRequest&) {
    HttpResponse response;
    response.body = body;
    return response;
  });
  server.start();
  RawClient client(server.port());
  std::string many = "Range: bytes=0-";
  for (int count = 0; count < 1000; ++count)
    many += ",0-";
  for (const std::string& range : {std::string("Range: bytes=0-9"), std::string("Range: nonsense"), many}) {
    const auto answer = client.get("/", range + "\r\n");
    CHECK(answer.status == 200);
    CHECK(answer.body.size() == body.size());
    CHECK(answer.header("content-range").empty());
  }
}

TEST_CASE("bodies of any type are compressed for clients that take gzip, and only for them", "[http]") {
  TestServer server;
  std::string body;
  for (int line = 0; line < 10000; ++line)
    body += "line " + std::to_string(line) + "\n";
  const auto shared = std::make_shared<const std::string>(body);
  server->route("GET", "/own", [&body](const HttpRequest&) {
    HttpResponse response;
    response.content_type = "application/x-ndjson";
    response.body = body;
    return response;
  });
  server->route("GET", "/shared", [&shared](const HttpRequest&) {
    HttpResponse response;
    response.content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response.shared_body = shared;
    return response;
  });
  server.start();
  RawClient client(server.port());
  for (const std::string target : {"/own", "/shared"}) {
    for (const std::string wanted : {"gzip", "br, gzip", "deflate, gzip;q=0.2"}) {
      const auto answer = client.get(target, "Accept-Encoding: " + wanted + "\r\n");
      CHECK(answer.header("content-encoding") == "gzip");
      CHECK(answer.header("vary") == "Accept-Encoding");
      CHECK(gunzip(answer.body) == body);
    }
    for (const std::string unwanted : {"gzip;q=0", "*;q=0", "br", "identity"}) {
      const auto answer = client.get(target, "Accept-Encoding: " + unwanted + "\r\n");
      CHECK(answer.header("content-encoding").empty());
      CHECK(answer.header("vary") == "Accept-Encoding");
      CHECK(answer.body == body);
    }
  }
  CHECK(client.get("/own").header("content-type") == "application/x-ndjson");
}

TEST_CASE("what a route throws stays inside", "[http]") {
  TestServer server;
  server->route("GET", "/throws", [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("secret"); });
  server->route("GET", "/odd", [](const HttpRequest&) -> HttpResponse { throw 7; });
  server.start();
  RawClient client(server.port());
  for (const std::string target : {"/throws", "/odd"}) {
    client.send("GET " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string all = RawClient(server.port()).get(target).body;
    CHECK(all == "internal server error\n");
  }
  CHECK(client.rest().find("secret") == std::string::npos);
}

namespace {

/// Gives out numbered lines, some in each piece.
class CountingStream : public BodyStream {
 public:
  explicit CountingStream(int lines) : lines_(lines) {}
  Next next(std::string& out, ecmp::Instant /*deadline*/) override {
    for (int count = 0; count < 100 && next_ < lines_; ++count)
      out += "line " + std::to_string(next_++) + "\n";
    return next_ < lines_ ? Next::more : Next::end;
  }

 private:
  int lines_;
  int next_ = 0;
};

/// A follower's source: a test adds to it while it is read.
class Feed {
 public:
  void add(const std::string& text) {
    const std::lock_guard lock(mutex_);
    text_ += text;
    changed_.notify_all();
  }

  std::unique_ptr<BodyStream> follow() {
    class Follower : public BodyStream {
     public:
      explicit Follower(Feed& feed) : feed_(feed) {}
      Next next(std::string& out, ecmp::Instant deadline) override {
        std::unique_lock lock(feed_.mutex_);
        const std::chrono::steady_clock::time_point until(deadline.time_since_epoch());
        feed_.changed_.wait_until(lock, until, [this] { return feed_.text_.size() > at_; });
        out.append(feed_.text_, at_);
        at_ = feed_.text_.size();
        return Next::idle;
      }

     private:
      Feed& feed_;
      std::size_t at_ = 0;
    };
    return std::make_unique<Follower>(*this);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
};

HttpResponse streaming(std::unique_ptr<BodyStream> stream) {
  HttpResponse response;
  response.content_type = "application/x-ndjson";
  response.stream = std::move(stream);
  return response;
}

}  // namespace

TEST_CASE("a long answer comes in chunks, compressed or not, and the connection goes on", "[http]") {
  TestServer server;
  server->route("GET", "/lines", [](const HttpRequest&) { return streaming(std::make_unique<CountingStream>(20000)); });
  server->route("GET", "/none", [](const HttpRequest&) { return streaming(std::make_unique<CountingStream>(0)); });
  server.start();
  std::string expected;
  for (int line = 0; line < 20000; ++line)
    expected += "line " + std::to_string(line) + "\n";

  RawClient client(server.port());
  const auto plain = client.get("/lines");
  CHECK(plain.complete);
  CHECK(plain.header("transfer-encoding") == "chunked");
  CHECK(plain.body == expected);
  const auto compressed = client.get("/lines", "Accept-Encoding: gzip\r\n");
  CHECK(compressed.complete);
  CHECK(compressed.header("content-encoding") == "gzip");
  CHECK(compressed.body.size() < expected.size() / 3);
  CHECK(gunzip(compressed.body) == expected);
  const auto none = client.get("/none");
  CHECK(none.complete);
  CHECK(none.body.empty());

  RawClient old(server.port());
  old.send("GET /lines HTTP/1.0\r\n\r\n");
  const auto unchunked = old.answer();
  CHECK(unchunked.header("transfer-encoding").empty());
  CHECK(unchunked.body == expected);
}

TEST_CASE("a stream that fails is cut off, not ended", "[http]") {
  class Failing : public BodyStream {
   public:
    Next next(std::string& out, ecmp::Instant /*deadline*/) override {
      if (calls_++ > 3) throw std::runtime_error("secret");
      out += "a line\n";
      return Next::more;
    }

   private:
    int calls_ = 0;
  };
  TestServer server;
  server->route("GET", "/", [](const HttpRequest&) { return streaming(std::make_unique<Failing>()); });
  server.start();
  RawClient client(server.port());
  const auto answer = client.get("/");
  CHECK(answer.status == 200);
  CHECK_FALSE(answer.complete);
  CHECK(answer.body == "a line\na line\na line\na line\n");
}

TEST_CASE("a follower gets every line as it comes, compressed or not, and a clean end at stop", "[http]") {
  TestServer server;
  Feed feed;
  server->route("GET", "/follow", [&feed](const HttpRequest&) { return streaming(feed.follow()); });
  server.start();
  feed.add("one\n");
  RawClient plain(server.port());
  RawClient compressed(server.port());
  plain.send("GET /follow HTTP/1.1\r\nHost: a\r\n\r\n");
  compressed.send("GET /follow HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
  REQUIRE(plain.answer_head().status == 200);
  REQUIRE(compressed.answer_head().header("content-encoding") == "gzip");
  std::string zipped = *compressed.chunk();
  CHECK(plain.chunk() == "one\n");
  CHECK(gunzip_available(zipped) == "one\n");
  feed.add("two\n");
  CHECK(plain.chunk() == "two\n");
  zipped += *compressed.chunk();
  CHECK(gunzip_available(zipped) == "one\ntwo\n");
  server->stop();
  CHECK(plain.chunk() == "");
  zipped += *compressed.chunk();
  CHECK(gunzip(zipped) == "one\ntwo\n");
  CHECK(compressed.chunk() == "");
}

TEST_CASE("a follower that hangs up frees its place, though there is no news to send", "[http]") {
  TestServer server;
  Feed feed;
  server->route("GET", "/follow", [&feed](const HttpRequest&) { return streaming(feed.follow()); });
  server.start();
  {
    RawClient client(server.port());
    client.send("GET /follow HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(client.answer_head().status == 200);
    CHECK(server->counters().connections_open == 1);
  }
  CHECK(server.await([](const auto& counters) { return counters.connections_open == 0; }));
}

TEST_CASE("a port that is in use is a clear error", "[http]") {
  TestServer server;
  HttpServer second;
  const auto refused = second.listen(*parse_listen_address("127.0.0.1:" + std::to_string(server.port())));
  REQUIRE(refused);
  CHECK(refused->message == "cannot listen on 127.0.0.1:" + std::to_string(server.port()) + ": Address already in use");
  CHECK(second.listen(*parse_listen_address(":" + std::to_string(server.port()))));
  CHECK(second.bound().empty());
}

TEST_CASE("a server listens on several addresses, and on both families at once", "[http]") {
  TestServer server;
  REQUIRE_FALSE(server->listen(*parse_listen_address("localhost:0")));
  REQUIRE_FALSE(server->listen(*parse_listen_address(":0")));
  REQUIRE(server->bound().size() >= 3);
  ecmp::IpAddress seen;
  server->route("GET", "/", [&seen](const HttpRequest& request) {
    seen = request.remote_address;
    return HttpResponse::text(200, "fine");
  });
  server.start();
  for (const auto& bound : server->bound()) {
    if (!bound.address.is_v4() && bound.address.is_loopback()) continue;  // the client speaks IPv4 only
    CHECK(bound.port != 0);
    CHECK(RawClient(bound.port).get("/").status == 200);
    CHECK(seen.to_string() == "127.0.0.1");  // not ::ffff:127.0.0.1
  }
}

TEST_CASE("a name that does not exist cannot be listened on", "[http]") {
  HttpServer server;
  const auto refused = server.listen({.host = "no-such-host.invalid", .address = {}, .port = 0});
  REQUIRE(refused);
  CHECK(refused->message.starts_with("cannot listen on no-such-host.invalid:0: "));
}

TEST_CASE("a server may be stopped twice, or never started", "[http]") {
  HttpServer never;
  TestServer server;
  server.start();
  server->stop();
  server->stop();
  CHECK_THROWS(RawClient(server.port()));
}
