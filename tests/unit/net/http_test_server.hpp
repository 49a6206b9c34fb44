#pragma once

#include <stdexcept>
#include <string>
#include <thread>

#include "config/config.hpp"
#include "net/http/http_server.hpp"
#include "unit/net/http_test_client.hpp"

namespace ecmp::test {

/// An HttpServer on a port of the kernel's choice, at 127.0.0.1 if nothing else is wanted.
class TestServer {
 public:
  explicit TestServer(net::HttpLimits limits = {}, const std::string& address = "127.0.0.1") : server_(limits) {
    if (const auto failure = server_.listen(*config::parse_listen_address(address + ":0"))) {
      throw std::runtime_error(failure->message);
    }
    port_ = server_.bound().front().port;
  }

  net::HttpServer* operator->() { return &server_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  void start() { server_.start(); }

  /// Waits for something the counters show; false after 20 s without.
  template <typename Condition>
  bool await(Condition condition) const {
    const Instant deadline = net::monotonic_now() + std::chrono::seconds(20);
    while (!condition(server_.counters())) {
      if (net::monotonic_now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

 private:
  net::HttpServer server_;
  std::uint16_t port_ = 0;
};

/// A page that needs nothing.
inline void add_fine(TestServer& server) {
  server->route("GET", "/", [](const net::HttpRequest&) { return net::HttpResponse::text(200, "fine"); });
}

}  // namespace ecmp::test
