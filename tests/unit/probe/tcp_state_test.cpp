// Which SYN-ACK answers, and which RST has to be sent.
#include "probe/tcp_state.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "packet/message.hpp"
#include "packet/probe_datagram.hpp"

using namespace ecmp;
using namespace std::chrono_literals;
using Verdict = AnswerPace::Verdict;

TEST_CASE("a SYN-ACK that is a retransmission timer late was sent again", "[probe][tcp]") {
  struct Row {
    const char* what;
    Duration usual;
    Duration on_the_way;
    Duration rtt;
    Verdict verdict;
  };
  // RFC 6298 section 2: the first timer is 1 s, and doubles. Linux 6.18, measured: 1.0, 3.0, 7.2, 15.4, 31.5 s.
  const std::vector<Row> rows{
      {"the usual time", 12ms, 10ms, 12ms, Verdict::answer},
      {"a queue", 12ms, 10ms, 600ms, Verdict::answer},
      {"the first timer", 12ms, 10ms, 1012ms, Verdict::resent},
      {"the first timer, a busy destination", 12ms, 10ms, 1080ms, Verdict::resent},
      {"the second timer", 12ms, 10ms, 3012ms, Verdict::resent},
      {"the third timer of Linux", 12ms, 10ms, 7212ms, Verdict::resent},
      {"the fourth", 12ms, 10ms, 15412ms, Verdict::resent},
      {"the fifth", 12ms, 10ms, 31512ms, Verdict::resent},
      {"between two timers", 12ms, 10ms, 2000ms, Verdict::answer},
      {"a satellite", 600ms, 550ms, 620ms, Verdict::answer},
      {"a satellite and the first timer", 600ms, 550ms, 1600ms, Verdict::resent},
      {"the last hops have become slow as well", 12ms, 1000ms, 1012ms, Verdict::answer},
      {"a way of a second", 1050ms, 0ms, 1060ms, Verdict::answer},
      {"a way of a second and the first timer", 1050ms, 0ms, 2060ms, Verdict::resent},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    AnswerPace pace;
    // What a way of a second takes is believed once it was seen often enough.
    for (int i = 0; i < 4; ++i)
      (void)pace.judge(row.usual, {}, {});
    REQUIRE(pace.usual() == row.usual);
    CHECK(pace.judge(row.rtt, {}, row.on_the_way) == row.verdict);
  }
}

TEST_CASE("a late answer with nothing to compare it with is undecided, and three in a row are believed",
          "[probe][tcp]") {
  AnswerPace pace;
  CHECK(pace.judge(1050ms, {}, {}) == Verdict::undecided);
  CHECK(pace.judge(1050ms, {}, {}) == Verdict::undecided);
  CHECK(pace.judge(1050ms, {}, {}) == Verdict::answer);
  CHECK(pace.judge(1050ms, {}, {}) == Verdict::answer);
  // An early one puts it right at once.
  CHECK(pace.judge(12ms, {}, {}) == Verdict::answer);
  CHECK(pace.judge(1012ms, {}, {}) == Verdict::resent);
}

TEST_CASE("a flow's first answer is compared with those of the other flows", "[probe][tcp]") {
  AnswerPace pace;
  CHECK(pace.judge(1012ms, 12ms, {}) == Verdict::resent);
  CHECK(pace.usual() == Duration{});
}

TEST_CASE("a way that has become a second longer is believed after eight answers", "[probe][tcp]") {
  AnswerPace pace;
  REQUIRE(pace.judge(12ms, {}, {}) == Verdict::answer);
  for (int i = 1; i < 8; ++i)
    CHECK(pace.judge(1012ms, {}, {}) == Verdict::resent);
  CHECK(pace.judge(1012ms, {}, {}) == Verdict::answer);
  CHECK(pace.usual() == 1012ms);
}

