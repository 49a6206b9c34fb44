#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "net/listen_address.hpp"

namespace ecmp::net {

/// A descriptor that is closed when this goes.
class OwnedSocket {
 public:
  OwnedSocket() = default;
  explicit OwnedSocket(int descriptor) : descriptor_(descriptor) {}
  OwnedSocket(OwnedSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  OwnedSocket& operator=(OwnedSocket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~OwnedSocket();

  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool valid() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

/// Something every thread of a server can wait for beside its own socket; once raised it stays raised.
class StopSignal {
 public:
  StopSignal();
  void raise();
  /// Becomes readable when raised.
  [[nodiscard]] int descriptor() const { return event_.get(); }
  [[nodiscard]] bool raised() const;

 private:
  OwnedSocket event_;
};

struct SocketAddress {
  IpAddress address;
  std::uint16_t port = 0;
};

/// An IPv4 peer of an IPv6 socket is told as IPv4 (RFC 4291 section 2.5.5.2).
SocketAddress read_socket_address(const sockaddr_storage& storage);

/// The other way round. Returns how much of `storage` was filled in.
socklen_t write_socket_address(const SocketAddress& address, sockaddr_storage& storage);

struct Listener {
  OwnedSocket socket;
  SocketAddress bound;
};

/// Opens non-blocking listening sockets: one for an address, one dual-stack for the empty host, one for each address
/// of a name. The port is ours alone: a second instance is refused with "address already in use".
Result<std::vector<Listener>> listen_on(const ListenAddress& address);

Instant monotonic_now();

/// One accepted connection, with deadlines. Every wait ends when the stop signal is raised.
class Wire {
 public:
  Wire(OwnedSocket socket, const StopSignal& stop) : socket_(std::move(socket)), stop_(stop) {}

  enum class Got : std::uint8_t { bytes, end, timeout, stopped };

  /// Appends what has arrived, at most `limit` bytes; waits for the first byte until `deadline`.
  Got receive(std::string& into, std::size_t limit, Instant deadline);

  enum class Sent : std::uint8_t { all, gone, timeout, stopped };

  /// Sends everything; gives up when the peer takes nothing for `patience`.
  Sent send(std::string_view bytes, Duration patience, bool more_follows = false);

  /// The peer has closed its side, or the connection broke. Does not wait.
  [[nodiscard]] bool peer_left() const;

  /// Says that no more comes from us, then swallows what the peer still sends until `deadline`: closing with unread
  /// bytes would make the kernel reset the connection, and the peer could lose our answer (RFC 9112 section 9.6).
  void finish(Instant deadline);

 private:
  /// Waits for `events` on the socket; false at the deadline or when stopped.
  bool wait(short events, Instant deadline) const;

  OwnedSocket socket_;
  const StopSignal& stop_;
};

}  // namespace ecmp::net
