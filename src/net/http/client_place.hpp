#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "net/http/http_socket.hpp"

namespace ecmp::net {

/// What counts as one client where something is shared out: an IPv4 address, or the /64 of an IPv6 one, since a single
/// host has all of that (RFC 4291 section 2.5.4, RFC 8981).
IpAddress client_of(const IpAddress& peer);

/// The place that a connection takes up: what it is doing, and how to make it end. One thread serves the connection;
/// all others may look, and may take the place away.
class ClientPlace {
 public:
  enum class Stage : std::uint8_t {
    greeting,   ///< TLS handshake
    request,    ///< a request is awaited, or half of it is there
    working,    ///< the answer is made
    queued,     ///< for a turn that other connections have, see FairPlaces: it may give way as an idle one
    answering,  ///< the answer is sent
    idle,       ///< between two requests
  };

  /// From when on a connection that waits for its client may be made to give way.
  static constexpr Duration kStalled = std::chrono::seconds(1);

  /// `health_only`: it may ask for what is reserved (HttpServer::reserve) and nothing else.
  ClientPlace(const IpAddress& peer, bool health_only, const StopSignal& stop)
      : client_(client_of(peer)), health_only_(health_only), stop_(stop), since_(now_count()) {}
  ClientPlace(const ClientPlace&) = delete;
  ClientPlace& operator=(const ClientPlace&) = delete;

  [[nodiscard]] const IpAddress& client() const { return client_; }
  [[nodiscard]] bool health_only() const { return health_only_; }

  // By the thread of the connection.

  void enter(Stage stage);
  /// How fast the client takes the answer at hand.
  [[nodiscard]] SendPace& pace() { return pace_; }
  /// From here to detach() the socket may be shut down by others.
  void attach(int descriptor);
  void detach();

  // By any thread.

  /// How long the client has kept this connection waiting, if that is `least` at least; nullopt while it does not.
  [[nodiscard]] std::optional<Duration> stalled(Instant now, Duration least = kStalled) const;
  [[nodiscard]] Stage stage() const { return stage_.load(); }
  /// Bytes a second that the client takes of the answer at hand while it is waited for.
  [[nodiscard]] double rate(Instant now) const { return pace_.rate(now); }
  /// Makes the connection end soon. What is waiting in the kernel for a reader that does not read is dropped with it.
  void evict();
  [[nodiscard]] bool evicted() const { return evicted_.load(); }
  /// Nothing is worth waiting for any more: evicted, or the server stops.
  [[nodiscard]] bool over() const { return evicted() || stop_.raised(); }

 private:
  static std::int64_t now_count() { return monotonic_now().time_since_epoch().count(); }

  const IpAddress client_;
  const bool health_only_;
  const StopSignal& stop_;
  std::atomic<Stage> stage_ = Stage::request;
  std::atomic<std::int64_t> since_;  ///< when the stage began
  SendPace pace_;
  std::atomic<bool> evicted_ = false;
  std::mutex mutex_;  ///< of the descriptor
  int descriptor_ = -1;
};

}  // namespace ecmp::net
