#include "probe/limit_pattern.hpp"

#include <random>
#include <string>
#include <vector>

#include "catch.hpp"

namespace ecmp {
namespace {

using std::chrono::milliseconds;

/// One probe each `apart`, "1" answered.
bool explained(const char* answers, milliseconds apart) {
  std::vector<AskedProbe> probes;
  Instant at = Instant(std::chrono::seconds(1000));
  for (const char* one = answers; *one != 0; ++one, at += apart)
    probes.push_back({at, *one == '1'});
  return limit_explains(probes);
}

}  // namespace

TEST_CASE("answers that come as from a host's limit are no loss", "[limit_pattern]") {
  const auto repeated = [](const char* first, const char* then, int times) {
    std::string answers = first;
    for (int i = 0; i < times; ++i)
      answers += then;
    return answers;
  };
  // icmp_ratelimit = 1000: six at once, then one a second, as tcpdump shows it of Linux 6.18.
  CHECK(explained(repeated("111111", "0", 30).c_str(), milliseconds(10)));
  CHECK(explained(repeated("111111", "0000000001", 6).c_str(), milliseconds(100)));
  // Another trace has just used up the bucket.
  CHECK(explained(repeated("00001", "0000000001", 8).c_str(), milliseconds(100)));
  // IOS: one in 500 ms.
  CHECK(explained(repeated("", "10000", 12).c_str(), milliseconds(100)));
  // SR OS: 100 at once, then 10 a second.
  std::string deep(100, '1');
  for (int i = 0; i < 60; ++i)
    deep += i % 10 == 9 ? '1' : '0';
  CHECK(explained(deep.c_str(), milliseconds(10)));
}

TEST_CASE("losses that no limit would make are losses", "[limit_pattern]") {
  CHECK_FALSE(explained("1111110", milliseconds(100)));  // one loss after six answers is one loss
  CHECK_FALSE(explained("", milliseconds(50)));
  CHECK_FALSE(explained("1111111111", milliseconds(50)));
  CHECK_FALSE(explained("0000000000", milliseconds(50)));
  CHECK_FALSE(explained("11110", milliseconds(200)));  // a bucket of six is not empty
  CHECK_FALSE(explained("1101111111111011", milliseconds(50)));
  CHECK_FALSE(explained("0111011101110111", milliseconds(50)));  // one branch of four is dead
}

TEST_CASE("random loss is hardly ever taken for a limit, though each silence asks anew", "[limit_pattern]") {
  // 300 probes of which a share is lost, as ecmp_trace sends them: apart by more or less than limits have between
  // answers.
  std::mt19937_64 random(7);
  for (const double loss : {0.02, 0.1, 0.2, 0.5}) {
    for (const std::chrono::microseconds apart : {std::chrono::microseconds(2500), std::chrono::microseconds(50000)}) {
      int taken = 0;
      constexpr int kRuns = 50;
      for (int run = 0; run < kRuns; ++run) {
        std::vector<AskedProbe> probes;
        bool limited = false;
        for (int i = 0; i < 300 && !limited; ++i) {
          probes.push_back(
              {Instant(std::chrono::seconds(1000)) + i * apart, !std::bernoulli_distribution(loss)(random)});
          limited = !probes.back().answered && limit_explains(probes);
        }
        taken += limited ? 1 : 0;
      }
      CAPTURE(loss, apart.count(), taken);
      CHECK(taken <= 1);
    }
  }
}

}  // namespace ecmp
