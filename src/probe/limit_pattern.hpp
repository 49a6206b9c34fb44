#pragma once

#include <span>

#include "base/time.hpp"

namespace ecmp {

/// A probe that asked a host for an ICMP error.
struct AskedProbe {
  Instant sent;
  bool answered = false;
};

/// Whether one of the limits that hosts have by default (docs/reality.md) explains better than loss which probes went
/// unanswered. Loss strikes anywhere; a limit answers first and then so many a second. Pure; the order of `probes` does
/// not matter.
bool limit_explains(std::span<const AskedProbe> probes);

}  // namespace ecmp
