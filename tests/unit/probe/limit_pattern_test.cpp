#include "probe/limit_pattern.hpp"

#include <random>
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
  // icmp_ratelimit = 1000: six at once, then one a second, as tcpdump shows it of Linux 6.18.
  CHECK(explained("1111110000", milliseconds(50)));
  CHECK(explained("11111100000000010000000001", milliseconds(100)));
  CHECK(explained("1111110", milliseconds(100)));
  // Another trace has just used up the bucket.
  CHECK(explained("0000100000000010000000001000000000", milliseconds(100)));
  // IOS: one in 500 ms.
  CHECK(explained("1000010000100001000010000", milliseconds(100)));
  // SR OS: 100 at once, then 10 a second.
  std::string deep(100, '1');
  for (int i = 0; i < 60; ++i)
    deep += i % 10 == 9 ? '1' : '0';
  CHECK(explained(deep.c_str(), milliseconds(10)));
}

TEST_CASE("losses that no limit would make are losses", "[limit_pattern]") {
  CHECK_FALSE(explained("", milliseconds(50)));
  CHECK_FALSE(explained("1111111111", milliseconds(50)));
  CHECK_FALSE(explained("0000000000", milliseconds(50)));
  CHECK_FALSE(explained("11110", milliseconds(200)));  // a bucket of six is not empty
  CHECK_FALSE(explained("1101111111111011", milliseconds(50)));
  CHECK_FALSE(explained("0111011101110111", milliseconds(50)));  // one branch of four is dead
}

TEST_CASE("random loss is hardly ever taken for a limit", "[limit_pattern]") {
  // 5 to 400 probes within a second, as ecmp_trace sends them, of which p are lost.
  std::mt19937_64 random(7);
  for (const double loss : {0.02, 0.2, 0.5}) {
    for (const int count : {5, 16, 64, 400}) {
      int taken = 0;
      constexpr int kRuns = 2000;
      for (int run = 0; run < kRuns; ++run) {
        std::vector<AskedProbe> probes;
        for (int i = 0; i < count; ++i)
          probes.push_back({Instant(std::chrono::nanoseconds(1000000000LL * i / count)),
                            !std::bernoulli_distribution(loss)(random)});
        taken += limit_explains(probes) ? 1 : 0;
      }
      INFO(count << " probes, loss " << loss << ": " << taken << " of " << kRuns);
      // Few probes of which half are lost often look like an empty bucket: then nothing is said.
      const int most = count <= 16 && loss == 0.5 ? kRuns / 6 : count <= 16 ? kRuns / 20 : kRuns / 200;
      CHECK(taken <= most);
    }
  }
}

}  // namespace ecmp
