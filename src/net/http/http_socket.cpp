#include "net/http/http_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

namespace ecmp::net {

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
  } else if (storage.ss_family == AF_UNIX) {
    sockaddr_un local{};
    std::memcpy(&local, &storage, sizeof local);
    read.address = IpAddress::v4(INADDR_LOOPBACK);
    read.path.assign(static_cast<const char*>(local.sun_path), strnlen(local.sun_path, sizeof local.sun_path));
  }
  return read;
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

void SendPace::begin(Duration patience) {
  patience_ = patience;
  bytes_.store(0);
  waited_.store(0);
  waiting_since_.store(0);
}

Instant SendPace::wait_begins(Instant now) {
  waiting_since_.store(now.time_since_epoch().count());
  const Duration earned = std::chrono::milliseconds(bytes_.load() * 1000 / kSlowestReader);
  return now + std::min(patience_, std::max(patience_ + earned - Duration(waited_.load()), Duration::zero()));
}

void SendPace::wait_ends(Instant now) {
  waited_.fetch_add(now.time_since_epoch().count() - waiting_since_.exchange(0));
}

Duration SendPace::waited(Instant now) const {
  const std::int64_t since = waiting_since_.load();
  const Duration this_time = since == 0 ? Duration::zero() : now - Instant(Duration(since));
  return Duration(waited_.load()) + std::max(this_time, Duration::zero());
}

double SendPace::rate(Instant now) const {
  const double seconds = std::chrono::duration<double>(waited(now)).count();
  return static_cast<double>(bytes_.load()) / std::max(seconds, 1e-9);
}

Wire::Got Wire::receive_bare(std::string& into, std::size_t limit, Instant deadline) {
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

Wire::Sent Wire::send_bare(std::string_view bytes, SendPace& pace, bool more_follows) {
  const int flags = MSG_NOSIGNAL | (more_follows ? MSG_MORE : 0);
  while (!bytes.empty()) {
    const ssize_t size = ::send(socket_.get(), bytes.data(), bytes.size(), flags);
    if (size >= 0) {
      pace.took(static_cast<std::size_t>(size));
      bytes.remove_prefix(static_cast<std::size_t>(size));
    } else if (errno == EAGAIN) {
      const bool ready = wait(POLLOUT, pace.wait_begins(monotonic_now()));
      pace.wait_ends(monotonic_now());
      if (!ready) return stop_.raised() ? Sent::stopped : Sent::timeout;
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
  while (swallowed.size() < kLargestSwallowed && receive_bare(swallowed, 4096, deadline) == Got::bytes) {
  }
}

}  // namespace ecmp::net
