#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace ecmp {

/// Whether a destination whose answers are ICMP errors was silent since a probe or its answer was lost, or since it had
/// no answer left: others who share what it answers (another prober at our address, one behind the same NAT) may have
/// used that up, and nothing says so.
///
/// Every default limit of few answers a second is a bucket (docs/reality.md). So a silence is followed by a *check*: a
/// handful of probes at once, over a flow that was answered. If n are answered, the bucket held n answers then, and
/// n - rate x time when the silent probe came: if that is one or more, an answer was there, and the silence is loss.
/// Fewer prove nothing, and the silence is not judged. With it go three echo requests, which hosts limit far above
/// this or not at all: if the destination answers neither, and is known to answer these, it is away.
///
/// This is what the engine keeps of it for each address; see engine_check.cpp.
struct SilenceCheck {
  static constexpr std::uint32_t kNoFlow = 0xffffffff;
  enum class State : std::uint8_t { none, wanted, under_way, over };
  State state = State::none;     ///< of the newest check
  bool judged_lost = false;      ///< by more than the answers: see `answers`
  std::uint8_t answers = 0;      ///< that it brought
  std::uint8_t asked = 0;        ///< probes of it
  std::uint8_t ones = 0;         ///< checks in a row that brought a single answer, at once
  std::uint8_t failed = 0;       ///< checks in a row that proved nothing
  bool single = false;           ///< it gives one answer at once, ever
  bool dead = false;             ///< it is away: silence is loss until it is heard again
  std::uint8_t all_silent = 0;   ///< of the newest checks, in a row, met silence alone, and nothing came since
  std::uint32_t flow = kNoFlow;  ///< that sends the check
  Instant at{};                  ///< when it is to begin, or when it began

  bool several = false;            ///< it has given two answers at once
  Instant heard{};                 ///< when the newest answer came, by whatever probe
  std::uint32_t unanswered = 0;    ///< probes since then, while contested
  std::uint32_t flows = 0;         ///< contested: that ask it
  Instant router_heard{};          ///< while contested: when the router before it has answered
  bool echoes_asked = false;       ///< without a check: whether it answers them
  bool echoes = false;             ///< it has answered echo requests
  std::uint8_t echoes_missed = 0;  ///< of the newest ones, in a row
  Instant echo_missed{};           ///< when the first of these left
  Instant echo_sent{};
  std::uint8_t echoes_of_check = 0;  ///< answered

  [[nodiscard]] bool waits_for(std::uint32_t number) const { return state == State::wanted && flow == number; }
  void answered(Instant when) {
    constexpr Duration kAtOnce = std::chrono::milliseconds(80);
    several = several || (when >= heard && when - heard < kAtOnce);
    heard = when;
    unanswered = 0;
    dead = false;
    all_silent = 0;
  }
};

}  // namespace ecmp
