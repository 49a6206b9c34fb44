#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "net/http/byte_budget.hpp"
#include "net/http/client_place.hpp"
#include "net/http/fair_places.hpp"
#include "net/http/http_gate.hpp"
#include "net/http/http_origin.hpp"
#include "net/http/http_routes.hpp"
#include "net/http/http_socket.hpp"

namespace ecmp::net {

struct HttpLimits {
  std::size_t max_connections = 128;                   ///< in total; one thread each
  std::size_t max_connections_per_address = 16;        ///< of one client, while a quarter is left or less; 0: all
  std::size_t max_reserved = 8;                        ///< further ones, for what is reserved
  std::size_t handshakes_at_once = 2;                  ///< steps of TLS that are computed, not waited for
  std::size_t max_head_bytes = std::size_t{16} << 10;  ///< request line and headers
  std::size_t max_body_bytes = std::size_t{64} << 10;
  std::uint64_t answer_memory = std::uint64_t{128} << 20;  ///< bytes of all answers under way, see ByteBudget
  Duration reserved_timeout = std::chrono::seconds(1);     ///< for the whole request, where the place is a reserved one
  Duration head_timeout =
      std::chrono::seconds(5);  ///< for the whole head, from its first byte (or the accept), and for TLS
  Duration body_timeout = std::chrono::seconds(10);      ///< for the whole body of a request
  Duration write_timeout = std::chrono::seconds(10);     ///< without a byte of progress; see also SendPace
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
  std::atomic<std::uint64_t> reserved = 0;  ///< open now, on reserved places
  std::atomic<std::uint64_t> evicted = 0;   ///< connections that stalled and gave their place to others
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
  explicit HttpService(const HttpLimits& wanted) : limits(wanted) {}

  const HttpLimits limits;
  HttpRoutes routes;
  HttpGate* gate = nullptr;  ///< null: everybody may come, without TLS
  HttpTally tally;
  StopSignal stop;
  std::set<std::string, std::less<>> reserved;  ///< paths that are served when no ordinary place is left
  bool checks_hosts = false;                    ///< of what comes from this machine
  HostNames own_hosts;                          ///< its names, as it knows them itself
  AllowedHosts hosts;
  std::atomic<std::size_t> share = limits.max_connections_per_address;
  const std::shared_ptr<FairPlaces> handshakes = std::make_shared<FairPlaces>(limits.handshakes_at_once);
  const std::shared_ptr<ByteBudget> budget = std::make_shared<ByteBudget>(limits.answer_memory);
};

/// Serves one connection on the calling thread, request after request, until either side closes it. Never throws.
/// `local`: it came over a loopback address or a unix socket.
void serve_http_connection(HttpService& service, OwnedSocket socket, const SocketAddress& peer, bool local,
                           const std::shared_ptr<ClientPlace>& place);

/// A whole answer with a one-line body that closes the connection, for what is refused before it is parsed.
std::string http_refusal(int status, std::string_view line);

}  // namespace ecmp::net
