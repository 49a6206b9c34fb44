#include "render/fan/fan_text.hpp"

#include "catch.hpp"

using namespace ecmp;
using namespace ecmp::render;
using namespace std::chrono_literals;

namespace {

std::string rtt(Duration duration) {
  std::string text;
  append_rtt(text, duration);
  return text;
}

std::string percent(double ratio) {
  std::string text;
  append_percent(text, ratio);
  return text;
}

std::string ports(const std::vector<std::uint16_t>& list, std::size_t most) {
  std::string text;
  append_ports(text, list, most);
  return text;
}

}  // namespace

TEST_CASE("an RTT is told with the digits that matter", "[fan]") {
  CHECK(rtt(0ns) == "0.000 ms");
  CHECK(rtt(37us) == "0.037 ms");
  CHECK(rtt(312044ns) == "0.31 ms");
  CHECK(rtt(9990us) == "9.99 ms");
  CHECK(rtt(9996us) == "10.0 ms");
  CHECK(rtt(12345us) == "12.3 ms");
  CHECK(rtt(99960us) == "100 ms");
  CHECK(rtt(2400ms) == "2400 ms");
}

TEST_CASE("a share of loss never looks like none or all unless it is", "[fan]") {
  CHECK(percent(0) == "0 %");
  CHECK(percent(1e-9) == "<0.01 %");
  CHECK(percent(0.0024) == "0.24 %");
  CHECK(percent(0.00996) == "1.0 %");
  CHECK(percent(0.098) == "9.8 %");
  CHECK(percent(0.99999) == "99.9 %");
  CHECK(percent(1) == "100 %");
}

TEST_CASE("ports are told as ranges, and no more than asked for", "[fan]") {
  CHECK(ports({}, 3).empty());
  CHECK(ports({50000}, 3) == "50000");
  CHECK(ports({50000, 50001}, 3) == "50000, 50001");
  CHECK(ports({50000, 50001, 50002, 50007}, 3) == "50000-50002, 50007");
  CHECK(ports({1, 3, 5, 7, 8, 9}, 2) == "1, 3 and 4 more");
  CHECK(ports({65534, 65535}, 1) == "65534, 65535");
}

TEST_CASE("names from the network become one harmless line", "[fan]") {
  CHECK(plain_text("r1.example.net") == "r1.example.net");
  CHECK(plain_text("a\nb\x1b[31m\x7f") ==
        "a\xef\xbf\xbd"
        "b\xef\xbf\xbd[31m\xef\xbf\xbd");
  CHECK(plain_text("\xff") == "\xef\xbf\xbd");
  CHECK(plain_text("\xe2\x80\xaegnp.exe") == "\xef\xbf\xbdgnp.exe");  // right-to-left override
  CHECK(plain_text("\xef\xbf\xbe") == "\xef\xbf\xbd");                // U+FFFE: not in XML
  CHECK(plain_text("\xc2\x9b") == "\xef\xbf\xbd");                    // an 8-bit escape
  CHECK(plain_text("caf\xc3\xa9") == "caf\xc3\xa9");
}

TEST_CASE("text is measured and cut by cells", "[fan]") {
  CHECK(text_width("abc") == 3);
  CHECK(text_width("\xe6\x97\xa5\xe6\x9c\xac") == 4);
  CHECK(text_width("e\xcc\x81") == 1);
  CHECK(shortened("abcdef", 6, "...") == "abcdef");
  CHECK(shortened("abcdefg", 6, "...") == "abc...");
  CHECK(shortened("\xe6\x97\xa5\xe6\x9c\xac", 3, "\xe2\x80\xa6") == "\xe6\x97\xa5\xe2\x80\xa6");
}
