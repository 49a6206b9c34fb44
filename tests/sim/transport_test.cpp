// Time, order and repetition: the seam itself.
#include <algorithm>

#include "sim/prober.hpp"
#include "sim/scenario_files.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

/// Everything that came back, bytes and times, from a run that uses every kind of chance.
std::vector<std::pair<Instant, std::vector<std::uint8_t>>> life(std::string_view scenario, std::uint64_t seed) {
  SimulatedNetwork network(load_scenario(scenario), seed);
  Prober prober(network);
  std::vector<std::pair<Instant, std::vector<std::uint8_t>>> all;
  for (std::uint16_t i = 0; i < 300; ++i) {
    for (std::uint8_t ttl = 1; ttl < 7; ++ttl)
      prober.send(prober.udp("dst", static_cast<std::uint16_t>(50000 + i % 16), ttl));
    for (Reply& reply : prober.wait(10ms))
      all.emplace_back(reply.at, std::move(reply.bytes));
  }
  return all;
}

}  // namespace

TEST_CASE("the same seed gives the same bytes at the same times, another one does not", "[transport]") {
  const Seed seed(50);
  for (const std::string_view scenario : {"duplicates_reorder", "reply_loss_30", "per_packet", "nat"}) {
    const auto first = life(scenario, seed);
    CHECK(first.size() > 500);
    CHECK(first == life(scenario, seed));
    CHECK(first != life(scenario, seed + 1));
  }
}

TEST_CASE("time moves to what arrives, and to the deadline when nothing does", "[transport]") {
  const Seed seed(51);
  SimulatedNetwork network(load_scenario("fan_4"), seed);
  Prober prober(network);
  const Instant start = network.now();
  CHECK(start == SimulatedNetwork::kStart);
  network.receive(start + 10ms, prober);
  CHECK(network.now() == start + 10ms);

  prober.send(prober.udp("dst", 50000, 1));
  prober.send(prober.udp("dst", 50000, 2));
  network.receive(start + 1s, prober);
  CHECK(network.now() == start + 12ms);
  network.receive(start + 13ms, prober);
  CHECK(network.now() == start + 13ms);
  network.receive(start + 1s, prober);
  CHECK(network.now() == start + 14ms);
  // A deadline that has passed takes in nothing and does not turn time back.
  network.receive(start, prober);
  CHECK(network.now() == start + 14ms);
  CHECK(prober.wait(0s).size() == 2);
}

TEST_CASE("a batch is stamped with the time of its sending", "[transport]") {
  const Seed seed(52);
  SimulatedNetwork network(load_scenario("fan_4"), seed);
  Prober prober(network);
  prober.wait(3s);
  std::array<std::array<std::uint8_t, 100>, 2> bytes{};
  std::array<Outgoing, 2> batch{};
  batch[0].bytes = packet::write_probe(prober.udp("dst", 50000, 1), bytes[0]);
  batch[1].bytes = packet::write_probe(prober.udp("dst", 50001, 2), bytes[1]);
  network.send(batch);
  for (const Outgoing& outgoing : batch) {
    CHECK(outgoing.error == SendError::none);
    CHECK(outgoing.at == SimulatedNetwork::kStart + 3s);
  }
  CHECK(prober.wait().size() == 2);
  CHECK(network.counts().sent == 2);
  CHECK(network.counts().delivered == 2);
}

TEST_CASE("blocks of packets come late, with exact stamps, in the order of their arrival", "[transport]") {
  const Seed seed(53);
  SimulatedNetwork network(load_scenario("duplicates_reorder"), seed);
  network.set_delivery_block(8ms);
  Prober prober(network);
  for (std::uint16_t port = 50000; port < 50100; ++port)
    prober.send(prober.udp("dst", port, 9));
  std::vector<Reply> replies;
  bool stamps_differ = false;
  while (network.packets_on_the_way() > 0) {
    network.receive(network.now() + 1h, prober);
    for (Reply& reply : prober.wait(0s)) {
      CHECK(network.now().time_since_epoch() % 8ms == 0ns);
      CHECK(reply.at <= network.now());
      CHECK(reply.at > network.now() - 8ms);
      stamps_differ = stamps_differ || reply.at != network.now();
      replies.push_back(std::move(reply));
    }
  }
  CHECK(stamps_differ);
  CHECK(replies.size() >= 100);
  CHECK(std::ranges::is_sorted(replies, {}, &Reply::at));
}

TEST_CASE("heavy jitter brings replies out of order, doubling links bring them twice", "[transport]") {
  const Seed seed(54);
  SimulatedNetwork network(load_scenario("duplicates_reorder"), seed);
  Prober prober(network);
  std::vector<std::uint16_t> order;
  for (std::uint16_t i = 0; i < 1000; ++i) {
    prober.send(prober.udp("dst", static_cast<std::uint16_t>(40000 + i), 9));
    for (const Reply& reply : prober.wait(100us))
      order.push_back(reply.error()->quote.tuple.source_port);
  }
  for (const Reply& reply : prober.wait(10s))
    order.push_back(reply.error()->quote.tuple.source_port);
  CHECK_FALSE(std::ranges::is_sorted(order));
  // 2 % and 5 % of the probes, and 5 % of the replies.
  CHECK(order.size() > 1070);
  CHECK(order.size() < 1190);
  CHECK(network.counts_of("r2", "dst").duplicated > 25);
  CHECK(network.counts_of("r1", "agent").duplicated == 0);
  CHECK(network.packets_on_the_way() == 0);
}

TEST_CASE("an attacker's bytes arrive as they are, when they are meant to", "[transport]") {
  const Seed seed(55);
  SimulatedNetwork network(load_scenario("fan_4"), seed);
  Prober prober(network);
  const std::vector<std::uint8_t> rubbish{1, 2, 3};
  network.inject(rubbish, network.now() + 5ms);
  network.inject({}, network.now() + 4ms);
  const auto replies = prober.wait();
  REQUIRE(replies.size() == 2);
  CHECK(replies[0].bytes.empty());
  CHECK(replies[0].at == SimulatedNetwork::kStart + 4ms);
  CHECK(replies[1].bytes == rubbish);
  CHECK(replies[1].at == SimulatedNetwork::kStart + 5ms);
  CHECK(std::holds_alternative<packet::ParseError>(replies[1].message));
}

TEST_CASE("packets of every length and kind are survived", "[transport]") {
  const Seed seed(56);
  Random random(seed);
  SimulatedNetwork network(load_scenario("nat"), seed);
  Prober prober(network);
  std::array<std::uint8_t, 200> bytes{};
  for (int i = 0; i < 20000; ++i) {
    const auto probe =
        prober.udp("dst", static_cast<std::uint16_t>(random.below(65536)), static_cast<std::uint8_t>(random.below(256)),
                   random.below(2) == 0 ? Family::ipv4 : Family::ipv6);
    const std::size_t size = packet::write_probe(probe, bytes).size();
    for (std::uint64_t flips = random.below(4); flips > 0; --flips)
      bytes[random.below(size)] ^= static_cast<std::uint8_t>(1u << random.below(8));
    prober.send(ByteView(bytes).first(random.below(10) == 0 ? random.below(size) : size));
    if (i % 100 == 0) prober.wait(10ms);
  }
  prober.wait();
  CHECK(network.packets_on_the_way() == 0);
  CHECK(network.counts().malformed > 1000);
  CHECK(network.counts().delivered > 1000);
}
