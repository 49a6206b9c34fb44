#include "stamp/ntp_answer.hpp"

#include <algorithm>

#include "stamp/packet.hpp"

namespace ecmp::stamp {
namespace {

// RFC 5905 figure 8.
constexpr std::uint8_t kClientOfVersion4 = 4 << 3 | 3;
constexpr std::uint8_t kModeMask = 7;
constexpr std::uint8_t kServer = 4;
constexpr unsigned kLeapShift = 6;
constexpr std::uint8_t kAlarm = 3;  ///< the leap indicator of a clock that is not synchronised
constexpr std::uint8_t kWorstStratum = 15;
constexpr std::size_t kRootDelay = 4;
constexpr std::size_t kRootDispersion = 8;
constexpr std::size_t kOrigin = 24;
constexpr std::size_t kArrived = 32;
constexpr std::size_t kAnswered = 40;

std::uint64_t time_at(ByteView bytes, std::size_t at) {
  return (std::uint64_t{load32(bytes, at)} << 32) | load32(bytes, at + 4);
}

/// 16 bits of seconds, 16 of a fraction.
Duration short_format(ByteView bytes, std::size_t at) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return Duration((std::int64_t{load32(bytes, at)} * kSecond) >> 16);
}

}  // namespace

std::array<std::uint8_t, kNtpSize> ntp_question(std::uint64_t nonce) {
  std::array<std::uint8_t, kNtpSize> question{};
  question[0] = kClientOfVersion4;
  store32(question, kAnswered, static_cast<std::uint32_t>(nonce >> 32));
  store32(question, kAnswered + 4, static_cast<std::uint32_t>(nonce));
  return question;
}

std::optional<Duration> clock_error_of(ByteView answer, std::uint64_t nonce, WallTime sent, WallTime received) {
  if (answer.size() < kNtpSize || (answer[0] & kModeMask) != kServer || time_at(answer, kOrigin) != nonce)
    return std::nullopt;
  const std::uint8_t stratum = answer[1];
  if (answer[0] >> kLeapShift == kAlarm || stratum == 0 || stratum > kWorstStratum) return std::nullopt;
  const WallTime arrived = from_wire(time_at(answer, kArrived), false, received);
  const WallTime answered = from_wire(time_at(answer, kAnswered), false, received);
  const Duration there = std::chrono::abs(arrived - sent);
  const Duration back = std::chrono::abs(answered - received);
  if (there >= kWorstClock || back >= kWorstClock) return std::nullopt;
  const Duration offset = std::chrono::abs((arrived - sent) + (answered - received)) / 2;
  const Duration took = std::max(Duration(0), (received - sent) - (answered - arrived));
  const Duration error =
      short_format(answer, kRootDelay) / 2 + short_format(answer, kRootDispersion) + offset + took / 2;
  return error < kWorstClock ? std::optional(error) : std::nullopt;
}

}  // namespace ecmp::stamp
