#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

#include "net/http/http_socket.hpp"

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
  bound.size = write_socket_address({.address = address, .port = port, .path = {}}, bound.storage);
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

/// Inherited by accepted connections: no Nagle delay (44 ms per keep-alive answer), and dead peers are noticed.
void tune(const OwnedSocket& socket) {
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  const int idle_seconds = 30;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
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
  tune(socket);

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

Error cannot_listen(const std::string& where, int failure) {
  return Error{"cannot listen on " + where + ": " + std::generic_category().message(failure)};
}

/// Whether a socket file is what a process left behind that is no more.
bool nobody_answers(const sockaddr_un& address) {
  struct stat file{};
  if (lstat(static_cast<const char*>(address.sun_path), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  const OwnedSocket caller(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!caller.valid()) return false;
  const int refused = connect(caller.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return refused != 0 && errno == ECONNREFUSED;  // EAGAIN: somebody is there, and busy
}

/// Until listen() is called a caller is refused, so that nobody gets in between bind() and chmod().
Result<Listener> listen_on_file(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string where = "unix:" + path;
  if (path.size() >= sizeof address.sun_path) return cannot_listen(where, ENAMETOOLONG);
  path.copy(static_cast<char*>(address.sun_path), path.size());
  const auto* bare = reinterpret_cast<const sockaddr*>(&address);

  OwnedSocket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return cannot_listen(where, errno);
  if (bind(socket.get(), bare, sizeof address) != 0) {
    if (const int failure = errno; failure != EADDRINUSE || !nobody_answers(address))
      return cannot_listen(where, failure);
    if (unlink(path.c_str()) != 0 || bind(socket.get(), bare, sizeof address) != 0) return cannot_listen(where, errno);
  }
  SocketFile file(path);
  constexpr mode_t kMode = 0660;  // the owner and the group: who may read is settled by the directory and the group
  if (chmod(path.c_str(), kMode) != 0 || ::listen(socket.get(), kBacklog) != 0) return cannot_listen(where, errno);
  auto listener = finished_listener(std::move(socket));
  if (listener) listener->file = std::move(file);
  return listener;
}

/// A descriptor that systemd has given us, which must be a listening stream socket.
Result<Listener> adopt(OwnedSocket socket) {
  const int descriptor = socket.get();
  const std::string name = "descriptor " + std::to_string(descriptor) + " of systemd";
  const auto option = [&socket](int which) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(socket.get(), SOL_SOCKET, which, &value, &size) == 0 ? value : -1;
  };
  const int family = option(SO_DOMAIN);
  if (option(SO_TYPE) != SOCK_STREAM || option(SO_ACCEPTCONN) != 1 ||
      (family != AF_INET && family != AF_INET6 && family != AF_UNIX)) {
    return Error{name + " is not a listening stream socket (ListenStream=, Accept=no)"};
  }
  const int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0)
    return Error{name + ": " + std::generic_category().message(errno)};
  if (family != AF_UNIX) tune(socket);
  return finished_listener(std::move(socket));
}

std::optional<long> number_in_environment(const char* name) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): at start, before there are threads
  if (text == nullptr) return std::nullopt;
  long number = 0;
  const char* end = text + std::strlen(text);
  const auto [stopped, error] = std::from_chars(text, end, number);
  return error == std::errc{} && stopped == end ? std::optional(number) : std::nullopt;
}

std::vector<BindAddress> every_address(std::uint16_t port) {
  BindAddress dual = bind_address(*IpAddress::parse("::"), port);
  dual.dual_stack = true;
  return {dual};
}

}  // namespace

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  struct stat file{};
  if (lstat(path_.c_str(), &file) != 0) {
    path_.clear();
    return;
  }
  device_ = file.st_dev;
  inode_ = file.st_ino;
}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  path_.swap(other.path_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

SocketFile::~SocketFile() {
  struct stat file{};
  if (path_.empty() || lstat(path_.c_str(), &file) != 0) return;
  if (file.st_dev == device_ && file.st_ino == inode_) unlink(path_.c_str());
}

std::vector<PassedSocket> sockets_of_systemd() {
  const auto process = number_in_environment("LISTEN_PID");
  const auto count = number_in_environment("LISTEN_FDS");
  const char* const given = std::getenv("LISTEN_FDNAMES");  // NOLINT(concurrency-mt-unsafe): as above
  std::string names = given != nullptr ? given : "";
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
    unsetenv(name);  // NOLINT(concurrency-mt-unsafe): as above
  std::vector<PassedSocket> sockets;
  if (process != getpid() || !count) return sockets;
  constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
  constexpr long kMost = 1024;
  for (int descriptor = kFirst; descriptor < kFirst + std::clamp<long>(*count, 0, kMost); ++descriptor) {
    const std::size_t colon = names.find(':');
    sockets.push_back({.socket = OwnedSocket(descriptor), .name = names.substr(0, colon)});
    names.erase(0, colon == std::string::npos ? colon : colon + 1);
  }
  return sockets;
}

Result<std::vector<Listener>> listeners_of_systemd(std::vector<PassedSocket> sockets) {
  if (sockets.empty()) return Error{"--web.systemd-socket: no sockets were passed by systemd (LISTEN_PID, LISTEN_FDS)"};
  constexpr std::size_t kMost = 64;
  if (sockets.size() > kMost) return Error{"--web.systemd-socket: more than 64 sockets"};
  std::vector<Listener> listeners;
  for (PassedSocket& socket : sockets) {
    auto listener = adopt(std::move(socket.socket));
    if (!listener) return Error{listener.error()};
    listeners.push_back(std::move(*listener));
  }
  return listeners;
}

Result<std::vector<Listener>> listen_on(const ListenAddress& address) {
  if (!address.path.empty()) {
    auto listener = listen_on_file(address.path);
    if (!listener) return Error{listener.error()};
    std::vector<Listener> one;
    one.push_back(std::move(*listener));
    return one;
  }
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
    return cannot_listen(to_string(address), failure);
  }
  return listeners;
}

}  // namespace ecmp::net
