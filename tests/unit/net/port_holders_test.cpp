#include "net/probe_io/port_holders.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "catch.hpp"
#include "net/host/file_descriptor.hpp"

using namespace std::chrono_literals;

namespace ecmp::net {
namespace {

constexpr int kStream = SOCK_STREAM, kDatagram = SOCK_DGRAM;

struct End {
  sockaddr_storage address{};
  socklen_t size = 0;
};

End end(const char* text, std::uint16_t port) {
  const IpAddress address = IpAddress::parse(text).value();
  End made;
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes().data(), 4);
    std::memcpy(&made.address, &v4, made.size = sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes().data(), 16);
    std::memcpy(&made.address, &v6, made.size = sizeof v6);
  }
  return made;
}

/// A socket at `local` (any port), connected to `remote` if that is given.
struct HeldPort {
  HeldPort(int type, const char* local, const char* remote = nullptr, std::uint16_t remote_port = 0,
           bool v6_only = false)
      : descriptor(::socket(std::string_view(local).find(':') == std::string_view::npos ? AF_INET : AF_INET6,
                            type | SOCK_CLOEXEC, 0)) {
    const int only = v6_only ? 1 : 0;
    (void)::setsockopt(descriptor.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    const End here = end(local, 0);
    REQUIRE(::bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&here.address), here.size) == 0);
    if (remote != nullptr) {
      const End there = end(remote, remote_port);
      REQUIRE(::connect(descriptor.get(), reinterpret_cast<const sockaddr*>(&there.address), there.size) == 0);
    }
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    REQUIRE(::getsockname(descriptor.get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0);
    // The port stands at the same place in both families.
    port = ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
  }

  FileDescriptor descriptor;
  std::uint16_t port = 0;
};

/// A listener at a port of its own.
struct Listener : HeldPort {
  explicit Listener(const char* local) : HeldPort(kStream, local) { REQUIRE(::listen(descriptor.get(), 8) == 0); }
};

FiveTuple flow(Protocol protocol, std::uint16_t source_port, std::uint16_t destination_port,
               const char* destination = "127.0.0.1", const char* source = "127.0.0.1") {
  return {IpAddress::parse(source).value(), IpAddress::parse(destination).value(), protocol, source_port,
          destination_port};
}

/// Whether a flow is held when it is added, and whether the list of all sockets says so too.
struct Found {
  bool at_once = false;
  bool by_list = false;
  friend bool operator==(const Found&, const Found&) = default;
};

void read_lists(PortHolders& holders, Instant now, const IpAddress& source) {
  for (int part = 0; part < 10000; ++part)
    holders.refresh(now, [&](std::uint32_t) { return source; });
  CHECK(holders.next_refresh() > now);
}

Found look(const FiveTuple& tuple) {
  PortHolders holders = PortHolders::open();
  holders.add(1, tuple);
  Found found{.at_once = holders.held(1)};
  PortHolders late = PortHolders::open();
  FiveTuple unknown = tuple;  // its route is not known yet: it is not looked up
  unknown.source = IpAddress();
  late.add(1, unknown);
  CHECK_FALSE(late.held(1));
  read_lists(late, Instant(100s), tuple.source);
  found.by_list = late.held(1);
  CHECK(late.failures() == 0);
  return found;
}

constexpr Found kHeld{true, true}, kFree{false, false};

TEST_CASE("a UDP socket without a peer holds its port towards every destination", "[port_holders]") {
  const HeldPort any(kDatagram, "0.0.0.0");
  CHECK(look(flow(Protocol::udp, any.port, 33434)) == kHeld);
  CHECK(look(flow(Protocol::udp, any.port, 7, "127.9.9.9")) == kHeld);
  CHECK(look(flow(Protocol::tcp, any.port, 33434)) == kFree);
  const HeldPort one(kDatagram, "127.0.0.2");
  CHECK(look(flow(Protocol::udp, one.port, 33434, "127.0.0.1", "127.0.0.2")) == kHeld);
  CHECK(look(flow(Protocol::udp, one.port, 33434)) == kFree);
}

TEST_CASE("a connected UDP socket holds its port towards its peer", "[port_holders]") {
  const HeldPort socket(kDatagram, "127.0.0.1", "127.0.0.1", 33434);
  CHECK(look(flow(Protocol::udp, socket.port, 33434)) == kHeld);
  CHECK(look(flow(Protocol::udp, socket.port, 33435)) == kFree);
  CHECK(look(flow(Protocol::udp, socket.port, 33434, "127.0.0.9")) == kFree);
}

TEST_CASE("an IPv6 socket holds IPv4 flows too, unless it is for IPv6 alone", "[port_holders]") {
  const HeldPort both(kDatagram, "::");
  CHECK(look(flow(Protocol::udp, both.port, 33434)) == kHeld);
  CHECK(look(flow(Protocol::udp, both.port, 33434, "::1", "::1")) == kHeld);
  const HeldPort only(kDatagram, "::", nullptr, 0, true);
  CHECK(look(flow(Protocol::udp, only.port, 33434)) == kFree);
  CHECK(look(flow(Protocol::udp, only.port, 33434, "::1", "::1")) == kHeld);
}

