#pragma once

#include "base/bytes.hpp"
#include "net/probe_io/capture_filter.hpp"

namespace ecmp::net {

/// What a datagram on the loopback interface can be to us. Both, when a probe's destination port is also one of our
/// source ports.
struct LoopbackRole {
  bool probe = false;
  bool reply = false;

  friend bool operator==(const LoopbackRole&, const LoopbackRole&) = default;
};

/// On the loopback interface a capture sees each datagram once, as received: whether it was ours or an answer has to
/// be told by its ports.
LoopbackRole loopback_role(ByteView datagram, const PortCensus& ports);

}  // namespace ecmp::net
