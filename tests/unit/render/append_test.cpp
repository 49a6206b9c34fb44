#include "render/append.hpp"

#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "catch.hpp"
#include "render/json/path_hash.hpp"

using namespace ecmp;
using namespace ecmp::render;

namespace {

std::string json_of(std::string_view text) {
  std::string out = "\"";
  append_json(out, text);
  return out + "\"";
}

std::string label_of(std::string_view text) {
  std::string out;
  append_label_value(out, text);
  return out;
}

std::string html_of(std::string_view text) {
  std::string out;
  append_html(out, text);
  return out;
}

std::string time_of(Duration since_1970) {
  std::string out;
  append_time(out, WallTime(since_1970));
  return out;
}

std::string text_of(const IpAddress& address) {
  std::string out;
  append_address(out, address);
  return out;
}

}  // namespace

TEST_CASE("addresses are written as IpAddress writes them", "[render]") {
  const unsigned seed = 7;
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 20000; ++i) {
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t group = 0; group < 8; ++group) {
      if (random() % 2 == 0) continue;  // many runs of zeros
      bytes[2 * group] = static_cast<std::uint8_t>(random() % 3 == 0 ? 0 : random());
      bytes[2 * group + 1] = static_cast<std::uint8_t>(random());
    }
    const IpAddress v6 = IpAddress::v6(bytes);
    if (text_of(v6) != v6.to_string()) CHECK(text_of(v6) == v6.to_string());
    const IpAddress v4 = IpAddress::v4(static_cast<std::uint32_t>(random()));
    if (text_of(v4) != v4.to_string()) CHECK(text_of(v4) == v4.to_string());
  }
  for (const char* text : {"::", "::1", "::ffff:192.0.2.1", "2001:db8::", "2001:db8:0:1:1:1:1:1", "1::8", "0.0.0.0"}) {
    CHECK(text_of(*IpAddress::parse(text)) == text);
  }
}

TEST_CASE("times are RFC 3339 with nanoseconds, also before 1970 and in leap years", "[render]") {
  using namespace std::chrono;
  CHECK(time_of(Duration(0)) == "1970-01-01T00:00:00.000000000Z");
  CHECK(time_of(Duration(-1)) == "1969-12-31T23:59:59.999999999Z");
  const auto leap_day = sys_days(year(2028) / 2 / 29).time_since_epoch() + hours(13) + minutes(7) + seconds(9);
  CHECK(time_of(leap_day + Duration(312000)) == "2028-02-29T13:07:09.000312000Z");
  CHECK(time_of(Duration::max()) == "2262-04-11T23:47:16.854775807Z");
  CHECK(time_of(Duration::min()) == "1677-09-21T00:12:43.145224192Z");
}

TEST_CASE("label values escape backslash, quote and newline, and mend UTF-8", "[render]") {
  CHECK(label_of("a\\b\"c\nd") == "a\\\\b\\\"c\\nd");
  CHECK(label_of("Zürich €") == "Zürich €");
  CHECK(label_of("a\xff"
                 "b") ==
        "a\xef\xbf\xbd"
        "b");
  CHECK(label_of("\xc3") == "\xef\xbf\xbd");                                                  // cut short
  CHECK(label_of("\xc0\xaf") == "\xef\xbf\xbd\xef\xbf\xbd");                                  // overlong
  CHECK(label_of("\xed\xa0\x80") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");                  // surrogate
  CHECK(label_of("\xf4\x90\x80\x80") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // above U+10FFFF
  CHECK(label_of("\xf0\x9f\x98\x80") == "\xf0\x9f\x98\x80");
}

TEST_CASE("JSON strings are valid whatever the bytes, and valid text survives", "[render]") {
  CHECK(json_of("a\\b\"c\n\x01") == R"("a\\b\"c\u000a\u0001")");
  CHECK(nlohmann::json::parse(json_of(std::string("\0\t\x1f\x7f/é", 7))).get<std::string>() ==
        std::string("\0\t\x1f\x7f/é", 7));
  const unsigned seed = 11;
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(random() % 12, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random() % 4 == 0 ? random() % 128 : 0x80 + random() % 128);
    }
    const std::string json = json_of(bytes);
    if (!nlohmann::json::accept(json)) {
      CAPTURE(i, json);
      FAIL_CHECK("not valid JSON");
    }
  }
}

TEST_CASE("HTML text cannot leave its place", "[render]") {
  CHECK(html_of("<a href=\"x\">'&'</a>") == "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
  CHECK(html_of("\x80") == "\xef\xbf\xbd");
}

TEST_CASE("path hashes are ETR's: CRC-32 of the known addresses, each followed by a bar", "[render]") {
  CHECK(crc32("123456789") == 0xcbf43926u);  // the check value every catalogue of CRCs gives
  CHECK(crc32("6789", crc32("12345")) == crc32("123456789"));
  CHECK(path_hash({}) == 0);
  const IpAddress first = *IpAddress::parse("198.51.100.254");
  const IpAddress last = *IpAddress::parse("2001:db8::1");
  CHECK(path_hash(std::vector<IpAddress>(3)) == 0);
  CHECK(path_hash(std::vector{first, IpAddress{}, last}) == crc32("198.51.100.254|2001:db8::1|"));
}
