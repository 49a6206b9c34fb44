#include "net/probe_io/held_ports.hpp"

#include <memory>
#include <netinet/in.h>
#include <sys/socket.h>

#include "catch.hpp"

using namespace ecmp;
using namespace ecmp::net;
using namespace std::chrono_literals;

namespace {

Instant clock_now{};
Instant now() {
  return clock_now;
}

/// A UDP socket of 127.0.0.1; port 0: one that is free.
struct Socket {
  FileDescriptor descriptor{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  std::uint16_t port = 0;
  bool bound = false;

  explicit Socket(std::uint16_t wanted = 0) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(wanted);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bound = ::bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    socklen_t size = sizeof address;
    if (bound && ::getsockname(descriptor.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0)
      port = ntohs(address.sin_port);
  }
};

/// 0, or why the kernel says that nobody listens there.
int answer_of(std::uint16_t port) {
  const Socket from;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(from.descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::send(from.descriptor.get(), "x", 1, 0) == 1);
  int error = 0;
  socklen_t size = sizeof error;
  REQUIRE(::getsockopt(from.descriptor.get(), SOL_SOCKET, SO_ERROR, &error, &size) ==
          0);  // over lo it is there at once
  return error;
}

std::uint16_t free_port() {
  return Socket().port;
}

}  // namespace

TEST_CASE("A held port refuses nothing, for as long as a flow has it", "[net]") {
  const std::uint16_t port = free_port();
  CHECK(answer_of(port) == ECONNREFUSED);
  HeldPorts ports;
  ports.add(1, port, now());
  ports.add(2, port, now());
  CHECK_FALSE(ports.lacks(1, &now));
  CHECK(ports.contains(port));
  CHECK(answer_of(port) == 0);
  CHECK_FALSE(Socket(port).bound);  // nor does another socket get it
  ports.remove(1, port);
  CHECK(answer_of(port) == 0);
  ports.remove(2, port);
  CHECK_FALSE(ports.contains(port));
  CHECK(answer_of(port) == ECONNREFUSED);
}

TEST_CASE("A port that another socket has is not held until it is free", "[net]") {
  auto other = std::make_unique<Socket>();
  REQUIRE(other->bound);
  clock_now = Instant(1000s);
  HeldPorts ports;
  ports.add(1, other->port, now());
  CHECK(ports.lacks(1, &now));
  CHECK_FALSE(ports.lacks(2, &now));
  const std::uint16_t port = other->port;
  other.reset();
  CHECK(ports.lacks(1, &now));
  clock_now += 11s;
  CHECK_FALSE(ports.lacks(1, &now));
  CHECK(ports.contains(port));
}
