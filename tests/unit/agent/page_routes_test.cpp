#include "agent/http/page_routes.hpp"

#include <set>

#include "agent/http/page_files.hpp"
#include "catch.hpp"
#include "unit/net/http_test_server.hpp"

using namespace ecmp;
using namespace ecmp::test;

namespace {

class ServedPage {
 public:
  ServedPage() {
    add_page_routes(*server_.operator->(), board_);
    server_.start();
  }
  Answer get(const std::string& target, const std::string& headers = {}) {
    RawClient client(server_.port());
    REQUIRE(client.send("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n"));
    return client.answer();
  }
  std::uint16_t port() const { return server_.port(); }

 private:
  Board board_;
  TestServer server_;
};

}  // namespace

TEST_CASE("the page's files are in the program, and ask for nothing elsewhere", "[agent][page]") {
  std::set<std::string_view> paths;
  for (const PageFile& file : page_files()) {
    CAPTURE(file.path);
    CHECK(paths.insert(file.path).second);
    CHECK(file.content.size() > 500);
    CHECK(file.etag.size() == 22);
    // Names of XML namespaces are no addresses; there is no other URL.
    std::string text(file.content);
    for (const std::string known : {"http://www.w3.org/2000/svg"})
      for (std::size_t at = text.find(known); at != std::string::npos; at = text.find(known))
        text.erase(at, known.size());
    CHECK(text.find("://") == std::string::npos);
    CHECK(text.find("innerHTML") == std::string::npos);
    CHECK(text.find("insertAdjacentHTML") == std::string::npos);
    CHECK(text.find("eval(") == std::string::npos);
  }
  CHECK(paths.contains("/"));
  CHECK(paths.contains("/page/page.js"));
  CHECK(paths.contains("/page/page.css"));
}

TEST_CASE("every file of the page is served with a policy, a type and a tag", "[agent][page]") {
  ServedPage served;
  for (const PageFile& file : page_files()) {
    const Answer answer = served.get(std::string(file.path));
    CAPTURE(file.path);
    CHECK(answer.status == 200);
    CHECK(answer.body == file.content);
    CHECK(answer.header("content-type") == file.content_type);
    CHECK(answer.header("etag") == file.etag);
    CHECK(answer.header("content-security-policy")
              .starts_with("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                           "img-src 'self' data:;"));
  }
}

TEST_CASE("who has the page already gets no body", "[agent][page]") {
  ServedPage served;
  const std::string tag(page_files().front().etag);
  for (const std::string& given : {tag, "W/" + tag, "\"other\", " + tag, std::string("*")}) {
    // What comes behind the head is the answer to the next request: there is no body.
    RawClient client(served.port());
    REQUIRE(client.send("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: " + given +
                        "\r\n\r\nGET /page/text.js HTTP/1.1\r\nHost: x\r\n\r\n"));
    const Answer answer = client.answer_head();
    CAPTURE(given);
    CHECK(answer.status == 304);
    CHECK(answer.header("content-length").empty());
    CHECK(answer.header("etag") == tag);
    CHECK(client.answer().status == 200);
  }
  CHECK(served.get("/", "If-None-Match: \"other\"\r\n").status == 200);
}

TEST_CASE("the page is sent compressed to who asks for it", "[agent][page]") {
  ServedPage served;
  const Answer answer = served.get("/page/page.js", "Accept-Encoding: gzip\r\n");
  CHECK(answer.header("content-encoding") == "gzip");
}

TEST_CASE("without scripts there is a plain table", "[agent][page]") {
  ServedPage served;
  const Answer page = served.get("/");
  CHECK(page.body.find("<noscript>") != std::string::npos);
  CHECK(page.body.find("href=\"?plain=true\"") != std::string::npos);
  const Answer table = served.get("/?plain=true");
  CHECK(table.status == 200);
  CHECK(table.header("content-security-policy").starts_with("default-src 'none'"));
  CHECK(table.body.find("<script") == std::string::npos);
}