TEST_CASE("a TCP connection holds its 5-tuple, and a listener none", "[port_holders]") {
  const Listener listener("127.0.0.1");
  const HeldPort client(kStream, "127.0.0.1", "127.0.0.1", listener.port);
  CHECK(look(flow(Protocol::tcp, client.port, listener.port)) == kHeld);
  CHECK(look(flow(Protocol::tcp, client.port, 443)) == kFree);
  CHECK(look(flow(Protocol::tcp, listener.port, 443)) == kFree);
  CHECK(look(flow(Protocol::udp, client.port, listener.port)) == kFree);

  const Listener v6("::1");
  const HeldPort v6_client(kStream, "::1", "::1", v6.port);
  CHECK(look(flow(Protocol::tcp, v6_client.port, v6.port, "::1", "::1")) == kHeld);
}

TEST_CASE("a connection to an IPv4-mapped address is one of IPv4", "[port_holders]") {
  const Listener listener("127.0.0.1");
  const HeldPort client(kStream, "::ffff:127.0.0.1", "::ffff:127.0.0.1", listener.port);
  CHECK(look(flow(Protocol::tcp, client.port, listener.port)) == kHeld);
}

TEST_CASE("sockets that come and go are noticed with the next list, and ICMP has none", "[port_holders]") {
  PortHolders holders = PortHolders::open();
  std::optional<HeldPort> socket(std::in_place, kDatagram, "0.0.0.0");
  const FiveTuple tuple = flow(Protocol::udp, socket->port, 33434);
  holders.add(1, tuple);
  holders.add(2, flow(Protocol::icmp, socket->port, 0));
  CHECK(holders.held(1));
  CHECK_FALSE(holders.held(2));
  socket.reset();
  read_lists(holders, Instant(100s), tuple.source);
  CHECK_FALSE(holders.held(1));
  // Nothing is read in between.
  CHECK(holders.next_refresh() >= Instant(105s));
  holders.add(3, tuple);
  holders.remove(1, tuple);
  holders.remove(2, flow(Protocol::icmp, tuple.source_port, 0));
  holders.remove(3, tuple);
  CHECK(holders.next_refresh() == Instant::max());
}

/// The other end of a netlink socket, which answers its first requests with an error.
struct OtherKernel {
  explicit OtherKernel(int error) {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
    ours = FileDescriptor(ends[0]);
    theirs = FileDescriptor(ends[1]);
    for (std::uint32_t sequence = 1; sequence <= 20; ++sequence) {
      struct {
        nlmsghdr header;
        nlmsgerr error;
      } answer{};
      answer.header = {.nlmsg_len = sizeof answer, .nlmsg_type = NLMSG_ERROR, .nlmsg_seq = sequence};
      answer.error.error = -error;
      REQUIRE(::send(ours.get(), &answer, sizeof answer, 0) == sizeof answer);
    }
  }

  int requests() const {
    std::array<char, 4096> bytes{};
    int count = 0;
    while (::recv(ours.get(), bytes.data(), bytes.size(), 0) > 0)
      ++count;
    return count;
  }

  FileDescriptor ours, theirs;
};

TEST_CASE("a kernel without lists of sockets is asked once for each protocol, and later again", "[port_holders]") {
  OtherKernel lists(ENOENT), single(ENOENT);
  PortHolders holders(NetlinkSocket(std::move(lists.theirs)), NetlinkSocket(std::move(single.theirs)));
  std::uint32_t number = 0;
  for (std::uint16_t port = 50000; port < 50100; ++port) {
    holders.add(++number, flow(Protocol::udp, port, 33434));
    holders.add(++number, flow(Protocol::tcp, port, 443));
  }
  read_lists(holders, Instant(100s), IpAddress::parse("127.0.0.1").value());
  read_lists(holders, Instant(500s), IpAddress::parse("127.0.0.1").value());
  const int first = single.requests() + lists.requests();
  CHECK(first <= 4);  // one each, and once more with the first list
  CHECK(first >= 2);
  read_lists(holders, Instant(1000s), IpAddress::parse("127.0.0.1").value());
  CHECK(single.requests() + lists.requests() == 2);
  CHECK(holders.failures() >= 2);
  CHECK_FALSE(holders.held(1));
}

TEST_CASE("without sockets for lists flows are added, and it is counted", "[port_holders]") {
  PortHolders holders(std::nullopt, std::nullopt);
  holders.add(1, flow(Protocol::udp, 50000, 33434));
  read_lists(holders, Instant(100s), IpAddress::parse("127.0.0.1").value());
  CHECK_FALSE(holders.held(1));
  CHECK(holders.failures() >= 1);
  CHECK(holders.next_refresh() > Instant(100s));
}

}  // namespace
}  // namespace ecmp::net
