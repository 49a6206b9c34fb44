#include "sim/half_open.hpp"

#include <array>

namespace ecmp::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Linux, measured (6.18): 1.0, 3.0, 7.2, 15.4 and 31.5 s after the first, then nothing from 63 s on.
constexpr std::array<Duration, 5> kLinuxResends{milliseconds(1000), milliseconds(3000), milliseconds(7200),
                                                milliseconds(15400), milliseconds(31500)};
// FreeBSD, tcp_syncache.c: three times, by the doubling timer of RFC 6298.
constexpr std::array<Duration, 3> kFreeBsdResends{seconds(1), seconds(3), seconds(7)};
// Windows, TcpMaxConnectResponseRetransmissions of 2: after 3 s, doubled.
constexpr std::array<Duration, 2> kWindowsResends{seconds(3), seconds(9)};

// gVisor's netstack (2024-07), measured.
constexpr std::array<Duration, 4> kGvisorResends{seconds(1), seconds(3), seconds(7), seconds(15)};
// lwIP 2.1.3 of Debian, measured: its timers tick each 500 ms.
constexpr std::array<Duration, 2> kLwipResends{milliseconds(2800), milliseconds(8900)};

constexpr std::array<StackRules, 6> kRules{{
    {},
    {.resends = kLinuxResends, .gone_after = seconds(63), .window_reset = true, .least_gap = milliseconds(500)},
    {.resends = kFreeBsdResends, .gone_after = seconds(15), .other = StackRules::Other::old_syn_ack},
    {.resends = kWindowsResends, .gone_after = seconds(21)},
    {.resends = kGvisorResends, .gone_after = seconds(31), .window_reset = true, .least_gap = milliseconds(500)},
    {.resends = kLwipResends, .gone_after = seconds(20), .other = StackRules::Other::nothing},
}};
constexpr std::uint32_t kWindow = 65535;

}  // namespace

const StackRules& rules_of(TcpStack stack) {
  return kRules[static_cast<std::size_t>(stack)];
}

HalfOpenTable::Decision HalfOpenTable::on_syn(TcpStack stack, std::uint64_t connection, std::uint32_t sequence,
                                              Instant now) {
  const StackRules& rules = rules_of(stack);
  const auto found = connections_.find(connection);
  if (found == connections_.end() || now - found->second.since >= rules.gone_after) {
    connections_[connection] = {sequence, ++generations_, now, now};
    return {Answer::syn_ack, sequence + 1, true, generations_};
  }
  Connection& old = found->second;
  if (now - old.answered < rules.least_gap && old.answered != old.since) return {};
  const bool same = sequence == old.sequence;
  if (!same && rules.window_reset && sequence - (old.sequence + 1) < kWindow) {
    connections_.erase(found);
    return {Answer::rst, sequence + 1};
  }
  if (!same && rules.other == StackRules::Other::nothing) return {};
  old.answered = now;
  const bool again = same || rules.other == StackRules::Other::old_syn_ack;
  return {again ? Answer::syn_ack : Answer::bare_ack, old.sequence + 1};
}

void HalfOpenTable::on_rst(std::uint64_t connection, std::uint32_t sequence) {
  const auto found = connections_.find(connection);
  if (found != connections_.end() && found->second.sequence + 1 == sequence) connections_.erase(found);
}

bool HalfOpenTable::waits(std::uint64_t connection, std::uint32_t generation) const {
  const auto found = connections_.find(connection);
  return found != connections_.end() && found->second.generation == generation;
}

}  // namespace ecmp::sim
