// What leaves for a destination with STAMP streams is read here at the offsets of RFC 8762 section 4.2, and a reflector
// is imitated by the same.
#include "probe/streams.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "catch.hpp"
#include "packet/checksum.hpp"
#include "probe/engine.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kAgent = 0x0a000001;
constexpr std::uint32_t kReflector = 0xc0000201;
constexpr std::size_t kUdp = 20;
constexpr std::size_t kPayload = 28;

class Sink final : public RoundSink {
 public:
  void on_round(const Round& round) override { rounds.push_back(round); }
  void on_stream(const StreamReport& report) override {
    counts += report.counts;
    mode = report.mode;
    if (report.exchange) exchanges.push_back(*report.exchange);
  }
  std::vector<Round> rounds;
  std::vector<StreamExchange> exchanges;
  stamp::OnewayCounts counts;
  stamp::ReflectorMode mode = stamp::ReflectorMode::unknown;
};

DestinationPlan plan() {
  return {.address = IpAddress::v4(kReflector),
          .port = 862,
          .source_ports = 40000,
          .flows = 1,
          .interval = 10s,
          .timeout = 2s,
          .max_ttl = 3,
          .stamp = true,
          .packet_interval = 1s};
}

/// The reply to a datagram, as a stateful reflector one hop away sends it; TLVs come back as they were.
Bytes reply_to(const Bytes& request, std::uint32_t number, std::uint32_t from = kReflector) {
  Bytes reply(request.size(), 0);
  reply[0] = 0x45;
  store16(reply, 2, static_cast<std::uint16_t>(reply.size()));
  reply[8] = 254;
  reply[9] = 17;
  store32(reply, 12, from);
  store32(reply, 16, kAgent);
  store16(reply, 10, static_cast<std::uint16_t>(~packet::ones_complement_sum(ByteView(reply).first(20))));
  store16(reply, kUdp, 862);
  store16(reply, kUdp + 2, load16(request, kUdp));
  store16(reply, kUdp + 4, static_cast<std::uint16_t>(reply.size() - kUdp));
  const MutableBytes payload = MutableBytes(reply).subspan(kPayload);
  const ByteView asked = ByteView(request).subspan(kPayload);
  std::copy(asked.begin() + 44, asked.end(), payload.begin() + 44);
  store32(payload, 0, number);
  store32(payload, 4, 3900000000u);                                    // T3
  store16(payload, 12, 0x0001);                                        // error estimate
  store16(payload, 14, load16(asked, 14));                             // SSID
  store32(payload, 16, 3900000000u);                                   // T2
  std::copy(asked.begin(), asked.begin() + 14, payload.begin() + 24);  // S, T1, the sender's error estimate
  payload[40] = request[8];
  return reply;
}

bool is_trace(const Bytes& datagram) {
  return (datagram[kPayload] & 0x80) != 0;
}

/// Runs the engine, and has what `answers` takes answered after 20 ms by a reflector that counts.
template <typename Answers>
std::vector<Bytes> run(Engine& engine, Sink& sink, Duration time, Answers answers, Instant& now,
                       std::uint32_t from = kReflector) {
  std::vector<Bytes> sent;
  std::multimap<Instant, Bytes> replies;
  std::uint32_t number = 0;
  for (const Instant end = now + time; now < end; now += 1ms) {
    const auto batch = engine.poll(now, 100, sink);
    for (Outgoing& outgoing : batch) {
      outgoing.at = now;
      sent.emplace_back(outgoing.bytes.begin(), outgoing.bytes.end());
      // Whatever reaches the reflector it counts.
      if (sent.back()[8] >= 1 && answers(sent.back()))
        replies.emplace(now + 20ms, reply_to(sent.back(), number++, from));
    }
    engine.on_sent(batch);
    while (!replies.empty() && replies.begin()->first <= now) {
      engine.on_captured({.bytes = replies.begin()->second, .at = replies.begin()->first}, sink);
      replies.erase(replies.begin());
    }
  }
  return sent;
}

}  // namespace

