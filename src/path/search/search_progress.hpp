#pragma once

#include <cstdint>
#include <vector>

#include "base/ip_address.hpp"

namespace ecmp {

/// How far the search for the paths of a destination is, or how the newest one ended. Never changes once it is made.
struct SearchProgress {
  bool searching = false;
  bool bounded = false;        ///< it ended, since no more flows may be asked
  std::uint32_t finished = 0;  ///< searches of this destination that are over
  std::uint32_t paths = 0;     ///< found
  std::uint32_t flows_asked = 0;
  std::uint32_t flows_wanted = 0;  ///< asked, and those that still are to be, as far as can be told
  std::uint32_t flows_kept = 0;    ///< once it is over: those that are probed from then on
  std::uint64_t rounds = 0;        ///< answered
  std::uint64_t probes = 0;        ///< of these rounds, each TTL once
  double coverage = 0;             ///< chance that no path is hidden, were the shares of all branches equal

  struct PerPacket {
    std::uint8_t ttl = 0;  ///< of the responders that alternate
    IpAddress responder;   ///< one of them
  };
  std::vector<PerPacket> per_packet;  ///< balancers that do not keep flows together

  /// 1 when nothing is left to ask.
  [[nodiscard]] double done() const {
    if (!searching) return finished > 0 ? 1 : 0;
    return flows_wanted == 0 ? 0 : static_cast<double>(flows_asked) / flows_wanted;
  }
};

}  // namespace ecmp
