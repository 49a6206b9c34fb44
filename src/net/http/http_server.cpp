#include "net/http/http_server.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <deque>
#include <list>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>

namespace ecmp::net {

namespace {

constexpr std::size_t kMostRefused = 64;                          // refused connections that are not closed yet
constexpr Duration kForRequest = std::chrono::milliseconds(300);  // for the first line of one that may be reserved
/// A check of health is one packet and its answer, or a handshake: what takes longer, while others wait, may be no
/// check.
constexpr Duration kReservedStalled = std::chrono::milliseconds(200);
constexpr std::size_t kMostGoing = 8;  // threads beyond max_connections that are to end

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
    std::shared_ptr<ClientPlace> place;
    std::atomic<bool> over = false;
  };

  struct Caller {
    OwnedSocket socket;
    SocketAddress peer;
    bool local = false;  ///< it came over a loopback address or a unix socket
  };

  /// One that there is no place for. Until it is refused its request is waited for, which may be for something that is
  /// reserved. Then the answer is sent, and what the client still sends is swallowed until it has read it.
  struct Refused {
    Caller caller;
    std::string_view line;
    Instant until;
    bool encrypted = false;  ///< nothing is read or said without a handshake: it may get a reserved place, or is closed
    bool begun = false;      ///< half a line has come, and stays in the socket
    bool answered = false;
  };

  void run() {
    give_way_to_probing();  // and so do the threads it starts, which inherit this
    while (!service_.stop.raised()) {
      std::vector<pollfd> waiting = {{service_.stop.descriptor(), POLLIN, 0}};
      for (const Listener& listener : listeners_) {
        waiting.push_back({listener.socket.get(), POLLIN, 0});
      }
      for (const Refused& refused : refused_) {
        // What stays in the socket would end each wait at once.
        const bool looks = refused.answered || !refused.begun;
        waiting.push_back({refused.caller.socket.get(), static_cast<short>(looks ? POLLIN : 0), 0});
      }
      constexpr int kTick = 50;
      poll(waiting.data(), waiting.size(), refused_.empty() && served_.empty() ? -1 : kTick);
      reap();
      for (std::size_t index = 0; index < listeners_.size(); ++index) {
        if (waiting[index + 1].revents != 0) accept_all(listeners_[index]);
      }
      look_at_refused();
      if (service_.budget->exceeded()) {
        evict(slowest(0, [](const ClientPlace& place) { return place.stage() == ClientPlace::Stage::answering; }));
      }
    }
  }

