#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/time.hpp"
#include "net/host/file_descriptor.hpp"

namespace ecmp::net {

/// UDP ports of this host that are bound so that the kernel does not refuse what arrives there with "port unreachable":
/// replies of a STAMP reflector, which the capture reads. A filter drops them before they are queued, which the kernel
/// counts as receive errors (UdpInErrors). A port is one descriptor, whoever shares it, for all addresses of both
/// families. See docs/adr/0027.
class HeldPorts {
 public:
  /// Holds a flow's port, if it can: another socket may have it, or there may be no more descriptors.
  void add(std::uint32_t flow, std::uint16_t port, Instant now);
  void remove(std::uint32_t flow, std::uint16_t port);
  /// Whether the flow's port could not be held. Tries again now and then: only then is `clock` asked.
  bool lacks(std::uint32_t flow, Instant (*clock)());
  [[nodiscard]] bool contains(std::uint16_t port) const { return ports_.contains(port); }

 private:
  struct Held {
    FileDescriptor socket;
    std::uint32_t users = 0;
  };
  struct Lacking {
    std::uint16_t port = 0;
    Instant again{};
  };

  bool hold(std::uint16_t port);

  std::unordered_map<std::uint16_t, Held> ports_;
  std::unordered_map<std::uint32_t, Lacking> lacking_;  ///< flows without their port
};

}  // namespace ecmp::net
