#include "net/probe_io/held_ports.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace ecmp::net {
namespace {

/// A port that another socket has may be free again.
constexpr Duration kHoldAgain = std::chrono::seconds(10);

/// A socket that is bound to nothing yet and drops all that it gets.
FileDescriptor dropping_socket(int family) {
  FileDescriptor socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP));
  if (!socket.valid()) return socket;
  sock_filter drop = {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0};
  const sock_fprog program = {.len = 1, .filter = &drop};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) return {};
  return socket;
}

FileDescriptor bind_both(std::uint16_t port) {
  FileDescriptor socket = dropping_socket(AF_INET6);
  if (!socket.valid()) return socket;
  const int off = 0;
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  if (::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  return socket;
}

/// Of a host without IPv6.
FileDescriptor bind_v4(std::uint16_t port) {
  FileDescriptor socket = dropping_socket(AF_INET);
  if (!socket.valid()) return socket;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return socket;
}

}  // namespace

bool HeldPorts::hold(std::uint16_t port) {
  if (const auto found = ports_.find(port); found != ports_.end()) {
    ++found->second.users;
    return true;
  }
  const FileDescriptor v6(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
  FileDescriptor socket = v6.valid() ? bind_both(port) : bind_v4(port);
  if (!socket.valid()) return false;
  ports_.emplace(port, Held{std::move(socket), 1});
  return true;
}

void HeldPorts::add(std::uint32_t flow, std::uint16_t port, Instant now) {
  if (!hold(port)) lacking_[flow] = {port, now + kHoldAgain};
}

void HeldPorts::remove(std::uint32_t flow, std::uint16_t port) {
  if (lacking_.erase(flow) > 0) return;
  const auto found = ports_.find(port);
  if (found != ports_.end() && --found->second.users == 0) ports_.erase(found);
}

bool HeldPorts::lacks(std::uint32_t flow, Instant (*clock)()) {
  if (lacking_.empty()) return false;
  const auto found = lacking_.find(flow);
  if (found == lacking_.end()) return false;
  const Instant now = clock();
  if (now < found->second.again) return true;
  found->second.again = now + kHoldAgain;
  if (!hold(found->second.port)) return true;
  lacking_.erase(found);
  return false;
}

}  // namespace ecmp::net
