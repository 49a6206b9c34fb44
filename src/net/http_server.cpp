#include "net/http_server.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <system_error>
#include <thread>
#include <utility>

namespace ecmp::net {

namespace {

constexpr std::size_t kLargestFarewell = 64;  // refused connections that are still being told so

/// Where processors are scarce the probing loop goes first: its lateness is in the figures, a scrape's is not. Linux
/// takes the niceness of PRIO_PROCESS 0 for that of the calling thread alone (setpriority(2)), and more of it needs no
/// privilege. Where it is refused all the same, nothing is lost but that.
void give_way_to_probing() {
  constexpr int kNiceness = 10;
  ::setpriority(PRIO_PROCESS, 0, kNiceness);
}

/// Bytes that wait in the kernel for a reader that does not read. Without it that is all of tcp_wmem, 4 MiB, for each
/// connection. What is on its way does not count, so fast readers at a distance are none the slower.
void keep_little_unsent(int socket) {
  constexpr int kUnsent = 128 << 10;
  // A unix socket knows no such thing, and has little room anyway.
  (void)setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsent, sizeof kUnsent);
}

}  // namespace

/// The accepting thread, and the threads it has started.
class HttpServer::Acceptor {
 public:
  Acceptor(HttpService& service, const std::vector<Listener>& listeners)
      : service_(service), listeners_(listeners), thread_([this] { run(); }) {}
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  /// After the stop signal.
  ~Acceptor() {
    thread_.join();
    for (Served& served : served_) {
      served.thread.join();
    }
  }

 private:
  struct Served {
    std::thread thread;
    IpAddress peer;
    std::atomic<bool> over = false;
  };

  /// A refused connection: the answer is sent, what the client still sends is swallowed until it has read it.
  struct Farewell {
    OwnedSocket socket;
    Instant until;
  };

  void run() {
    give_way_to_probing();  // and so do the threads it starts, which inherit this
    while (!service_.stop.raised()) {
      std::vector<pollfd> waiting = {{service_.stop.descriptor(), POLLIN, 0}};
      for (const Listener& listener : listeners_) {
        waiting.push_back({listener.socket.get(), POLLIN, 0});
      }
      for (const Farewell& farewell : farewells_) {
        waiting.push_back({farewell.socket.get(), POLLIN, 0});
      }
      constexpr int kFarewellTick = 100;
      poll(waiting.data(), waiting.size(), farewells_.empty() ? -1 : kFarewellTick);
      reap();
      take_leave();
      for (std::size_t index = 0; index < listeners_.size(); ++index) {
        if (waiting[index + 1].revents != 0) accept_all(listeners_[index].socket.get());
      }
    }
  }

  void accept_all(int listener) {
    while (!service_.stop.raised()) {
      sockaddr_storage storage{};
      socklen_t size = sizeof storage;
      OwnedSocket socket(accept4(listener, reinterpret_cast<sockaddr*>(&storage), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (socket.valid()) {
        admit(std::move(socket), read_socket_address(storage));
        continue;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        ++service_.tally.accept_failures;
        pause();
        return;
      }
      if (errno != EINTR && errno != ECONNABORTED) return;  // EAGAIN: that was all
    }
  }

  /// Without descriptors the listening socket stays readable: do not spin on it.
  void pause() const {
    pollfd stop{service_.stop.descriptor(), POLLIN, 0};
    constexpr int kPause = 100;
    poll(&stop, 1, kPause);
  }

  void admit(OwnedSocket socket, const SocketAddress& peer) {
    if (service_.tally.open >= service_.limits.max_connections) {
      ++service_.tally.refused_full;
      return refuse(std::move(socket), "too many connections");
    }
    const std::size_t per_address = service_.limits.max_connections_per_address;
    if (per_address > 0 && open_from(peer.address) >= per_address) {
      ++service_.tally.refused_address;
      return refuse(std::move(socket), "too many connections from this address");
    }
    keep_little_unsent(socket.get());
    reap();
    Served& served = served_.emplace_back();
    served.peer = peer.address;
    ++service_.tally.open;  // both before the thread may look, or answer somebody who does
    ++service_.tally.accepted;
    try {
      served.thread = std::thread([this, &served, peer, owned = std::move(socket)]() mutable {
        serve_http_connection(service_, std::move(owned), peer);
        served.over = true;
        --service_.tally.open;
      });
    } catch (const std::system_error&) {
      ++service_.tally.accept_failures;
      --service_.tally.accepted;
      --service_.tally.open;
      served_.pop_back();
    }
  }

  [[nodiscard]] std::size_t open_from(const IpAddress& peer) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(served_, [&peer](const Served& served) { return !served.over && served.peer == peer; }));
  }

