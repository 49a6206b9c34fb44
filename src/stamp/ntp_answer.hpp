#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/time.hpp"

/// What an NTP server of this host says of its clock.
namespace ecmp::stamp {

/// What is further off UTC is not synchronised: NTP and the kernel give up a clock there (MAXDISP of RFC 5905 section
/// 7.2, NTP_PHASE_LIMIT of Linux).
inline constexpr Duration kWorstClock = std::chrono::seconds(16);

/// A packet without extensions (RFC 5905 section 7.3).
inline constexpr std::size_t kNtpSize = 48;
/// A client's question; `nonce` stands where its time of sending may, and the answer has to repeat it (RFC 5905 section
/// 8).
std::array<std::uint8_t, kNtpSize> ntp_question(std::uint64_t nonce);
/// How far off UTC the clock is that `sent` and `received` were read from: the server's distance to its root (RFC 5905
/// section 11.2), its difference to this clock, and half of how long it took to ask. Nothing if it is no answer to the
/// question, or of a clock that is not synchronised.
std::optional<Duration> clock_error_of(ByteView answer, std::uint64_t nonce, WallTime sent, WallTime received);

}  // namespace ecmp::stamp
