#include "stamp/reverse_tracer.hpp"

#include <map>
#include <set>

#include "catch.hpp"

using namespace ecmp;
using namespace ecmp::stamp;
using namespace std::chrono_literals;

namespace {

constexpr SipKey kSecret{1, 2};
constexpr BackAsked kThree{.routers = 3, .payload = 116, .traffic_class = 0};

IpAddress router(std::uint32_t number) {
  return IpAddress::v4(0x0a000000 + number);
}

SessionKey session(std::uint16_t port) {
  return {IpAddress::v4(0xc0000201), IpAddress::v4(0xc6336401), port, 10862, 7};
}

/// Time passes, and routers answer as `answers` says: by source port of the session and TTL.
struct Network {
  ReverseTracer tracer{kSecret};
  Instant now{100h};
  std::map<std::pair<std::uint16_t, std::uint8_t>, IpAddress> answers;
  std::vector<BackProbe> sent;
  std::vector<Instant> at;

  void run(Duration time, const std::vector<std::uint16_t>& asking, const BackAsked& asked = kThree) {
    for (const Instant end = now + time; now < end; now += 5ms) {
      if (now.time_since_epoch() % 1s == 0s)
        for (const std::uint16_t port : asking)
          tracer.ask(session(port), asked, now);
      while (const auto probe = tracer.next(now)) {
        sent.push_back(*probe);
        at.push_back(now);
        const auto answer = answers.find({probe->session.source_port, probe->ttl});
        if (answer != answers.end()) tracer.on_expired(probe->session, probe->mark, answer->second, now);
      }
    }
  }
  /// Asks until each router was reported.
  std::vector<IpAddress> path(std::uint16_t port, std::uint32_t& id) {
    std::vector<IpAddress> hops;
    for (int i = 0; i < 64; ++i) {
      const auto told = tracer.ask(session(port), kThree, now);
      if (!told) return {};
      hops.resize(told->hops);
      REQUIRE(told->hop >= 1);
      REQUIRE(told->hop <= told->hops);
      hops[told->hop - 1u] = told->address;
      id = told->id;
    }
    return hops;
  }
};

}  // namespace

TEST_CASE("The routers on the way back are found and reported one by one", "[stamp][reverse]") {
  Network network;
  for (std::uint8_t ttl = 1; ttl <= 3; ++ttl)
    network.answers[{40000, ttl}] = router(ttl);
  CHECK_FALSE(network.tracer.ask(session(40000), kThree, network.now));
  network.run(2s, {40000});
  std::uint32_t id = 0;
  CHECK(network.path(40000, id) == std::vector{router(1), router(2), router(3)});
  CHECK(id == path_id_of({router(1), router(2), router(3)}));
  REQUIRE(network.sent.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(network.sent[i].ttl == i + 1);  // never as many as reach the sender
    CHECK(network.sent[i].payload == 116);
  }
  // Known routers are asked once a minute.
  network.run(55s, {40000});
  CHECK(network.sent.size() == 3);
  network.run(20s, {40000});
  CHECK(network.sent.size() == 6);
}

TEST_CASE("A router that keeps quiet is asked again, and stands for itself once it answers", "[stamp][reverse]") {
  Network network;
  network.answers[{40000, 1}] = router(1);
  network.answers[{40000, 3}] = router(3);
  network.run(15s, {40000});
  std::uint32_t first = 0;
  CHECK(network.path(40000, first) == std::vector{router(1), IpAddress(), router(3)});
  network.answers[{40000, 2}] = router(2);
  network.run(30s, {40000});
  std::uint32_t second = 0;
  CHECK(network.path(40000, second) == std::vector{router(1), router(2), router(3)});
  CHECK(first != second);
}

TEST_CASE("Another router takes a place when it has answered twice", "[stamp][reverse]") {
  Network network;
  for (std::uint8_t ttl = 1; ttl <= 3; ++ttl)
    network.answers[{40000, ttl}] = router(ttl);
  network.run(5s, {40000});
  network.answers[{40000, 2}] = router(22);
  network.run(66s, {40000});
  network.run(20s, {40000});
  std::uint32_t id = 0;
  CHECK(network.path(40000, id) == std::vector{router(1), router(22), router(3)});
}

TEST_CASE("Only who has seen a probe can answer it", "[stamp][reverse]") {
  ReverseTracer tracer(kSecret);
  const Instant now(100h);
  tracer.ask(session(40000), kThree, now);
  const auto probe = tracer.next(now);
  REQUIRE(probe);
  auto forged = probe->mark;
  forged[7] ^= 1;
  CHECK_FALSE(tracer.on_expired(probe->session, forged, router(9), now));
  CHECK_FALSE(tracer.on_expired(probe->session, {}, router(9), now));
  CHECK_FALSE(tracer.on_expired(session(40001), probe->mark, router(9), now));
  CHECK_FALSE(tracer.on_expired(probe->session, probe->mark, *IpAddress::parse("2001:db8::1"), now));
  CHECK(tracer.on_expired(probe->session, probe->mark, router(1), now));
  CHECK_FALSE(tracer.on_expired(probe->session, probe->mark, router(9), now));  // once only
}

TEST_CASE("However many sessions ask, probes are paced and memory is bounded", "[stamp][reverse]") {
  Network network;
  std::vector<std::uint16_t> ports;
  for (std::uint32_t port = 2000; port < 2000 + ReverseTracer::kMostSessions + 1000; ++port)
    ports.push_back(static_cast<std::uint16_t>(port));
  network.run(10s, ports);
  CHECK(network.tracer.sessions() == ReverseTracer::kMostSessions);
  CHECK(network.sent.size() >= 1900);
  CHECK(network.sent.size() <= 2011);  // 200 a second, and ten at once
  // Nobody asks any more: they are forgotten, without another probe.
  network.run(ReverseTracer::kForget + 1s, {});
  const std::size_t sent = network.sent.size();
  network.run(30s, {});
  CHECK(network.tracer.sessions() == 0);
  CHECK(network.sent.size() == sent);
}

TEST_CASE("A distance that makes no sense is not traced", "[stamp][reverse]") {
  ReverseTracer tracer(kSecret);
  const Instant now(100h);
  for (const std::uint8_t routers : std::initializer_list<std::uint8_t>{0, 33, 255})
    CHECK_FALSE(tracer.ask(session(40000), {.routers = routers, .payload = 116, .traffic_class = 0}, now));
  CHECK(tracer.sessions() == 0);
  CHECK_FALSE(tracer.next(now));
}

TEST_CASE("A way that got shorter has no routers behind its end", "[stamp][reverse]") {
  Network network;
  for (std::uint8_t ttl = 1; ttl <= 3; ++ttl)
    network.answers[{40000, ttl}] = router(ttl);
  network.run(5s, {40000});
  const auto told = network.tracer.ask(session(40000), {.routers = 2, .payload = 116, .traffic_class = 0}, network.now);
  REQUIRE(told);
  CHECK(told->hops == 2);
  CHECK(told->id == path_id_of({router(1), router(2)}));
}