  void refuse(OwnedSocket socket, std::string_view line) {
    // In TLS a word takes a handshake, for which this thread has no time: the client sees the connection closed.
    if (service_.gate != nullptr && service_.gate->encrypts()) return;
    const std::string answer = http_refusal(503, line);
    // Fits an empty socket buffer; a client that made it not fit gets nothing.
    send(socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    shutdown(socket.get(), SHUT_WR);
    if (farewells_.size() < kLargestFarewell) {
      farewells_.push_back({std::move(socket), monotonic_now() + std::chrono::seconds(1)});
    }
  }

  void take_leave() {
    const Instant now = monotonic_now();
    std::erase_if(farewells_, [now](const Farewell& farewell) {
      std::array<char, 4096> swallowed;  // NOLINT(cppcoreguidelines-pro-type-member-init): never read
      const ssize_t size = recv(farewell.socket.get(), swallowed.data(), swallowed.size(), 0);
      return now >= farewell.until || size == 0 || (size < 0 && errno != EAGAIN);
    });
  }

  /// Joins the threads that have ended. Called before each new one, so that there are never many.
  void reap() {
    for (auto served = served_.begin(); served != served_.end();) {
      if (served->over) {
        served->thread.join();
        served = served_.erase(served);
      } else {
        ++served;
      }
    }
  }

  HttpService& service_;
  const std::vector<Listener>& listeners_;
  std::list<Served> served_;
  std::vector<Farewell> farewells_;
  std::thread thread_;  // last: it uses all of the above
};

HttpServer::HttpServer(HttpLimits limits) {
  service_.limits = limits;
}

HttpServer::~HttpServer() {
  stop();
}

std::optional<Error> HttpServer::listen(const ListenAddress& address) {
  auto opened = listen_on(address);
  if (!opened) return Error{opened.error()};
  adopt(std::move(*opened));
  return std::nullopt;
}

void HttpServer::adopt(std::vector<Listener> listeners) {
  for (Listener& listener : listeners) {
    bound_.push_back(listener.bound);
    listeners_.push_back(std::move(listener));
  }
}

void HttpServer::route(std::string method, std::string path, HttpRoute route) {
  service_.routes.add(std::move(method), std::move(path), std::move(route));
}

void HttpServer::start() {
  if (!acceptor_ && !service_.stop.raised()) acceptor_ = std::make_unique<Acceptor>(service_, listeners_);
}

void HttpServer::stop() {
  service_.stop.raise();
  acceptor_.reset();
  listeners_.clear();
}

HttpCounters HttpServer::counters() const {
  HttpCounters counters;
  counters.connections_accepted = service_.tally.accepted;
  counters.connections_open = service_.tally.open;
  counters.refused_full = service_.tally.refused_full;
  counters.refused_address = service_.tally.refused_address;
  counters.accept_failures = service_.tally.accept_failures;
  counters.idle_cut = service_.tally.idle_cut;
  counters.read_timeouts = service_.tally.read_timeouts;
  counters.write_timeouts = service_.tally.write_timeouts;
  counters.tls_failures = service_.tally.tls_failures;
  counters.connections_failed = service_.tally.failed;
  counters.requests = service_.tally.by_status();
  return counters;
}

}  // namespace ecmp::net
