#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include "base/ip_address.hpp"
#include "base/listen_address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

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
  std::string path;  ///< of a unix socket that has one; the address is 127.0.0.1 then, since all is on this machine
};

/// An IPv4 peer of an IPv6 socket is told as IPv4 (RFC 4291 section 2.5.5.2), one of a unix socket as 127.0.0.1.
SocketAddress read_socket_address(const sockaddr_storage& storage);

/// The other way round. Returns how much of `storage` was filled in.
socklen_t write_socket_address(const SocketAddress& address, sockaddr_storage& storage);

/// The file of a unix socket, which goes when this does; unless it is another's by then.
class SocketFile {
 public:
  SocketFile() = default;
  /// Of the socket that was just bound there.
  explicit SocketFile(std::string path);
  SocketFile(SocketFile&& other) noexcept { *this = std::move(other); }
  SocketFile& operator=(SocketFile&& other) noexcept;
  ~SocketFile();

 private:
  std::string path_;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

struct Listener {
  OwnedSocket socket;
  SocketAddress bound;
  SocketFile file;
};

/// Opens non-blocking listening sockets: one for an address, one dual-stack for the empty host, one for each address
/// of a name. The port is ours alone: a second instance is refused with "address already in use". The file of a unix
/// socket gets the mode 0660; one that is there already is replaced when nobody answers behind it.
Result<std::vector<Listener>> listen_on(const ListenAddress& address);

/// A socket that systemd has opened for us, and how its unit names it (FileDescriptorName=).
struct PassedSocket {
  OwnedSocket socket;
  std::string name;
};
/// Takes over these (sd_listen_fds_with_names(3)): $LISTEN_PID names this process, $LISTEN_FDS says how many there are,
/// from descriptor 3 on, $LISTEN_FDNAMES how they are called. Takes these variables out of the environment.
std::vector<PassedSocket> sockets_of_systemd();
/// Those of them that HTTP is served on: listening stream sockets, one at least.
Result<std::vector<Listener>> listeners_of_systemd(std::vector<PassedSocket> sockets);

Instant monotonic_now();

inline constexpr std::size_t kSlowestReader = 4096;  ///< bytes per second, of a whole answer

/// How fast a peer takes an answer. Written by the thread that sends; others may look.
///
/// Only the time in which the sender waits for the peer counts: an answer that has nothing to say for long is no slow
/// reader's fault.
class SendPace {
 public:
  /// A new answer. `patience`: without any progress, and on the whole besides what kSlowestReader would take.
  void begin(Duration patience);
  void took(std::size_t bytes) { bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  /// The peer is waited for from now on. Returns until when, at most.
  Instant wait_begins(Instant now);
  void wait_ends(Instant now);

  /// Whether the peer is waited for just now.
  [[nodiscard]] bool waiting() const { return waiting_since_.load() != 0; }
  /// For which the peer was waited, altogether.
  [[nodiscard]] Duration waited(Instant now) const;
  /// Bytes per second of waiting.
  [[nodiscard]] double rate(Instant now) const;

 private:
  Duration patience_{};
  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<std::int64_t> waited_ = 0;         ///< nanoseconds, of waits that are over
  std::atomic<std::int64_t> waiting_since_ = 0;  ///< nanoseconds of the monotonic clock; 0: not now
};

/// One accepted connection, with deadlines. Every wait ends when the stop signal is raised.
class Wire {
 public:
  Wire(OwnedSocket socket, const StopSignal& stop) : socket_(std::move(socket)), stop_(stop) {}
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  virtual ~Wire() = default;

  enum class Got : std::uint8_t { bytes, end, timeout, stopped };

  /// Appends what has arrived, at most `limit` bytes; waits for the first byte until `deadline`.
  virtual Got receive(std::string& into, std::size_t limit, Instant deadline) = 0;

  enum class Sent : std::uint8_t { all, gone, timeout, stopped };

  /// Sends everything; gives up when the peer takes nothing for the patience of `pace`, or of the whole answer less
  /// than kSlowestReader: who reads a byte now and then must not hold a connection, and what is to be sent on it, for
  /// ever.
  virtual Sent send(std::string_view bytes, SendPace& pace, bool more_follows) = 0;

  /// The peer has closed its side, or the connection broke. Does not wait.
  [[nodiscard]] bool peer_left() const;

  /// Says that no more comes from us, then swallows what the peer still sends until `deadline`: closing with unread
  /// bytes would make the kernel reset the connection, and the peer could lose our answer (RFC 9112 section 9.6).
  virtual void finish(Instant deadline);

 protected:
  /// Waits for `events` on the socket; false at the deadline or when stopped.
  [[nodiscard]] bool wait(short events, Instant deadline) const;
  [[nodiscard]] bool stopped() const { return stop_.raised(); }
  [[nodiscard]] int descriptor() const { return socket_.get(); }

  /// What the kernel has, as it is: see receive() and send().
  Got receive_bare(std::string& into, std::size_t limit, Instant deadline);
  Sent send_bare(std::string_view bytes, SendPace& pace, bool more_follows);

 private:
  OwnedSocket socket_;
  const StopSignal& stop_;
};

/// A connection without TLS.
class PlainWire : public Wire {
 public:
  using Wire::Wire;
  Got receive(std::string& into, std::size_t limit, Instant deadline) override {
    return receive_bare(into, limit, deadline);
  }
  Sent send(std::string_view bytes, SendPace& pace, bool more_follows) override {
    return send_bare(bytes, pace, more_follows);
  }
};

}  // namespace ecmp::net
