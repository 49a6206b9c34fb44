#include "net/http/http_answer.hpp"

#include <random>

#include "catch.hpp"

using ecmp::net::HttpAnswer;

namespace {

/// Fed in pieces of so many bytes.
HttpAnswer fed(const std::string& bytes, std::size_t piece, std::size_t largest = 1000) {
  HttpAnswer answer(largest);
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    if (!answer.add(std::string_view(bytes).substr(at, piece))) break;
  return answer;
}

}  // namespace

TEST_CASE("an answer is the same in whatever pieces it comes", "[net][http_answer]") {
  const std::string fixed =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\nCONTENT-TYPE:  Application/JSON; "
      "charset=x\r\n\r\n[{}]";
  const std::string chunked =
      "HTTP/1.0 200\r\nTransfer-Encoding: Chunked\nContent-Type: application/json\r\n\r\n"
      "2;x=y\r\n[{\r\n002\r\n}]\r\n0\r\nTrailer: x\r\n\r\n";
  for (const std::string& bytes : {fixed, chunked}) {
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
      CAPTURE(bytes, piece);
      HttpAnswer answer = fed(bytes, piece);
      REQUIRE(answer.complete());
      CHECK(answer.status() == 200);
      CHECK(answer.content_type() == "application/json");
      CHECK(answer.take_body() == "[{}]");
    }
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      HttpAnswer answer = fed(bytes.substr(0, cut), 7);
      CAPTURE(bytes, cut);
      CHECK_FALSE(answer.complete());
      CHECK_FALSE(answer.end());
      CHECK(answer.error() == "the answer was cut off");
    }
  }
}

TEST_CASE("an answer without a length goes on to the end of the connection", "[net][http_answer]") {
  HttpAnswer answer = fed("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nabc", 5);
  CHECK_FALSE(answer.complete());
  CHECK(answer.end());
  CHECK(answer.complete());
  CHECK(answer.content_encoding() == "gzip");
  CHECK(answer.take_body() == "abc");
  CHECK(fed("HTTP/1.1 204 No Content\r\n\r\n", 3).complete());
}

TEST_CASE("what is no answer, or too large, is refused", "[net][http_answer]") {
  const std::string head = "HTTP/1.1 200 OK\r\n";
  for (const std::string& bytes :
       {std::string("SSH-2.0-x\r\n"), std::string("HTTP/1.1 2x0 OK\r\n"), std::string("HTTP/2 200 OK....\r\n"),
        std::string("\r\n"), head + "nonsense\r\n", head + "Content-Length: x\r\n", head + "Content-Length: -1\r\n",
        head + "Content-Length: 1\r\nContent-Length: 2\r\n", head + "Transfer-Encoding: gzip, chunked\r\n",
        head + "Content-Length: 1001\r\n\r\n", head + "Transfer-Encoding: chunked\r\n\r\n\r\n",
        head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        head + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", head + "\r\n" + std::string(1001, 'x'),
        head + "X: " + std::string(100'000, 'x'),
        head + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x')}) {
    CAPTURE(bytes.substr(0, 100));
    const HttpAnswer answer = fed(bytes, 1000);
    CHECK_FALSE(answer.complete());
    CHECK_FALSE(answer.error().empty());
  }
}

TEST_CASE("no mutation of an answer makes more of it than is allowed", "[net][http_answer]") {
  const std::string plain =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  std::mt19937_64 random(7);
  for (int i = 0; i < 50000; ++i) {
    std::string bytes = plain;
    for (std::uint64_t edits = 1 + random() % 4; edits > 0; --edits)
      bytes[random() % bytes.size()] = "\r\n 0159afHT:;"[random() % 12];
    HttpAnswer answer = fed(bytes, 1 + random() % 20, 8);
    REQUIRE(answer.take_body().size() <= 8);
  }
}
