// Whatever somebody sends to us: nothing of it is taken for a reply.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "packet/checksum.hpp"
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

namespace {

/// The same datagram from another address, with the checksums that it has then (RFC 1071, RFC 8200 section 8.1).
std::vector<std::uint8_t> from(std::vector<std::uint8_t> bytes, const char* text) {
  const IpAddress source = *IpAddress::parse(text);
  const auto put = [&bytes](std::size_t at, std::uint16_t sum) {
    const auto checksum = static_cast<std::uint16_t>(~sum);
    bytes[at] = static_cast<std::uint8_t>(checksum >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(checksum & 0xff);
  };
  std::ranges::copy(source.bytes(), bytes.begin() + (source.is_v4() ? 12 : 8));
  const ByteView whole(bytes);
  if (source.is_v4()) {
    put(10, 0xffff);
    put(10, packet::ones_complement_sum(whole.first(20)));
  } else {
    constexpr std::size_t kHeader = 40;
    const IpAddress destination = IpAddress::v6(std::span<const std::uint8_t, 16>(bytes.data() + 24, 16));
    put(kHeader + 2, 0xffff);
    const auto length = static_cast<std::uint32_t>(bytes.size() - kHeader);
    put(kHeader + 2, packet::ones_complement_sum(whole.subspan(kHeader),
                                                 packet::pseudo_header_sum(source, destination, 58, length)));
  }
  return bytes;
}

}  // namespace

TEST_CASE("an answer from an address that no host on the way can have is no hop", "[engine][hostile]") {
  const auto run = [](Family family, const char* source) {
    Victim victim(Protocol::udp, family, {1, 2});
    for (const auto& reply : victim.replies.kept)
      victim.feed(from(reply, source));
    const std::uint64_t ignored = victim.engine.counters().ignored[static_cast<std::size_t>(Ignored::bad_source)];
    return std::pair(victim.answered(), ignored);
  };
  for (const auto& [family, wrong] : std::vector<std::pair<Family, const char*>>{{Family::ipv4, "0.0.0.0"},
                                                                                 {Family::ipv4, "224.0.0.1"},
                                                                                 {Family::ipv4, "239.255.255.250"},
                                                                                 {Family::ipv4, "255.255.255.255"},
                                                                                 {Family::ipv4, "127.0.0.1"},
                                                                                 {Family::ipv4, "127.255.0.9"},
                                                                                 {Family::ipv6, "::"},
                                                                                 {Family::ipv6, "::1"},
                                                                                 {Family::ipv6, "ff02::1"}}) {
    CAPTURE(wrong);
    const auto [answered, ignored] = run(family, wrong);
    CHECK(answered == 0);
    CHECK(ignored > 100);
  }
  for (const auto& [family, fine] : std::vector<std::pair<Family, const char*>>{
           {Family::ipv4, "10.9.8.7"}, {Family::ipv4, "169.254.1.1"}, {Family::ipv6, "fe80::1"}}) {
    CAPTURE(fine);
    const auto [answered, ignored] = run(family, fine);
    CHECK(answered > 100);
    CHECK(ignored == 0);
  }
}
