#include "stamp/packet.hpp"

#include <algorithm>

#include "catch.hpp"
#include "unit/stamp/stamp_bytes.hpp"

using namespace ecmp;
using namespace ecmp::stamp;
using namespace ecmp::stamp::test;
using namespace std::chrono_literals;

namespace {

/// 2026-01-01T00:00:00Z: 1767225600 = 0x6955b900 s after 1970, 3976214400 = 0xed003780 s after 1900.
constexpr WallTime kNewYear{1767225600s};

/// RFC 8762 figure 3 with the SSID of RFC 8972 figure 1: S=7, half a second past, S bit, scale 15, multiplier 2.
const Bytes kOpenRequest = hex("00000007 ed00378080000000 8f02 1234 00*28");
/// Figure 6: R=3, T3 3/4 s, T2 5/8 s past, no S bit, scale 15, multiplier 1, TTL 61.
const Bytes kOpenReply =
    hex("00000003 ed003780c0000000 0f01 1234 ed003780a0000000 00000007 ed00378080000000 8f02 0000 3d 000000");
/// Figures 5 and 7; the HMACs are those that Python's hmac gives for the key "stamp key".
const Bytes kAuthenticatedRequest =
    hex("00000007 00*12 ed00378080000000 8f02 1234 00*68 0c6d222b7ed79a297a71762659bd7db4");
const Bytes kAuthenticatedReplyBody =
    hex("00000003 00*12 ed003780c0000000 0f01 1234 00000000 ed003780a0000000 00*8 00000007 00*12 ed00378080000000 8f02 "
        "00*6 "
        "3d 00*15");

Request request() {
  return {7, to_wire(kNewYear + 500ms, false), {.synchronised = true, .scale = 15, .multiplier = 2}, 0x1234};
}
Reply reply() {
  return {.sequence = 3,
          .sent = to_wire(kNewYear + 750ms, false),
          .error = {.scale = 15, .multiplier = 1},
          .ssid = 0x1234,
          .received = to_wire(kNewYear + 625ms, false),
          .request_sequence = 7,
          .request_sent = request().sent,
          .request_error = request().error,
          .request_ttl = 61};
}

}  // namespace

TEST_CASE("Open packets are byte for byte those of RFC 8762 and 8972", "[stamp]") {
  Bytes bytes(kOpenSize, 0xff);
  write(Mode::open, request(), bytes);
  CHECK(to_hex(bytes) == to_hex(kOpenRequest));
  CHECK(read_request(Mode::open, kOpenRequest) == request());

  std::fill(bytes.begin(), bytes.end(), std::uint8_t{0xff});
  write(Mode::open, reply(), bytes);
  CHECK(to_hex(bytes) == to_hex(kOpenReply));
  CHECK(read_reply(Mode::open, kOpenReply) == reply());
}

TEST_CASE("Authenticated packets are byte for byte those of RFC 8762 and 8972", "[stamp]") {
  const Bytes key = text("stamp key");
  Bytes bytes(kAuthenticatedSize, 0xff);
  write(Mode::authenticated, request(), bytes);
  CHECK_FALSE(is_sealed(key, bytes));
  seal(key, bytes);
  CHECK(to_hex(bytes) == to_hex(kAuthenticatedRequest));
  CHECK(is_sealed(key, bytes));
  CHECK_FALSE(is_sealed(text("stamp kez"), bytes));
  CHECK(read_request(Mode::authenticated, bytes) == request());

  std::fill(bytes.begin(), bytes.end(), std::uint8_t{0xff});
  write(Mode::authenticated, reply(), bytes);
  CHECK(to_hex(bytes) == to_hex(kAuthenticatedReplyBody + hex("00*16")));
  CHECK(read_reply(Mode::authenticated, bytes) == reply());
}

TEST_CASE("A bit changed anywhere in an authenticated packet breaks its seal", "[stamp]") {
  const Bytes key = text("stamp key");
  REQUIRE(is_sealed(key, kAuthenticatedRequest));
  for (std::size_t at = 0; at < kAuthenticatedSize; ++at) {
    Bytes bytes = kAuthenticatedRequest;
    bytes[at] ^= 0x10;
    CAPTURE(at);
    CHECK_FALSE(is_sealed(key, bytes));
  }
}

TEST_CASE("Packets that are cut are no packets", "[stamp]") {
  for (std::size_t size = 0; size < kOpenSize; ++size) {
    CAPTURE(size);
    const ByteView cut = ByteView(kOpenRequest).first(size);
    // RFC 8762 section 4.6: TWAMP Light's request ends after the error estimate.
    const auto read = read_request(Mode::open, cut);
    CHECK(read.has_value() == (size >= 14));
    if (read) CHECK(read->ssid == 0);
    // RFC 5357 section 4.2.1: its reply ends after the TTL.
    CHECK(read_reply(Mode::open, ByteView(kOpenReply).first(size)).has_value() == (size >= 41));
  }
  const Bytes whole = kAuthenticatedReplyBody + hex("00*16");
  for (std::size_t size = 0; size < kAuthenticatedSize; ++size) {
    CHECK_FALSE(read_request(Mode::authenticated, ByteView(kAuthenticatedRequest).first(size)));
    CHECK_FALSE(read_reply(Mode::authenticated, ByteView(whole).first(size)));
    CHECK_FALSE(is_sealed(text("stamp key"), ByteView(kAuthenticatedRequest).first(size)));
  }
}

