#include "config/text.hpp"

#include <array>

#include "catch.hpp"
#include "config/config.hpp"

using ecmp::config::is_utf8;
using ecmp::config::nearest;
using ecmp::config::printable;
using ecmp::config::without_secrets;

TEST_CASE("UTF-8 is told from what only looks like it", "[config]") {
  for (const char* text :
       {"", "a", "K\xc3\xb6ln", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"})
    CHECK(is_utf8(text));
  for (const char* text : {"\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                           "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "\xe2\x82g", "\xf0\x9f\x98"}) {
    CAPTURE(printable(text));
    CHECK_FALSE(is_utf8(text));
  }
}

TEST_CASE("a message cannot move the cursor, break the line or grow", "[config]") {
  CHECK(printable("a\nb\tc") == "a\\nb\\tc");
  CHECK(printable("\x1b[31mred") == "\\u{1b}[31mred");
  CHECK(printable("\xe2\x80\xaeright to left") == "\\u{202e}right to left");
  CHECK(printable("\xc2\x9b") == "\\u{9b}");
  CHECK(printable("\xff") == "\\xff");
  CHECK(printable("K\xc3\xb6ln") == "K\xc3\xb6ln");
  CHECK(printable(std::string(1000, 'x')) == std::string(80, 'x') + "...");
}

TEST_CASE("a mistyped key finds the one that was meant", "[config]") {
  constexpr std::array<std::string_view, 4> kKeys = {"flows", "interval", "packet_size", "port"};
  CHECK(nearest("flow", kKeys) == "flows");
  CHECK(nearest("intreval", kKeys) == "interval");
  CHECK(nearest("packetsize", kKeys) == "packet_size");
  CHECK(nearest("ports", kKeys) == "port");
  CHECK(nearest("colour", kKeys).empty());
  CHECK(nearest("", kKeys).empty());
  CHECK(nearest(std::string(100, 'a'), kKeys).empty());
}

TEST_CASE("a line that is quoted shows no password", "[config]") {
  CHECK(without_secrets("http = [\"http://ann:p@ss@sd.example/x\", \"https://bob:two@b\"]") ==
        "http = [\"http://<secret>@sd.example/<secret>\", \"https://<secret>@b\"]");
  CHECK(without_secrets("http = [\"http://ann:secret@sd.example") == "http = [\"http://<secret>@sd.example");
  CHECK(without_secrets("ann:$2y$05$abc./def: x") == "ann:<secret>: x");
  CHECK(without_secrets("http = [\"http://sd.example:80/x\"] # ann@b") ==
        "http = [\"http://sd.example:80/<secret>\"] # ann@b");
  CHECK(without_secrets("http://") == "http://");
  CHECK(without_secrets("").empty());
}

TEST_CASE("a syntax error on the line of a URL tells no password", "[config]") {
  const auto outcome = ecmp::config::parse("[discovery]\nhttp = [\"http://ann:secret@sd.example/\" oops]\n", "x.toml");
  const auto* problems = std::get_if<std::vector<ecmp::config::Problem>>(&outcome);
  REQUIRE(problems != nullptr);
  CHECK(problems->front().message.find("secret@") == std::string::npos);
  CHECK(problems->front().message.find("http://<secret>@sd.example/") != std::string::npos);
}
