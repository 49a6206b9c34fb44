#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/time.hpp"

namespace ecmp {

/// Why something of a round is not known: not what the network did, but that we could not send or could not look.
enum class Unobserved : std::uint8_t {
  none,
  send_failed,      ///< a probe did not leave this host
  capture_dropped,  ///< the capture's ring was full while an answer may have come
  stalled,          ///< the probing loop stood still for long: stopped, or a host without time for it
  suspended,        ///< the host slept
  link_down,        ///< our own interface went down while an answer was awaited
  tcp_state,        ///< the destination answered for an earlier SYN of the flow: which probe it heard is not known
  count_
};
std::string_view to_string(Unobserved reason);

/// A time in which answers may have come without being seen. A probe that has no answer and waited for one within it
/// is not lost, as far as anybody knows.
struct Gap {
  Instant from{};
  Instant to{};
  Unobserved why = Unobserved::none;
  std::span<const std::uint32_t> flows = {};  ///< Engine's numbers of those concerned; none: all
};

}  // namespace ecmp
