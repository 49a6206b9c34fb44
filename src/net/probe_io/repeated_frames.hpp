#pragma once

#include <array>
#include <cstddef>

#include "base/time.hpp"
#include "net/probe_io/capture.hpp"

namespace ecmp::net {

/// Tells a datagram that a capture of all interfaces shows again: received at a port of a bridge or bond, or at the
/// interface below a VLAN, and then at the upper one. The first showing is the one nearest to the wire. Without this,
/// every reply would be counted as duplicate on such hosts.
class RepeatedFrames {
 public:
  /// True if the same bytes came at another interface less than a millisecond ago.
  bool is_repeat(const CapturedFrame& frame);

 private:
  struct Frame {
    std::size_t hash = 0;
    std::size_t size = 0;
    std::uint32_t interface = 0;
    WallTime stamp;
  };
  // Frames of other processors may lie between the two showings, but not many.
  std::array<Frame, 16> recent_{};
  std::size_t next_ = 0;
};

}  // namespace ecmp::net