TEST_CASE("Times on the wire are NTP's or PTP's, and come back to the nanosecond", "[stamp]") {
  CHECK(to_wire(kNewYear, false) == 0xed003780'00000000u);
  CHECK(to_wire(kNewYear, true) == 0x6955b900'00000000u);
  CHECK(to_wire(kNewYear + 250ms, false) == 0xed003780'40000000u);
  CHECK(to_wire(kNewYear + 250ms, true) == 0x6955b900'0ee6b280u);
  for (const Duration past : {0ns, 1ns, 2ns, 333333333ns, 999999998ns, 999999999ns})
    for (const bool ptp : {false, true}) {
      CAPTURE(past.count(), ptp);
      CHECK(from_wire(to_wire(kNewYear + past, ptp), ptp, kNewYear) == kNewYear + past);
    }
}

TEST_CASE("Times on the wire wrap without a step", "[stamp]") {
  // NTP's seconds end at 2036-02-07T06:28:16Z, 2085978496 s after 1970; PTP's 32 bits at 4294967296 s.
  const WallTime ntp_end{2085978496s};
  CHECK(to_wire(ntp_end, false) == 0);
  CHECK(to_wire(ntp_end - 1s, false) == 0xffffffff'00000000u);
  const WallTime ptp_end{4294967296s};
  CHECK(to_wire(ptp_end, true) == 0);
  for (const Duration near : {Duration(-3s), Duration(0s), Duration(3s)}) {
    CHECK(from_wire(to_wire(ntp_end + 1s, false), false, ntp_end + near) == ntp_end + 1s);
    CHECK(from_wire(to_wire(ntp_end - 1s, false), false, ntp_end + near) == ntp_end - 1s);
    CHECK(from_wire(to_wire(ptp_end + 1s, true), true, ptp_end + near) == ptp_end + 1s);
  }
  // A clock of 1970 is far away, and yet what was written.
  CHECK(from_wire(to_wire(WallTime(5s), false), false, kNewYear) == WallTime(5s));
}

TEST_CASE("Error estimates are multiplier * 2^(scale-32) seconds", "[stamp]") {
  CHECK(ErrorEstimate::from_bits(0x8f02) == ErrorEstimate{true, false, 15, 2});
  CHECK(ErrorEstimate::from_bits(0x4001) == ErrorEstimate{false, true, 0, 1});
  CHECK(ErrorEstimate{true, true, 63, 255}.bits() == 0xffff);
  // 2 * 2^-17 s = 15258.789 ns; 1 * 2^-32 s = 0.23 ns; 200 * 2^0 s; 255 * 2^31 s is more than nanoseconds can count.
  CHECK(ErrorEstimate{false, false, 15, 2}.error() == 15259ns);
  CHECK(ErrorEstimate{false, false, 0, 1}.error() == 1ns);
  CHECK(ErrorEstimate{false, false, 32, 200}.error() == 200s);
  CHECK(ErrorEstimate{false, false, 63, 255}.error() == Duration::max());

  for (const Duration error :
       {Duration(1ns), Duration(137ns), Duration(1us), Duration(5ms), Duration(1s), Duration(90min)}) {
    const ErrorEstimate estimate = ErrorEstimate::of(error, true);
    CAPTURE(error.count(), estimate.scale, estimate.multiplier);
    CHECK(estimate.multiplier > 0);
    CHECK(estimate.error() >= error);
    // A multiplier of 8 bits is exact to one part in 128.
    CHECK(estimate.error() <= error + error / 128 + 1ns);
  }
}

TEST_CASE("Sequence numbers are compared across the wrap", "[stamp]") {
  CHECK(is_after(1, 0));
  CHECK(is_after(0, 0xffffffff));
  CHECK(is_after(5, 0xfffffff0));
  CHECK_FALSE(is_after(0xffffffff, 0));
  CHECK_FALSE(is_after(9, 9));
}

TEST_CASE("What a reflector sends for times is none where it has no clock, or Z is wrong", "[stamp]") {
  constexpr WallTime kNow(1767225600s);  // 2026
  const auto timed = [](std::uint64_t bits, bool z) {
    return has_times({.sent = bits, .error = {.ptp = z}, .received = bits}, kNow);
  };
  // Seconds from 1900 (RFC 5905 section 6) and from 1970; a quarter of a second in either format.
  constexpr std::uint64_t kNtp = (std::uint64_t{3976214400u} << 32) | 0x40000000u;
  constexpr std::uint64_t kPtp = (std::uint64_t{1767225600u} << 32) | 250'000'000u;
  CHECK(timed(kNtp, false));
  CHECK(timed(kPtp, true));
  CHECK_FALSE(timed(kNtp, true));
  CHECK_FALSE(timed(kPtp, false));
  CHECK_FALSE(timed(0, false));
  CHECK_FALSE(timed(0, true));
  CHECK_FALSE(timed(kPtp + 750'000'000u, true));  // nanoseconds that are a second
  // A clock that was never set counts from its epoch: wrong, and steady all the same.
  CHECK(timed((std::uint64_t{2208988800u} << 32) | 1, false));
  CHECK(timed((std::uint64_t{1000u} << 32) | 1, true));
}