TEST_CASE("a RST is due when the kernel's was not seen to leave", "[probe][tcp]") {
  const IpAddress own = IpAddress::v4(0x0a000001);
  const Instant start{1000s};
  ResetWatch watch;
  CHECK(watch.next_due() == Instant::max());
  watch.await(1, 100, own, start);
  watch.await(1, 100, own, start + 1ms);  // the same SYN-ACK twice
  watch.await(2, 200, own, start + 2ms);
  watch.await(3, 300, own, start + 3ms);
  watch.seen(2, 201);  // of another connection
  watch.seen(2, 200);
  watch.forget(3, 1);
  CHECK(watch.next_due() == start + ResetWatch::kKernelsTime);
  CHECK_FALSE(watch.take(start + 99ms));
  const auto due = watch.take(start + 100ms);
  REQUIRE(due);
  CHECK(due->flow == 1);
  CHECK(due->sequence == 100);
  CHECK(due->source == own);
  CHECK_FALSE(watch.any());
}

TEST_CASE("a RST that waits for the kernel's leaves before the flow's next SYN", "[probe][tcp]") {
  const Instant start{1000s};
  ResetWatch watch;
  watch.await(1, 100, {}, start);
  watch.await(2, 200, {}, start + 1ms);
  watch.hurry(2, start + 15ms);  // the kernel's may have left, and the capture not have told it yet
  CHECK_FALSE(watch.take(start + 15ms));
  watch.hurry(2, start + 30ms);
  CHECK(watch.take(start + 30ms)->flow == 2);
  CHECK_FALSE(watch.take(start + 30ms));
  CHECK(watch.take(start + 100ms)->flow == 1);
}

TEST_CASE("RSTs that wait are bounded: the oldest is sent early", "[probe][tcp]") {
  ResetWatch watch;
  const Instant start{1000s};
  for (std::uint32_t i = 0; i <= ResetWatch::kMost; ++i)
    watch.await(i, 1, {}, start);
  CHECK(watch.take(start)->flow == 0);
  CHECK_FALSE(watch.take(start));
}

TEST_CASE("our RST is what RFC 9293 has a host send, with the flow's own header values", "[packet][tcp]") {
  for (const bool v4 : {true, false}) {
    packet::ProbeDatagram like;
    std::array<std::uint8_t, 16> far{0x20, 0x01, 0x0d, 0xb8};
    far[15] = 9;
    std::array<std::uint8_t, 16> near = far;
    near[15] = 1;
    like.tuple = {v4 ? IpAddress::v4(0x0a000001) : IpAddress::v6(near),
                  v4 ? IpAddress::v4(0x0a000009) : IpAddress::v6(far), Protocol::tcp, 50003, 443};
    like.dscp = 46;
    like.flow_label = 0x12345;
    like.sequence = 0xfffffffe;
    std::array<std::uint8_t, packet::kResetSize> room{};
    const ByteView bytes = packet::write_reset(like, room);
    REQUIRE(bytes.size() == (v4 ? 40u : 60u));
    const packet::Message message = packet::parse(bytes);
    const auto* segment = std::get_if<packet::TcpSegment>(&message);
    REQUIRE(segment != nullptr);
    CHECK(segment->from == like.tuple.source);
    CHECK(segment->to == like.tuple.destination);
    CHECK(segment->source_port == 50003);
    CHECK(segment->destination_port == 443);
    CHECK(segment->sequence == 0xfffffffe);
    CHECK(segment->acknowledgement == 0);
    CHECK(segment->rst);
    CHECK_FALSE((segment->ack || segment->syn || segment->fin));
    CHECK(segment->reply_ttl == 64);
    // Sums of 16-bit words computed here, by RFC 1071: pseudo header and segment come to all ones.
    std::uint32_t sum = 6 + 20;
    for (std::size_t at = v4 ? 12 : 8; at < bytes.size(); at += 2)
      sum += load16(bytes, at);
    while (sum > 0xffff)
      sum = (sum >> 16) + (sum & 0xffff);
    CHECK(sum == 0xffff);
    if (v4) CHECK(bytes[1] == 46 << 2);
    if (!v4) CHECK(load32(bytes, 0) == (0x60000000u | 46u << 22 | 0x12345u));
  }
}
