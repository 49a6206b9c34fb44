// Patterns of good and severe seconds, and what ITU-T G.826 annex A makes of them: ten severe seconds begin
// unavailable time and belong to it, ten others end it and do not.
#include "path/oneway/loss_seconds.hpp"

#include <string>
#include <string_view>

#include "catch.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

/// A letter for each second: g good, s severe, a blank for one without packets. Four packets a second.
LossSecondsSum sum_of(std::string_view pattern) {
  LossSeconds seconds;
  Instant at(5h);
  for (const char kind : pattern) {
    for (int i = 0; i < 4 && kind != ' '; ++i)
      seconds.add(at + i * 250ms, kind == 's' && i > 0);
    at += 1s;
    seconds.close(at);
  }
  return seconds.sum();
}

}  // namespace

TEST_CASE("Fewer than ten severe seconds in a row are severe, ten are unavailable time", "[stamp]") {
  CHECK(sum_of("gggsgggssg") == LossSecondsSum{3, 0});
  CHECK(sum_of("gsssssssssg") == LossSecondsSum{9, 0});
  CHECK(sum_of("gssssssssssg") == LossSecondsSum{0, 10});
  CHECK(sum_of("gssssssssssgs") == LossSecondsSum{0, 12});  // the good one has not ended it
  CHECK(sum_of("gssssssssssgggggggggg") == LossSecondsSum{0, 10});
  CHECK(sum_of("sssssssssssss") == LossSecondsSum{0, 13});
}

TEST_CASE("Ten good seconds in a row end unavailable time, fewer do not", "[stamp]") {
  CHECK(sum_of("ssssssssssgggggggggsgggggggggg") == LossSecondsSum{0, 20});
  CHECK(sum_of("ssssssssssggggggggggsgggg") == LossSecondsSum{1, 10});
  CHECK(sum_of("ssssssssssggggggggggssssssssss") == LossSecondsSum{0, 20});
}

TEST_CASE("A row that has not ended is not counted yet", "[stamp]") {
  CHECK(sum_of("gsssss") == LossSecondsSum{0, 0});
  CHECK(sum_of("sssssssssssggggg") == LossSecondsSum{0, 11});
}

TEST_CASE("Seconds without packets say nothing, and a minute of them begins anew", "[stamp]") {
  CHECK(sum_of("sssss   sssss") == LossSecondsSum{0, 10});
  CHECK(sum_of("sssss   ssssg") == LossSecondsSum{9, 0});
  CHECK(sum_of("sssss" + std::string(60, ' ') + "sssssg") == LossSecondsSum{10, 0});
  CHECK(sum_of("ssssssssss" + std::string(60, ' ') + "gsg") == LossSecondsSum{1, 10});
}

TEST_CASE("A second in which half of the packets are lost is not severe, and packets come in any order", "[stamp]") {
  LossSeconds seconds;
  const Instant begin(5h);
  seconds.add(begin + 1500ms, true);
  seconds.add(begin + 100ms, true);
  seconds.add(begin + 1100ms, true);
  seconds.add(begin + 900ms, false);
  seconds.add(begin + 2s, false);
  seconds.close(begin + 3s);
  CHECK(seconds.sum() == LossSecondsSum{1, 0});
  seconds.add(begin + 2500ms, true);  // too late
  seconds.add(begin + 2600ms, true);
  seconds.add(begin + 3s, false);
  seconds.close(begin + 4s);
  CHECK(seconds.sum() == LossSecondsSum{1, 0});
}
