#include "config/quantity.hpp"

#include "catch.hpp"
#include "config/config.hpp"

using namespace std::chrono_literals;
using ecmp::config::parse_duration;
using ecmp::config::parse_size;
using ecmp::config::wrong_with_host_name;

TEST_CASE("durations are sums of numbers with units", "[config]") {
  CHECK(parse_duration("1ns") == 1ns);
  CHECK(parse_duration("20us") == 20us);
  CHECK(parse_duration("500ms") == 500ms);
  CHECK(parse_duration("10s") == 10s);
  CHECK(parse_duration("1m30s") == 90s);
  CHECK(parse_duration("24h") == 24h);
  CHECK(parse_duration("2d") == 48h);
  CHECK(parse_duration("1.5s") == 1500ms);
  CHECK(parse_duration("0.000000001s") == 1ns);
  CHECK(parse_duration("0s") == 0s);
  CHECK(parse_duration("106751d") == 106751 * 24h);
}

TEST_CASE("what is not a duration is refused", "[config]") {
  for (const char* text : {"",
                           "10",
                           "s",
                           "-1s",
                           "+1s",
                           " 1s",
                           "1s ",
                           "1 s",
                           "1S",
                           "1sec",
                           "1.s",
                           ".5s",
                           "1.5.5s",
                           "1e3s",
                           "0x1s",
                           "1s30",
                           "1m-30s",
                           "1w",
                           "0.0000000001s",
                           "106752d",
                           "9223372036854775808ns",
                           "99999999999999999999s",
                           "106751d106751d",
                           "1,5s",
                           "NaNs",
                           "infs"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
  }
  CHECK_FALSE(parse_duration(std::string_view("1s\0", 3)));
}

TEST_CASE("sizes have units of powers of 1000 or 1024", "[config]") {
  CHECK(parse_size("500KB") == 500'000u);
  CHECK(parse_size("64MiB") == 67'108'864u);
  CHECK(parse_size("1GiB") == 1u << 30);
  CHECK(parse_size("1.5GiB") == 3u << 29);
  CHECK(parse_size("12B") == 12u);
  CHECK(parse_size("2TB") == 2'000'000'000'000u);
  for (const char* text : {"", "64", "64M", "64mib", "-1MiB", "1MiB1MiB", "1.5B", "99999999TiB", "MiB"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_size(text));
  }
}

TEST_CASE("host names are checked before DNS is asked", "[config]") {
  for (const char* name :
       {"a", "edge.example.net", "edge.example.net.", "xn--kln-sna.example", "a_b.example", "4.example", "1a"}) {
    CAPTURE(name);
    CHECK(wrong_with_host_name(name).empty());
  }
  for (const char* name : {"", ".", "a..b", ".a", "-a.example", "a-.example", "a b", "k\xc3\xb6ln.example",
                           "10.0.0.256", "1.2.3", "10.0.0.0/8", "http://a", "[::1]", "fe80::1%eth0", "a:80", "a\n"}) {
    CAPTURE(name);
    CHECK_FALSE(wrong_with_host_name(name).empty());
  }
  const std::string label(63, 'a');
  CHECK(wrong_with_host_name(label + ".b").empty());
  CHECK_FALSE(wrong_with_host_name(label + "a.b").empty());
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  CHECK(wrong_with_host_name(longest).empty());
  CHECK_FALSE(wrong_with_host_name(longest + "a").empty());
}
