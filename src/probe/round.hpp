#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "packet/message.hpp"
#include "probe/gap.hpp"

namespace ecmp {

/// The fate of the probe of one hop in one round.
enum class HopOutcome : std::uint8_t {
  replied,      ///< answered within the timeout
  silent,       ///< not answered, but a later hop of the same round was: the router keeps quiet (often an ICMP limit)
  lost,         ///< nothing at this hop or beyond answered
  unreachable,  ///< somebody refused to forward it (the responder and the reply's kind say who and why); counts as lost
  send_failed,  ///< it never left this host: says nothing about the network
  unobserved,   ///< an answer may have come while we could not look: says nothing either
  left_out,     ///< not asked in this round, since its responder is asked by others: says nothing about the network
};

/// Whether a responder limits the ICMP errors that it sends, as far as pacing has found out.
enum class Limiting : std::uint8_t {
  none,       ///< nothing known
  suspected,  ///< it fell silent and answers now that it is asked less often
  confirmed,  ///< and again: silence came at the double rate, and went at the half
};

/// Whether an outcome is about us and not about the network: not counted as a probe of the hop.
constexpr bool says_nothing(HopOutcome outcome) {
  return outcome == HopOutcome::send_failed || outcome == HopOutcome::unobserved || outcome == HopOutcome::left_out;
}

struct HopResult {
  std::uint8_t ttl = 0;
  HopOutcome outcome = HopOutcome::lost;
  packet::ReplyKind reply = packet::ReplyKind::none;
  std::uint8_t icmp_type = 0;  ///< of replies that are ICMP, else 0
  std::uint8_t icmp_code = 0;
  std::uint8_t reply_ttl = 0;   ///< TTL the reply arrived with; 0 if there was none
  std::uint8_t quoted_ttl = 0;  ///< TTL inside the quote; 0 if there was none
  /// Only asking again was answered. That says who is there; `missed` is the fate of the sweep's probe, which is the
  /// one that counts: silent or lost.
  bool again = false;
  HopOutcome missed = HopOutcome::lost;
  IpAddress responder;                 ///< who answered (or refused); unspecified if nobody did
  Limiting limiting = Limiting::none;  ///< of whoever is known at this hop
  Duration rtt{};                      ///< wire time; only when there was an answer
  Instant received{};                  ///< only when there was an answer
  packet::KeptMpls mpls;
};

/// The fate of a round at its destination. Only `reached` and `lost` say something about the network: the others are no
/// probe of the destination, and no ratio counts them. History files hold the numbers.
enum class EndToEnd : std::uint8_t {
  reached,      ///< the destination answered
  lost,         ///< it did not, nor does a change of distance explain it
  send_failed,  ///< the probe that should have reached it never left this host
  unobserved,   ///< its answer may have come while we could not look
  suppressed,   ///< the destination limits its answers, and was asked more often than it answers
  left_out,     ///< the destination was not asked, to stay below such a limit
  undecided,    ///< asked to find out whether there is a limit: the answer, or its absence, is no fair sample
};
constexpr std::size_t kEndToEnds = 7;
/// As /paths calls it.
std::string_view to_string(EndToEnd outcome);

/// Whether a round was not judged because its destination limits its answers, or may do so.
constexpr bool is_unjudged(EndToEnd outcome) {
  return outcome >= EndToEnd::suppressed;
}

/// One finished sweep of TTLs over one flow. `hops` runs without gaps from TTL 1 to `distance`, or, when the
/// destination has never been reached over this flow, to the last TTL where anybody answered in this round or is known
/// to answer: else the last hop of such a flow would lose nothing, ever.
struct Round {
  std::uint32_t flow = 0;    ///< Engine's number of the flow
  std::uint32_t number = 0;  ///< counts from 0 for each flow; a skipped round leaves a gap
  Instant started{};         ///< when its first probe was due
  Instant finished{};
  EndToEnd end_to_end = EndToEnd::lost;
  Unobserved unobserved = Unobserved::none;  ///< why something of it is not known, if it is our own fault
  std::uint8_t distance = 0;  ///< TTL of the destination: seen in this round, or the last known; 0 if never reached
  std::uint8_t presumed = 0;  ///< never reached: the TTL at which all other flows reach it; 0: unknown
  /// Undecided, since the destination kept quiet so soon that its limit may have been used up before tracing began.
  /// Where the flow goes is judged as by a lost round.
  bool doubted = false;
  std::vector<HopResult> hops;

  /// The destination answered, whether or not that answer counts.
  [[nodiscard]] bool reached() const {
    if (end_to_end != EndToEnd::undecided || doubted) return end_to_end == EndToEnd::reached;
    if (distance == 0 || distance > hops.size()) return false;
    const HopResult& end = hops[distance - 1u];
    return end.outcome == HopOutcome::replied && end.reply != packet::ReplyKind::time_exceeded;
  }
  /// Whether it counts as a probe of the destination: answered, or lost.
  [[nodiscard]] bool counts() const { return end_to_end == EndToEnd::reached || end_to_end == EndToEnd::lost; }
};

/// The address that the destination answered with, where it is another than it was asked by; unspecified if not.
inline IpAddress alias_of(const Round& round, const IpAddress& destination) {
  if (!round.reached() || round.distance == 0 || round.distance > round.hops.size()) return {};
  const HopResult& end = round.hops[round.distance - 1u];
  return end.outcome == HopOutcome::replied && end.responder != destination ? end.responder : IpAddress();
}

/// Receives rounds as they finish; those of one flow in the order of their numbers.
struct StreamReport;

class RoundSink {
 public:
  virtual ~RoundSink() = default;
  virtual void on_round(const Round& round) = 0;
  /// What the stream of a flow has to say, of destinations with streams.
  virtual void on_stream(const StreamReport& report) { static_cast<void>(report); }
};

}  // namespace ecmp
