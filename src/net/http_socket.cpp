#include "net/http_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace ecmp::net {

namespace {

constexpr int kBacklog = 512;  // the kernel caps it at net.core.somaxconn

struct BindAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  bool dual_stack = false;
};

BindAddress bind_address(const IpAddress& address, std::uint16_t port) {
  BindAddress bound;
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes().data(), sizeof v4.sin_addr);
    std::memcpy(&bound.storage, &v4, sizeof v4);
    bound.size = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes().data(), sizeof v6.sin6_addr);
    std::memcpy(&bound.storage, &v6, sizeof v6);
    bound.size = sizeof v6;
  }
  return bound;
}

/// What a name stands for, in the order of the system's resolver.
Result<std::vector<BindAddress>> look_up(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int failure = getaddrinfo(address.host.c_str(), nullptr, &hints, &found);
  if (failure != 0) return Error{"cannot listen on " + to_string(address) + ": " + gai_strerror(failure)};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);

  std::vector<IpAddress> seen;
  std::vector<BindAddress> candidates;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ai_addr, std::min<std::size_t>(entry->ai_addrlen, sizeof storage));
    const IpAddress candidate = read_socket_address(storage).address;
    if (std::ranges::find(seen, candidate) != seen.end()) continue;  // /etc/hosts may name one twice
    seen.push_back(candidate);
    candidates.push_back(bind_address(candidate, address.port));
  }
  return candidates;
}

/// errno is left set when it fails.
OwnedSocket open_listener(const BindAddress& address) {
  OwnedSocket socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return {};
  // SO_REUSEADDR only lets us start while old connections are in TIME_WAIT. Not SO_REUSEPORT: with it a second
  // instance would silently take half of the scrapes.
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.storage.ss_family == AF_INET6) {
    const int only_v6 = address.dual_stack ? 0 : 1;
    setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
  }
  // Inherited by accepted connections: no Nagle delay (44 ms per keep-alive answer), and dead peers are noticed.
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  const int idle_seconds = 30;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);

  sockaddr_storage storage = address.storage;
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), address.size) != 0) return {};
  if (::listen(socket.get(), kBacklog) != 0) return {};
  return socket;
}

Result<Listener> finished_listener(OwnedSocket socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return Error{std::generic_category().message(errno)};
  }
  Listener listener;
  listener.socket = std::move(socket);
  listener.bound = read_socket_address(storage);
  return listener;
}

std::vector<BindAddress> every_address(std::uint16_t port) {
  BindAddress dual = bind_address(*IpAddress::parse("::"), port);
  dual.dual_stack = true;
  return {dual};
}

}  // namespace

OwnedSocket::~OwnedSocket() {
  if (descriptor_ >= 0) close(descriptor_);
}

StopSignal::StopSignal() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_.valid()) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void StopSignal::raise() {
  const std::uint64_t one = 1;
  // Can only fail when the counter is full, and then it is raised already.
  [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
}

bool StopSignal::raised() const {
  pollfd waiting{event_.get(), POLLIN, 0};
  return poll(&waiting, 1, 0) > 0;
}

socklen_t write_socket_address(const SocketAddress& address, sockaddr_storage& storage) {
  const ByteView bytes = address.address.bytes();
  if (address.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&storage, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
  std::memcpy(&storage, &v6, sizeof v6);
  return sizeof v6;
}

SocketAddress read_socket_address(const sockaddr_storage& storage) {
  SocketAddress read;
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    read.address = IpAddress::v4(ntohl(v4.sin_addr.s_addr));
    read.port = ntohs(v4.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    read.address = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) ? IpAddress::v4(load32(bytes, 12)) : IpAddress::v6(bytes);
    read.port = ntohs(v6.sin6_port);
  }
  return read;
}

Result<std::vector<Listener>> listen_on(const ListenAddress& address) {
  std::vector<BindAddress> candidates;
  if (address.host.empty()) {
    candidates = every_address(address.port);
  } else if (address.address) {
    candidates = {bind_address(*address.address, address.port)};
  } else {
    auto found = look_up(address);
    if (!found) return Error{found.error()};
    candidates = std::move(*found);
  }

  std::vector<Listener> listeners;
  int failure = 0;
  for (const BindAddress& candidate : candidates) {
    errno = 0;
    OwnedSocket socket = open_listener(candidate);
    // open_listener() leaves errno as its failing call has set it.
    // NOLINTNEXTLINE(clang-analyzer-unix.Errno)
    if (!socket.valid() && errno == EAFNOSUPPORT && candidate.dual_stack) {
      socket = open_listener(bind_address(IpAddress{}, address.port));  // a kernel without IPv6
    }
    if (!socket.valid()) {
      failure = errno;
      if (failure == EADDRINUSE) break;
      continue;  // localhost may name ::1 on a machine without IPv6
    }
    auto listener = finished_listener(std::move(socket));
    if (!listener) return Error{"cannot listen on " + to_string(address) + ": " + listener.error()};
    listeners.push_back(std::move(*listener));
  }
  if (failure == EADDRINUSE || listeners.empty()) {
    return Error{"cannot listen on " + to_string(address) + ": " + std::generic_category().message(failure)};
  }
  return listeners;
}

Instant monotonic_now() {
  return Instant(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

bool Wire::wait(short events, Instant deadline) const {
  for (;;) {
    std::array<pollfd, 2> waiting{{{socket_.get(), events, 0}, {stop_.descriptor(), POLLIN, 0}}};
    const Duration left = std::max(deadline - monotonic_now(), Duration::zero());
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    const int ready =
        poll(waiting.data(), waiting.size(), static_cast<int>(std::min<long long>(milliseconds, 1 << 30)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0 || waiting[1].revents != 0) return false;
    if (waiting[0].revents != 0) return true;
    if (left == Duration::zero()) return false;
  }
}

Wire::Got Wire::receive(std::string& into, std::size_t limit, Instant deadline) {
  std::array<char, 4096> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
  for (;;) {
    const ssize_t size = recv(socket_.get(), chunk.data(), std::min(limit, chunk.size()), 0);
    if (size > 0) {
      into.append(chunk.data(), static_cast<std::size_t>(size));
      return Got::bytes;
    }
    if (size == 0) return Got::end;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return Got::end;
    if (!wait(POLLIN, deadline)) return stop_.raised() ? Got::stopped : Got::timeout;
  }
}

Wire::Sent Wire::send(std::string_view bytes, Duration patience, bool more_follows) {
  const int flags = MSG_NOSIGNAL | (more_follows ? MSG_MORE : 0);
  while (!bytes.empty()) {
    const ssize_t size = ::send(socket_.get(), bytes.data(), bytes.size(), flags);
    if (size >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(size));
    } else if (errno == EAGAIN) {
      if (!wait(POLLOUT, monotonic_now() + patience)) return stop_.raised() ? Sent::stopped : Sent::timeout;
    } else if (errno != EINTR) {
      return Sent::gone;
    }
  }
  return Sent::all;
}

bool Wire::peer_left() const {
  pollfd waiting{socket_.get(), POLLRDHUP, 0};
  return poll(&waiting, 1, 0) > 0;
}

void Wire::finish(Instant deadline) {
  shutdown(socket_.get(), SHUT_WR);
  constexpr std::size_t kLargestSwallowed = std::size_t{256} << 10;
  std::string swallowed;
  while (swallowed.size() < kLargestSwallowed && receive(swallowed, 4096, deadline) == Got::bytes) {
  }
}

}  // namespace ecmp::net
