#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "probe/gap.hpp"

namespace ecmp {

/// Why a datagram did not leave the host.
enum class SendError : std::uint8_t {
  none,
  no_route,       ///< no route to the destination, or no usable source address
  no_permission,  ///< EPERM, EACCES: a firewall of this host, or a missing capability
  no_buffers,     ///< ENOBUFS, EAGAIN: the queue of the interface is full
  too_big,        ///< EMSGSIZE
  link_down,      ///< ENETDOWN, ENXIO, ENODEV
  other,
  port_in_use,   ///< a socket of this host has the flow's addresses and ports: a probe would be taken for its own
  never_left,    ///< no error was told, yet it was not seen at the interface (no neighbour, a queue that dropped it)
  no_interface,  ///< this host has no interface of the configured name
  no_source,     ///< the configured source address is none of this host's
};
std::string_view to_string(SendError error);

/// A datagram to send, IP header first.
struct Outgoing {
  ByteView bytes;
  std::uint32_t flow = 0;  ///< Engine's number of the flow: whoever routes keeps a route per flow
  // Filled in by Transport::send:
  SendError error = SendError::none;
  Instant at{};  ///< just before it was handed over; a better stamp may come back as an outgoing datagram
};

enum class Direction : std::uint8_t { incoming, outgoing };

/// A datagram seen at an interface, IP header first.
struct Captured {
  ByteView bytes;
  Instant at{};  ///< when the kernel saw it
  Direction direction = Direction::incoming;
};

class CaptureSink {
 public:
  virtual ~CaptureSink() = default;
  virtual void on_captured(const Captured& datagram) = 0;
  /// Datagrams may have been missed.
  virtual void on_gap(const Gap& gap) { (void)gap; }
};

/// The one seam between the pure core and the world. Two implementations: packet sockets with libpcap (src/net), and
/// the simulated network (src/sim).
class Transport {
 public:
  virtual ~Transport() = default;

  virtual Instant now() = 0;

  /// Sends all of `batch` and fills in what became of each. Never throws, never waits for the network.
  virtual void send(std::span<Outgoing> batch) = 0;

  /// Hands every datagram that has arrived to `sink`; when there is none yet, waits for one until `deadline`. May
  /// return early and without any. Outgoing probes seen by the capture are handed over too: their stamp is the wire's.
  virtual void receive(Instant deadline, CaptureSink& sink) = 0;
};

}  // namespace ecmp
