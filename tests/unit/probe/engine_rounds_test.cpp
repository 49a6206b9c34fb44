// What the engine keeps apart on its own, without a network.
#include <map>
#include <string>
#include <vector>

#include "catch.hpp"
#include "probe/engine.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

class NoRounds final : public RoundSink {
 public:
  void on_round(const Round&) override {}
};

DestinationPlan plan() {
  return {.address = IpAddress::v4(0xc0000201),
          .flows = 1,
          .interval = 10ms,
          .timeout = 700ms,
          .max_ttl = 1,
          .ttl_gap = 0ms};
}

}  // namespace

TEST_CASE("two probes that look alike are never under way together", "[probe]") {
  Engine engine({.secret = {1, 2}});
  NoRounds rounds;
  Instant now{1000s};
  // Nothing answers: a round lasts 70 intervals, and a reply tells only 63 of them apart.
  REQUIRE(engine.add(plan(), now) == 0u);
  engine.set_source(0, IpAddress::v4(0x0a000001));
  std::map<std::string, Instant> sent;  // bytes, not a vector of them: g++ 12 misjudges comparing those at -O3
  for (const Instant end = now + 20s; now < end; now += 1ms) {
    const auto batch = engine.poll(now, 100, rounds);
    for (Outgoing& outgoing : batch) {
      outgoing.at = now;
      const auto [found, is_new] = sent.try_emplace(std::string(outgoing.bytes.begin(), outgoing.bytes.end()), now);
      if (is_new) continue;
      CHECK(now - found->second > 700ms);
      found->second = now;
    }
    engine.on_sent(batch);
  }
  CHECK(sent.size() == 63);
  CHECK(engine.counters().rounds_skipped > 0);
}

TEST_CASE("a destination may be removed, and its number used again, while its probes are on their way out", "[probe]") {
  Engine engine({.secret = {1, 2}});
  NoRounds rounds;
  const Instant now{1000s};
  REQUIRE(engine.add(plan(), now) == 0u);
  engine.set_source(0, IpAddress::v4(0x0a000001));
  const auto batch = engine.poll(now + 10ms, 100, rounds);
  REQUIRE(batch.size() == 1);
  batch.front().at = now + 10ms;
  batch.front().error = SendError::other;
  engine.remove(0);
  SECTION("not used again") {}
  SECTION("used again") {
    REQUIRE(engine.add(plan(), now) == 0u);
  }
  engine.on_sent(batch);
  CHECK(engine.counters().send_errors[static_cast<std::size_t>(SendError::other)] == 0);
}
