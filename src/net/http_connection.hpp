#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "base/time.hpp"
#include "net/http_gate.hpp"
#include "net/http_routes.hpp"
#include "net/http_socket.hpp"

namespace ecmp::net {

struct HttpLimits {
  std::size_t max_connections = 128;                   ///< in total; one thread each
  std::size_t max_connections_per_address = 0;         ///< of one peer address; 0: no limit of its own
  std::size_t max_head_bytes = std::size_t{16} << 10;  ///< request line and headers
  std::size_t max_body_bytes = std::size_t{64} << 10;
  Duration head_timeout =
      std::chrono::seconds(5);  ///< for the whole head, from its first byte (or the accept), and for TLS
  Duration body_timeout = std::chrono::seconds(10);      ///< for the whole body of a request
  Duration write_timeout = std::chrono::seconds(10);     ///< without a byte of progress; see also kSlowestReader
  Duration idle_timeout = std::chrono::seconds(30);      ///< between two requests of a connection
  Duration idle_when_crowded = std::chrono::seconds(1);  ///< likewise, while 3 of 4 connections are taken
};

/// What the threads of a server count, together.
class HttpTally {
 public:
  void answered(int status) {
    const std::lock_guard lock(mutex_);
    ++by_status_[status];
  }
  [[nodiscard]] std::map<int, std::uint64_t> by_status() const {
    const std::lock_guard lock(mutex_);
    return by_status_;
  }

  std::atomic<std::uint64_t> accepted = 0;
  std::atomic<std::uint64_t> open = 0;
  std::atomic<std::uint64_t> refused_full = 0;
  std::atomic<std::uint64_t> refused_address = 0;
  std::atomic<std::uint64_t> accept_failures = 0;
  std::atomic<std::uint64_t> failed = 0;          ///< connections dropped for want of memory
  std::atomic<std::uint64_t> idle_cut = 0;        ///< idle connections that gave their place to others
  std::atomic<std::uint64_t> read_timeouts = 0;   ///< heads and bodies that did not come in time
  std::atomic<std::uint64_t> write_timeouts = 0;  ///< readers that did not read
  std::atomic<std::uint64_t> tls_failures = 0;    ///< handshakes that came to no agreement, or not in time

 private:
  mutable std::mutex mutex_;
  std::map<int, std::uint64_t> by_status_;  ///< bounded: we only send some twenty codes
};

/// What all connections of a server share. Outlives them.
struct HttpService {
  HttpLimits limits;
  HttpRoutes routes;
  HttpGate* gate = nullptr;  ///< null: everybody may come, without TLS
  HttpTally tally;
  StopSignal stop;
};

/// Serves one connection on the calling thread, request after request, until either side closes it. Never throws.
void serve_http_connection(HttpService& service, OwnedSocket socket, const SocketAddress& peer);

/// A whole answer with a one-line body that closes the connection, for what is refused before it is parsed.
std::string http_refusal(int status, std::string_view line);

}  // namespace ecmp::net