TEST_CASE("A flow's stream and its trace look alike to routers, and are told apart by their numbers", "[stamp]") {
  Engine engine({.secret = {1, 2}});
  engine.set_wall_offset(1000000h);
  Sink sink;
  Instant now{1000s};
  REQUIRE(engine.add(plan(), now) == 0u);
  engine.set_source(0, IpAddress::v4(kAgent));
  const auto sent = run(engine, sink, 30s, [](const Bytes&) { return true; }, now);
  std::size_t stream = 0;
  std::uint32_t last = 0;
  for (const Bytes& datagram : sent) {
    CHECK(datagram.size() == 88);
    CHECK(ByteView(datagram).subspan(12, 8).size() == 8);
    CHECK(load32(datagram, 12) == kAgent);
    CHECK(load32(datagram, 16) == kReflector);
    CHECK(load16(datagram, kUdp) == 40000);
    CHECK(load16(datagram, kUdp + 2) == 862);
    const ByteView payload = ByteView(datagram).subspan(kPayload);
    // RFC 8762 section 4.2.1: what must be zero is zero.
    CHECK(std::all_of(payload.begin() + 16, payload.begin() + 44, [](std::uint8_t byte) { return byte == 0; }));
    CHECK(payload[13] != 0);           // multiplier, RFC 4656 section 4.1.2
    CHECK((payload[44] & 0x80) != 0);  // U, RFC 8972 section 4
    CHECK(payload[45] == 1);           // padding
    CHECK(load16(payload, 46) == 12);
    const std::uint16_t pseudo = packet::pseudo_header_sum(IpAddress::v4(kAgent), IpAddress::v4(kReflector), 17, 68);
    CHECK(packet::ones_complement_sum(ByteView(datagram).subspan(kUdp), pseudo) == 0xffff);
    if (is_trace(datagram)) continue;
    CHECK(datagram[8] == 255);
    const std::uint32_t sequence = load32(payload, 0);
    if (stream++ > 0) CHECK(sequence > last);
    last = sequence;
    CHECK(load32(payload, 4) > 0);
  }
  CHECK(stream >= 29);
  CHECK(stream <= 31);
  CHECK(last > stream - 1);  // a number was left out
  CHECK(sent.size() > stream);
  CHECK(sink.mode == stamp::ReflectorMode::stateful);
  REQUIRE_FALSE(sink.rounds.empty());
  CHECK(sink.rounds.front().reached());
  CHECK(sink.rounds.front().distance == 1);
  REQUIRE_FALSE(sink.exchanges.empty());
  CHECK(sink.exchanges.front().ttl_there == 255);
  CHECK(sink.exchanges.front().ttl_back == 254);
  CHECK(sink.exchanges.front().times->received - sink.exchanges.front().times->sent == 20ms);
  CHECK(engine.counters().ignored[static_cast<std::size_t>(Ignored::bad_identity)] == 0);
}

TEST_CASE("A reflector may answer with another address of its own, in the session that it was asked in", "[stamp]") {
  constexpr std::uint32_t kElsewhere = 0xc6336409;
  Engine engine({.secret = {1, 2}});
  Sink sink;
  Instant now{1000s};
  REQUIRE(engine.add(plan(), now) == 0u);
  engine.set_source(0, IpAddress::v4(kAgent));
  const auto sent = run(engine, sink, 30s, [](const Bytes&) { return true; }, now, kElsewhere);
  CHECK(sink.mode == stamp::ReflectorMode::stateful);
  CHECK(sink.counts.forward + sink.counts.reverse + sink.counts.unresolved == 0);
  CHECK(sink.exchanges.size() >= 29);
  REQUIRE_FALSE(sink.rounds.empty());
  CHECK(sink.rounds.front().reached());
  CHECK(sink.rounds.front().hops.back().responder == IpAddress::v4(kElsewhere));

  const auto ignored = [&] { return engine.counters().ignored[static_cast<std::size_t>(Ignored::unknown_flow)]; };
  const auto before = ignored();
  Bytes forged = reply_to(sent.back(), 1000, kElsewhere);
  store16(forged, kPayload + 14, static_cast<std::uint16_t>(load16(forged, kPayload + 14) + 4));  // another session
  engine.on_captured({.bytes = forged, .at = now}, sink);
  store16(forged, kPayload + 14, 0);  // none
  engine.on_captured({.bytes = forged, .at = now}, sink);
  CHECK(ignored() == before + 2);
  engine.remove(0);
  engine.on_captured({.bytes = reply_to(sent.back(), 1001, kElsewhere), .at = now}, sink);
  CHECK(ignored() == before + 3);
}

TEST_CASE("The engine's streams show which way packets were lost, though the trace shares the reflector's numbers",
          "[stamp]") {
  Engine engine({.secret = {1, 2}});
  Sink sink;
  Instant now{1000s};
  REQUIRE(engine.add(plan(), now) == 0u);
  engine.set_source(0, IpAddress::v4(kAgent));
  std::uint64_t lost = 0;
  std::uint64_t packets = 0;
  run(
      engine, sink, 300s,
      [&](const Bytes& datagram) {
        if (is_trace(datagram)) return true;
        if (++packets % 10 != 0 || packets > 290) return true;
        ++lost;
        return false;
      },
      now);
  CHECK(sink.counts.forward == lost);
  CHECK(sink.counts.reverse == 0);
  CHECK(sink.counts.unresolved == 0);
  CHECK(sink.counts.resolved > 280);
}

