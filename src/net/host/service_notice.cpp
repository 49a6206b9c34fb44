#include "net/host/service_notice.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace ecmp::net {
namespace {

std::optional<std::int64_t> number_of(const char* name) {
  const char* const text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets the environment
  if (text == nullptr) return std::nullopt;
  std::int64_t number = 0;
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  if (error != std::errc{} || stop != end || number <= 0) return std::nullopt;
  return number;
}

FileDescriptor connect_to(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() < 2 || path.size() >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) return {};
  std::ranges::copy(path, address.sun_path);
  if (path[0] == '@') address.sun_path[0] = '\0';  // of the abstract name space
  FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (!socket.valid() || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return {};
  return socket;
}

}  // namespace

ServiceNotice::ServiceNotice() {
  const char* const path = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): nobody sets the environment
  if (path == nullptr) return;
  socket_ = connect_to(path);
  const auto watched = number_of("WATCHDOG_PID");
  if (const auto limit = number_of("WATCHDOG_USEC"); limit && (!watched || *watched == ::getpid()))
    alive_every_ = std::chrono::microseconds(*limit) / 4;
}

void ServiceNotice::alive(Instant now) {
  if (alive_every_ == Duration::zero() || now < alive_at_) return;
  alive_at_ = now + alive_every_;
  tell("WATCHDOG=1");
}

void ServiceNotice::tell(std::string_view state) const {
  if (socket_.valid()) (void)::send(socket_.get(), state.data(), state.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace ecmp::net
