#include "agent/http/paths_query.hpp"

#include "catch.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

const WallTime kNow = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 2));

std::string error_of(const QueryParameters& parameters) {
  const auto query = parse_paths_query(parameters, kNow);
  return query.ok() ? "" : query.error();
}

}  // namespace

TEST_CASE("times are read as RFC 3339 writes them", "[agent]") {
  const WallTime midnight(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1));
  CHECK(parse_time("2026-01-01T00:00:00Z") == midnight);
  CHECK(parse_time("2026-01-01t00:00:00.000312z") == midnight + 312us);
  CHECK(parse_time("2026-01-01T00:00:00.1234567891Z") == midnight + 123456789ns);
  CHECK(parse_time("2026-01-01T02:00:00+02:00") == midnight);
  CHECK(parse_time("2026-01-01T02:00:00 02:00") == midnight);  // a plus sign that was not escaped
  CHECK(parse_time("2025-12-31T19:30:00-04:30") == midnight);
  for (const char* text :
       {"", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx", "0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z",
        "2026-1-1T00:00:00Z", "2026-01-01T00:00:00+2:00"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_time(text));
  }
}

TEST_CASE("a query for paths is understood", "[agent]") {
  const auto query = parse_paths_query({{"destination", "fra-edge"},
                                        {"flow", "50001"},
                                        {"path", "5c1e09aa"},
                                        {"since", "15m"},
                                        {"limit", "10"},
                                        {"follow", "true"}},
                                       kNow);
  REQUIRE(query.ok());
  CHECK(query->filter.destination == "fra-edge");
  CHECK(query->filter.flow == 50001);
  CHECK(query->filter.path == 0x5c1e09aau);
  CHECK(query->filter.since == kNow - 15min);
  CHECK(query->limit == 10u);
  CHECK(query->follow);
  CHECK(parse_paths_query({}, kNow).ok());
}

TEST_CASE("a bad parameter is named, with what is wrong", "[agent]") {
  CHECK(error_of({{"flow", "65536"}}) == "parameter flow=\"65536\": must be a source port, 0 to 65535");
  CHECK(error_of({{"flow", "-1"}}) != "");
  CHECK(error_of({{"flow", ""}}) != "");
  CHECK(error_of({{"path", "xyz"}}) == "parameter path=\"xyz\": must be 8 hex digits");
  CHECK(error_of({{"path", "5c1e09a"}}) != "");
  CHECK(error_of({{"since", "yesterday"}}) != "");
  CHECK(error_of({{"since", "-5m"}}) != "");
  CHECK(error_of({{"limit", "0"}}) != "");
  CHECK(error_of({{"limit", "99999999999999999999999"}}) != "");
  CHECK(error_of({{"follow", "1"}}) == "parameter follow=\"1\": must be true or false");
  CHECK(error_of({{"flow", "1"}, {"flow", "2"}}) == "parameter \"flow\" is given twice");
  CHECK(error_of({{"x\ny", "2"}}).find('\n') == std::string::npos);
}
