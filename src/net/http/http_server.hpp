#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ip_address.hpp"
#include "base/listen_address.hpp"
#include "base/result.hpp"
#include "net/http/http_connection.hpp"
#include "net/http/http_gate.hpp"
#include "net/http/http_message.hpp"
#include "net/http/http_socket.hpp"

namespace ecmp::net {

/// What has happened since the server was made. All but `connections_open` only grow.
struct HttpCounters {
  std::uint64_t connections_accepted = 0;  ///< and served
  std::uint64_t connections_open = 0;      ///< now
  std::uint64_t refused_full = 0;          ///< max_connections were open
  std::uint64_t refused_address = 0;       ///< places were short, and the client had its share
  std::uint64_t evicted = 0;               ///< closed while they kept the server waiting, since others needed the place
  std::uint64_t refused_memory = 0;        ///< answers beyond the byte budget
  std::uint64_t answer_bytes = 0;          ///< that answers under way hold now
  std::uint64_t accept_failures = 0;       ///< no descriptor or no thread left
  std::uint64_t idle_cut = 0;              ///< closed between two requests, since others needed the place
  std::uint64_t read_timeouts = 0;
  std::uint64_t write_timeouts = 0;
  std::uint64_t tls_failures = 0;
  std::uint64_t connections_failed = 0;   ///< dropped for want of memory
  std::map<int, std::uint64_t> requests;  ///< by status, refused connections left out
};

/// An HTTP/1.1 server for a network that means no good: every wait has a deadline, every buffer a size, and a slow or
/// silent client costs its own connection and nothing else (ADR 0005). One thread accepts, one thread per connection.
///
/// Making one sets SIGPIPE to be ignored in this process: httplib does.
class HttpServer {
 public:
  explicit HttpServer(HttpLimits limits = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  /// Stops it.
  ~HttpServer();

  /// Opens the listening sockets of one address; may be called several times, before start(). Nullopt, or one line
  /// such as `cannot listen on :10815: Address already in use`.
  std::optional<Error> listen(const ListenAddress& address);

  /// The same for sockets that are open already.
  void adopt(std::vector<Listener> listeners);

  /// Before start(). The gate must outlive the server.
  void guard(HttpGate& gate) { service_.gate = &gate; }

  /// All addresses listened on, with the ports the kernel chose.
  [[nodiscard]] const std::vector<SocketAddress>& bound() const { return bound_; }

  /// Before start(). Routes are called from many threads at once.
  void route(std::string method, std::string path, HttpRoute route);

  /// Before start(): this path is served also when no place is left for anything else.
  void reserve(std::string path) { service_.reserved.insert(std::move(path)); }

  /// Before start(): what comes from this machine over a loopback address or a unix socket must name this machine, see
  /// is_own_host(), also where the server listens on all addresses. `own`: names it may be asked by besides.
  void check_hosts(HostNames own = {}) {
    service_.checks_hosts = true;
    service_.own_hosts = std::move(own);
  }

  // These may change while connections are served.

  /// Host names that are taken for this machine's.
  void set_allowed_hosts(HostNames names) { service_.hosts.set(std::move(names)); }
  /// HttpLimits::max_connections_per_address.
  void set_share(std::size_t share) { service_.share.store(share); }
  /// Of all answers under way.
  [[nodiscard]] ByteBudget& budget() { return *service_.budget; }
  /// The same, for answers that hold more than a stream does: what they take of it outlives the server.
  [[nodiscard]] const std::shared_ptr<ByteBudget>& shared_budget() const { return service_.budget; }

  /// From now on connections are served.
  void start();

  /// Returns when every thread of the server has ended: soon, whatever the clients do, but a route that is at work is
  /// waited for. Further calls do nothing.
  void stop();

  [[nodiscard]] HttpCounters counters() const;

 private:
  class Acceptor;

  HttpService service_;
  std::vector<Listener> listeners_;
  std::vector<SocketAddress> bound_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace ecmp::net
