// Whatever somebody sends to us: nothing of it is taken for a reply.
#include <string>
#include <vector>

#include "packet/message.hpp"
#include "sim/engine_fixture.hpp"
#include "sim/random.hpp"
#include "sim/scenario_files.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

/// Keeps what the network answers, unseen by the engine's side.
class Recorder final : public CaptureSink {
 public:
  void on_captured(const Captured& datagram) override {
    kept.emplace_back(datagram.bytes.begin(), datagram.bytes.end());
  }
  std::vector<std::vector<std::uint8_t>> kept;
};

class NoRounds final : public RoundSink {
 public:
  void on_round(const Round& round) override { rounds.push_back(round); }
  std::vector<Round> rounds;
};

/// An engine with 32 flows that has sent a first probe of each and heard nothing.
struct Victim {
  Victim(Protocol protocol, Family family, const SipKey& secret)
      : scenario(load_scenario("fan_4")), network(scenario, 1), engine({.secret = secret}) {
    DestinationPlan plan;
    plan.address = network.address("dst", family);
    plan.protocol = protocol;
    plan.flows = 32;
    plan.interval = 1h;
    plan.timeout = 50min;
    plan.start_spread = 1ms;
    first = *engine.add(plan, network.now());
    for (std::uint32_t flow = first; flow < first + plan.flows; ++flow) {
      engine.set_source(flow, network.address("agent", family));
    }
    now = network.now() + 10s;
    for (int turn = 0; turn < 200; ++turn) {
      const auto batch = engine.poll(now, 128, sink);
      for (Outgoing& outgoing : batch)
        outgoing.at = now;
      network.send(batch);
      for (Outgoing& outgoing : batch)
        outgoing.at = now;
      engine.on_sent(batch);
      now += 50ms;
    }
    network.receive(network.now() + 10min, replies);
    while (network.packets_on_the_way() > 0)
      network.receive(network.now() + 10min, replies);
  }

  void feed(ByteView bytes) { engine.on_captured({.bytes = bytes, .at = now}, sink); }

  /// Probes under way have not changed: every one of them still times out.
  [[nodiscard]] std::size_t answered() {
    now += 3h;
    for (int turn = 0; turn < 400; ++turn)
      engine.on_sent(engine.poll(now, 128, sink));
    std::size_t count = 0;
    for (const Round& round : sink.rounds) {
      for (const HopResult& hop : round.hops)
        count += hop.responder.is_unspecified() ? 0u : 1u;
    }
    return count;
  }

  Scenario scenario;
  SimulatedNetwork network;
  Engine engine;
  NoRounds sink;
  Recorder replies;
  std::uint32_t first = 0;
  Instant now;
};

void mutate(std::vector<std::uint8_t>& bytes, Random& random) {
  const auto changes = 1 + random.below(4);
  for (std::uint64_t i = 0; i < changes; ++i) {
    switch (random.below(3)) {
      case 0:
        bytes[random.below(bytes.size())] ^= static_cast<std::uint8_t>(1u << random.below(8));
        break;
      case 1:
        bytes[random.below(bytes.size())] = static_cast<std::uint8_t>(random.below(256));
        break;
      default:
        bytes.resize(1 + random.below(bytes.size()));
        break;
    }
  }
}

}  // namespace

TEST_CASE("a million random datagrams are no replies", "[engine][hostile]") {
  const Seed seed(140);
  Random random(seed);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    Victim victim(Protocol::udp, family, {1, 2});
    std::vector<std::uint8_t> bytes;
    for (int i = 0; i < 500'000; ++i) {
      bytes.resize(random.below(120));
      for (std::uint8_t& byte : bytes)
        byte = static_cast<std::uint8_t>(random.below(256));
      if (!bytes.empty()) bytes[0] = family == Family::ipv4 ? 0x45 : 0x60;  // or most would end at the first byte
      victim.feed(bytes);
    }
    CHECK(victim.answered() == 0);
  }
}

TEST_CASE("a million answers to somebody else's probes, whole and altered, close none of ours", "[engine][hostile]") {
  const Seed seed(141);
  Random random(seed);
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      CAPTURE(static_cast<int>(protocol), static_cast<int>(family));
      // Same addresses, ports, TTLs and rounds; only the secret is another: what an attacker off the path can have.
      const Victim stranger(protocol, family, {3, 4});
      Victim victim(protocol, family, {1, 2});
      REQUIRE(stranger.replies.kept.size() > 100);
      std::vector<std::uint8_t> bytes;
      for (int i = 0; i < 170'000; ++i) {
        bytes = stranger.replies.kept[random.below(stranger.replies.kept.size())];
        if (i % 4 != 0) mutate(bytes, random);
        victim.feed(bytes);
      }
      CHECK(victim.answered() == 0);
    }
  }
}

TEST_CASE("the victim of these tests does believe its own answers", "[engine][hostile]") {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    Victim victim(Protocol::udp, family, {1, 2});
    for (const auto& reply : victim.replies.kept)
      victim.feed(reply);
    CHECK(victim.answered() > 100);
  }
}
