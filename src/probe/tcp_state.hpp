#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/ip_address.hpp"
#include "base/time.hpp"

namespace ecmp {

/// Tells a SYN-ACK that answers its SYN from one that was sent again because the first one was lost. Both acknowledge
/// the same number; only time tells them apart. TCPs send a SYN-ACK again 1 s after the first, then 2, 4, ... s after
/// that (RFC 6298 section 2, measured: 1, 3, 7.2, 15.4 s). So an answer that comes about such a time later than the
/// flow's answers use to come was sent again. docs/adr/0023 has the rule's blind spots.
class AnswerPace {
 public:
  enum class Verdict : std::uint8_t {
    answer,
    resent,
    later_ones,  ///< to a later SYN, for the sake of this one
    undecided,   ///< it may be either, as nothing is known to compare it with
  };

  /// So many late answers in a row, with no other between them, are believed: the way has become that long. One less
  /// where 30 % of the SYN-ACKs are lost comes about once in 15,000 rounds.
  static constexpr std::uint8_t kBelieved = 8;
  /// The same where no answer was ever early.
  static constexpr std::uint8_t kBelievedAtFirst = 3;

  /// `elsewhere`: the usual RTT of other flows to the destination; `on_the_way`: what the last hops before it took in
  /// the same round. Zero: not known. `later_fits`: as the answer to a later SYN it would come in the usual time.
  Verdict judge(Duration rtt, Duration elsewhere, Duration on_the_way, bool later_fits = false);

  /// Of answers that were sent once, smoothed upwards; zero: none yet.
  [[nodiscard]] Duration usual() const { return usual_; }

 private:
  Duration usual_{};
  std::uint8_t late_ = 0;  ///< in a row
};

/// What the kernel has to end. It answers a SYN-ACK, and an ACK that it does not expect, with a RST, since it knows of
/// no such connection; unless a firewall keeps the segment from it. Then the destination would stay half open, and
/// would answer the flow's next SYN for the sake of the old one (docs/adr/0023). Here is remembered which RST should be
/// seen leaving, and which has to be sent because it was not.
class ResetWatch {
 public:
  /// What the kernel needs is microseconds; the capture may show it a block of some milliseconds later.
  static constexpr Duration kKernelsTime = std::chrono::milliseconds(100);
  /// Before that nobody is hurried.
  static constexpr Duration kCaptureTime = std::chrono::milliseconds(20);
  /// Beyond so many the oldest is due at once.
  static constexpr std::size_t kMost = 8192;

  struct Reset {
    std::uint32_t flow = 0;
    std::uint32_t sequence = 0;
    IpAddress source;
    Instant due{};
  };

  void await(std::uint32_t flow, std::uint32_t sequence, const IpAddress& source, Instant now);
  /// One that is due at once: nobody else will send it.
  void end(std::uint32_t flow, std::uint32_t sequence, const IpAddress& source, Instant now);
  /// The flow is about to send another SYN, which must not meet what the last one began: its RSTs are due now, unless
  /// the kernel's may still be on its way through the capture.
  void hurry(std::uint32_t flow, Instant now);
  /// The kernel's RST, or ours, has left.
  void seen(std::uint32_t flow, std::uint32_t sequence);
  /// The flows from `first` on are no more.
  void forget(std::uint32_t first, std::uint32_t count);

  [[nodiscard]] bool any() const { return !waiting_.empty(); }
  [[nodiscard]] Instant next_due() const;
  /// One that is due, once.
  std::optional<Reset> take(Instant now);

 private:
  std::deque<Reset> waiting_;  ///< oldest first
};

}  // namespace ecmp