  void accept_all(const Listener& listener) {
    while (!service_.stop.raised()) {
      sockaddr_storage storage{};
      socklen_t size = sizeof storage;
      OwnedSocket socket(
          accept4(listener.socket.get(), reinterpret_cast<sockaddr*>(&storage), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (socket.valid()) {
        const SocketAddress peer = read_socket_address(storage);
        // A listener on all addresses has one on loopback, too.
        const bool local = listener.bound.address.is_loopback() || peer.address.is_loopback();
        admit({std::move(socket), peer, local});
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

  void admit(Caller caller) {
    reap();
    const std::size_t most = service_.limits.max_connections;
    const IpAddress client = client_of(caller.peer.address);
    const std::size_t held = held_by(client);
    const std::size_t share = service_.share;
    const bool bound = share > 0 && service_.tally.open * 4 >= most * 3 && held >= share;
    // A client that has its share may do with it as it likes: what comes now rather than what stalls.
    if (bound && !evict(slowest(0, [&](const ClientPlace& place) { return place.client() == client; }))) {
      ++service_.tally.refused_address;
      return refuse(std::move(caller), "too many connections from this address");
    }
    if (!bound && service_.tally.open >= most && !evict(slowest(held, [](const ClientPlace&) { return true; }))) {
      ++service_.tally.refused_full;
      return refuse(std::move(caller), "too many connections");
    }
    serve(std::move(caller), false);
  }

  void serve(Caller caller, bool health_only) {
    keep_little_unsent(caller.socket.get());
    auto place = std::make_shared<ClientPlace>(caller.peer.address, health_only, service_.stop);
    Served& served = served_.emplace_back();
    served.place = std::move(place);
    auto& open = health_only ? service_.tally.reserved : service_.tally.open;
    ++open;  // both before the thread may look, or answer somebody who does
    ++service_.tally.accepted;
    try {
      served.thread = std::thread([this, &served, &open, owned = std::move(caller)]() mutable {
        serve_http_connection(service_, std::move(owned.socket), owned.peer, owned.local, served.place);
        served.over = true;
        --open;
      });
    } catch (const std::exception&) {  // no thread, or no memory for one
      ++service_.tally.accept_failures;
      --service_.tally.accepted;
      --open;
      served_.pop_back();
    }
  }

  [[nodiscard]] std::size_t held_by(const IpAddress& client, bool health_only = false) const {
    return static_cast<std::size_t>(std::ranges::count_if(served_, [&](const Served& served) {
      return !served.over && served.place->health_only() == health_only && served.place->client() == client;
    }));
  }

  /// Of the clients with the most places, all with more than `held`, the connection that keeps the server waiting the
  /// most: half a request rather than an answer that is not read, and that rather than one between two requests.
  template <typename Condition>
  ClientPlace* slowest(std::size_t held, Condition condition, bool health_only = false) const {
    const Instant now = monotonic_now();
    ClientPlace* found = nullptr;
    std::tuple<std::size_t, int, double> worst;
    std::size_t going = 0;
    for (const Served& served : served_) {
      ClientPlace& place = *served.place;
      if (served.over || place.health_only() != health_only) continue;
      if (place.evicted()) ++going;
      const auto stalled = place.stalled(now, health_only ? kReservedStalled : ClientPlace::kStalled);
      if (!stalled || place.evicted() || !condition(place)) continue;
      const std::size_t places = held_by(place.client(), health_only);
      if (places <= held) continue;
      const bool answering = place.stage() == ClientPlace::Stage::answering;
      const double slowness = answering ? -place.rate(now) : std::chrono::duration<double>(*stalled).count();
      const bool idle = place.stage() == ClientPlace::Stage::idle || place.stage() == ClientPlace::Stage::queued;
      const int kind = idle ? 0 : answering ? 1 : 2;
      if (const std::tuple one(places, kind, slowness); found == nullptr || one > worst) {
        worst = one;
        found = &place;
      }
    }
    // Threads that were made to end have not ended yet: no more of them than a few.
    return going < kMostGoing ? found : nullptr;
  }

  /// False: there is none.
  bool evict(ClientPlace* place) {
    if (place == nullptr) return false;
    place->evict();
    ++service_.tally.evicted;
    return true;
  }

  void refuse(Caller caller, std::string_view line) {
    // In TLS a word takes a handshake, for which this thread has no time: one that may be for something reserved gets
    // a thread, any other sees the connection closed.
    const bool encrypted = service_.gate != nullptr && service_.gate->encrypts();
    if (encrypted && serve_reserved(caller)) return;
    if (refused_.size() >= kMostRefused) {
      look_at_refused();
      if (refused_.size() >= kMostRefused) {
        if (!refused_.front().encrypted) answer(refused_.front());
        refused_.pop_front();
      }
    }
    refused_.push_back({.caller = std::move(caller),
                        .line = line,
                        .until = monotonic_now() + kForRequest,
                        .encrypted = encrypted,
                        .begun = encrypted});
  }

  /// No more than half of the reserved places are one client's. Where there is none left for it, a request that stalls
  /// gives its place away: one of its own, or of a client that has more. False: it did not get one.
  bool serve_reserved(Caller& caller) {
    if (service_.reserved.empty()) return false;
    const IpAddress client = client_of(caller.peer.address);
    const std::size_t held = held_by(client, true);
    const bool has_half = held * 2 >= service_.limits.max_reserved;
    const auto may_go = [&](const ClientPlace& place) { return !has_half || place.client() == client; };
    if ((has_half || service_.tally.reserved >= service_.limits.max_reserved) &&
        !evict(slowest(has_half ? 0 : held, may_go, true)))
      return false;
    serve(std::move(caller), true);
    return true;
  }

  void look_at_refused() {
    const Instant now = monotonic_now();
    std::erase_if(refused_, [&](Refused& refused) {
      if (refused.encrypted) return serve_reserved(refused.caller) || now >= refused.until;
      std::array<char, 4096> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
      if (refused.answered) {
        const ssize_t size = recv(refused.caller.socket.get(), bytes.data(), bytes.size(), 0);
        return now >= refused.until || size == 0 || (size < 0 && errno != EAGAIN);
      }
      const ssize_t size = recv(refused.caller.socket.get(), bytes.data(), bytes.size(), MSG_PEEK);
      if (size == 0 || (size < 0 && errno != EAGAIN)) return true;
      const std::string_view begun(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
      const bool has_line = begun.find('\n') != std::string_view::npos;
      const bool waits = has_line && asks_for_reserved(begun);
      if (waits && serve_reserved(refused.caller)) return true;
      refused.begun = size > 0;
      if ((!has_line || waits) && now < refused.until) return false;
      answer(refused);
      return false;
    });
  }

  [[nodiscard]] bool asks_for_reserved(std::string_view begun) const {
    const std::string_view line = begun.substr(0, begun.find('\n'));
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) return false;
    const std::string_view target = line.substr(blank + 1, line.find_first_of(" ?", blank + 1) - blank - 1);
    return service_.reserved.contains(target);
  }

  static void answer(Refused& refused) {
    const std::string text = http_refusal(503, refused.line);
    // Fits an empty socket buffer; a client that made it not fit gets nothing.
    send(refused.caller.socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
    shutdown(refused.caller.socket.get(), SHUT_WR);
    refused.answered = true;
    refused.until = monotonic_now() + std::chrono::seconds(1);
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
  std::deque<Refused> refused_;
  std::thread thread_;  // last: it uses all of the above
};

HttpServer::HttpServer(HttpLimits limits) : service_(limits) {}

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
  counters.evicted = service_.tally.evicted;
  counters.refused_memory = service_.budget->refused();
  counters.answer_bytes = service_.budget->used();
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
