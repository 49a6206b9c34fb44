#include "net/probe_io/repeated_frames.hpp"

#include <functional>
#include <string_view>

namespace ecmp::net {
namespace {

constexpr Duration kWithin = std::chrono::milliseconds(1);

}  // namespace

bool RepeatedFrames::is_repeat(const CapturedFrame& frame) {
  const std::string_view bytes(reinterpret_cast<const char*>(frame.datagram.data()), frame.datagram.size());
  const Frame now{std::hash<std::string_view>{}(bytes), bytes.size(), frame.interface, frame.stamp};
  for (const Frame& earlier : recent_) {
    if (earlier.hash == now.hash && earlier.size == now.size && earlier.interface != now.interface &&
        std::chrono::abs(now.stamp - earlier.stamp) < kWithin)
      return true;
  }
  recent_[next_] = now;
  next_ = (next_ + 1) % recent_.size();
  return false;
}

}  // namespace ecmp::net
