#pragma once

#include <optional>
#include <string_view>
#include <sys/timex.h>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"

/// Who may know how far this host's civil clock is off UTC.
namespace ecmp::net {

/// Of what adjtimex() filled in, and returned; nothing if the clock is not synchronised, or nobody has estimated its
/// error. A daemon that sets the clock and does not estimate leaves the estimate at 0 (systemd-timesyncd) or at the
/// kernel's limit of 16 s (phc2sys): neither is believed.
std::optional<Duration> clock_error_of(const timex& state, int returned);
/// Asks the kernel. Reading takes no privilege, but a filter of system calls may forbid it: nothing then.
std::optional<Duration> kernel_clock_error();

/// What the NTP server of this host answers, on port 123 of the loopback.
struct NtpExchange {
  std::vector<std::uint8_t> answer;
  WallTime sent{};
  WallTime received{};
};
/// Whether a server listens there, by the kernel's table of UDP sockets (/proc/net/udp): to ask in vain would have the
/// kernel send, and count, a refusal each time.
bool has_ntp_server(std::string_view table);
/// Waits for a fifth of a second at most. Nothing: nobody listens, or no answer.
std::optional<NtpExchange> ask_local_ntp(ByteView question);

}  // namespace ecmp::net