TEST_CASE("One-way delays come with the claims of both clocks, in packets and in replies", "[stamp]") {
  // The reflector's clock: T2 and T3 are this, whatever the time is (seconds since 1900).
  constexpr Duration kReflected = std::chrono::seconds(3900000000 - 2208988800);
  for (const bool ours : {false, true}) {
    for (const bool theirs : {false, true}) {
      CAPTURE(ours, theirs);
      Engine engine({.secret = {1, 2}});
      Sink sink;
      Instant now{1000s};
      REQUIRE(engine.add(plan(), now) == 0u);
      engine.set_source(0, IpAddress::v4(kAgent));
      // What leaves at 1000 s, by our clock, arrives 5 ms later by that of the reflector.
      engine.set_wall_offset(kReflected - 5ms - 1000s);
      REQUIRE(engine.has_streams());
      if (ours) engine.set_clock(stamp::ErrorEstimate::of(1ms, true));
      bool first = true;
      for (const Instant end = now + 5s; now < end && sink.exchanges.empty(); now += 1ms) {
        const auto batch = engine.poll(now, 100, sink);
        for (Outgoing& outgoing : batch) {
          outgoing.at = now;
          const Bytes request(outgoing.bytes.begin(), outgoing.bytes.end());
          if (is_trace(request) || !std::exchange(first, false)) continue;
          // S is the highest bit of the error estimate (RFC 4656 section 4.1.2).
          CHECK(((request[kPayload + 12] & 0x80) != 0) == ours);
          engine.set_wall_offset(kReflected - 5ms - now.time_since_epoch());
          Bytes reply = reply_to(request, 0);
          store16(reply, kPayload + 12, theirs ? 0x8000 | 22 << 8 | 1 : 22 << 8 | 1);  // 2^-10 s
          engine.on_sent(batch);
          engine.on_captured({.bytes = reply, .at = now + 20ms}, sink);
        }
        engine.on_sent(batch);
      }
      REQUIRE(sink.exchanges.size() == 1);
      const StreamExchange& exchange = sink.exchanges.front();
      CHECK(exchange.synchronised == theirs);
      REQUIRE(exchange.delay.has_value() == (ours && theirs));
      if (!exchange.delay) continue;
      CHECK(exchange.delay->forward == 5ms);
      CHECK(exchange.delay->reverse == 15ms);
      CHECK(exchange.delay->error >= 1ms + 976us);
      CHECK(exchange.delay->error < 1ms + 1ms);
    }
  }
}

TEST_CASE("Replies that somebody else made up count for nothing", "[stamp]") {
  Engine engine({.secret = {1, 2}});
  Sink sink;
  Instant now{1000s};
  REQUIRE(engine.add(plan(), now) == 0u);
  engine.set_source(0, IpAddress::v4(kAgent));
  const auto sent = run(engine, sink, 3s, [](const Bytes&) { return false; }, now);
  for (Bytes forged : sent) {
    forged[kPayload + (is_trace(forged) ? 1 : 14)] ^= 0x10;  // the trace's tag, the stream's SSID
    Bytes reply = reply_to(forged, 0);
    engine.on_captured({.bytes = reply, .at = now}, sink);
  }
  CHECK(sink.exchanges.empty());
  CHECK(engine.counters().ignored[static_cast<std::size_t>(Ignored::bad_identity)] == sent.size());
}

TEST_CASE("Replies of a reflector that knows no SSID count, and we send none that is 0", "[stamp]") {
  // RFC 8972 section 3: a Session-Reflector that does not support the extension leaves its bytes zero.
  for (std::uint64_t secret = 0; secret < 64; ++secret) {
    Engine engine({.secret = {secret, 2}});
    Sink sink;
    Instant now{1000s};
    REQUIRE(engine.add(plan(), now) == 0u);
    engine.set_source(0, IpAddress::v4(kAgent));
    const auto sent = run(engine, sink, 1500ms, [](const Bytes&) { return false; }, now);
    std::size_t streamed = 0;
    for (const Bytes& datagram : sent) {
      CHECK(load16(datagram, kPayload + 14) != 0);
      if (is_trace(datagram)) continue;
      Bytes reply = reply_to(datagram, static_cast<std::uint32_t>(streamed++));
      store16(reply, kPayload + 14, 0);
      engine.on_captured({.bytes = reply, .at = now}, sink);
    }
    CHECK(streamed > 0);
    CHECK(sink.exchanges.size() == streamed);
  }
}
