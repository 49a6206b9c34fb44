// Answers are laid out here by RFC 5905 figure 8, byte for byte.
#include "stamp/ntp_answer.hpp"

#include <algorithm>
#include <vector>

#include "catch.hpp"

using namespace ecmp;
using namespace ecmp::stamp;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kNonce = 0x0123456789abcdef;
/// 2026-01-01: 1,767,225,600 s after 1970, 3,976,214,400 after 1900.
constexpr WallTime kNow{1767225600s};
constexpr std::uint32_t kNtpNow = 3976214400u;

/// Leap 0, version 4, mode 4; stratum 2; root delay 0.5 s, root dispersion 0.25 s; both times `late` halves of a second
/// after kNow.
std::vector<std::uint8_t> answer(std::uint32_t late = 0) {
  std::vector<std::uint8_t> bytes(48, 0);
  bytes[0] = 0x24;
  bytes[1] = 2;
  bytes[6] = 0x80;  // 0.5 in 16.16
  bytes[10] = 0x40;
  store32(bytes, 24, 0x01234567);
  store32(bytes, 28, 0x89abcdef);
  for (const std::size_t at : {std::size_t{32}, std::size_t{40}}) {
    store32(bytes, at, kNtpNow + late / 2);
    store32(bytes, at + 4, late % 2 == 0 ? 0 : 0x80000000u);
  }
  return bytes;
}

}  // namespace

TEST_CASE("A question to an NTP server is a client's, and holds the nonce alone", "[clock]") {
  const auto question = ntp_question(kNonce);
  CHECK(question[0] == 0x23);  // leap 0, version 4, mode 3
  CHECK(std::all_of(question.begin() + 1, question.begin() + 40, [](std::uint8_t byte) { return byte == 0; }));
  CHECK(load32(question, 40) == 0x01234567);
  CHECK(load32(question, 44) == 0x89abcdef);
}

TEST_CASE("A clock is off by the distance to the root, the difference to the server's, and half the asking",
          "[clock]") {
  CHECK(clock_error_of(answer(), kNonce, kNow, kNow) == 500ms);                // 0.5 / 2 + 0.25
  CHECK(clock_error_of(answer(3), kNonce, kNow, kNow) == 2s);                  // and 1.5 s behind the server
  CHECK(clock_error_of(answer(), kNonce, kNow - 10ms, kNow + 10ms) == 510ms);  // asked for 20 ms
}

TEST_CASE("What is no answer, or of no synchronised clock, says nothing", "[clock]") {
  CHECK_FALSE(clock_error_of(answer(), kNonce + 1, kNow, kNow));
  CHECK_FALSE(clock_error_of(ByteView(answer()).first(47), kNonce, kNow, kNow));
  CHECK_FALSE(clock_error_of(answer(40), kNonce, kNow, kNow));  // 20 s off
  CHECK_FALSE(clock_error_of(answer(), kNonce, kNow, kNow + 40s));
  auto bytes = answer();
  bytes[0] = 0xe4;  // leap 3: an alarm
  CHECK_FALSE(clock_error_of(bytes, kNonce, kNow, kNow));
  bytes[0] = 0x23;  // a client's
  CHECK_FALSE(clock_error_of(bytes, kNonce, kNow, kNow));
  bytes = answer();
  bytes[1] = 0;  // a kiss of death
  CHECK_FALSE(clock_error_of(bytes, kNonce, kNow, kNow));
  bytes[1] = 16;
  CHECK_FALSE(clock_error_of(bytes, kNonce, kNow, kNow));
  bytes = answer();
  bytes[9] = 16;  // root dispersion of 16 s
  CHECK_FALSE(clock_error_of(bytes, kNonce, kNow, kNow));
  std::fill(bytes.begin() + 4, bytes.begin() + 12, std::uint8_t{0xff});
  CHECK_FALSE(clock_error_of(bytes, kNonce, kNow, kNow));
}
