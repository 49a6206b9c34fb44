#include "net/probe_io/raw_sender.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include "net/host/privilege.hpp"
#include "packet/checksum.hpp"

namespace ecmp::net {
namespace {

// man 7 raw; <linux/icmp.h> has it, but does not go together with <netinet/in.h>.
constexpr int kIcmpFilter = 1;

FileDescriptor raw_socket(int family, int protocol) {
  return FileDescriptor(::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

SocketAddress socket_address(const IpAddress& address, std::uint32_t interface) {
  SocketAddress result;
  if (address.is_v4()) {
    auto* to = reinterpret_cast<sockaddr_in*>(&result.storage);
    to->sin_family = AF_INET;
    std::ranges::copy(address.bytes(), reinterpret_cast<std::uint8_t*>(&to->sin_addr));
    result.size = sizeof *to;
  } else {
    auto* to = reinterpret_cast<sockaddr_in6*>(&result.storage);
    to->sin6_family = AF_INET6;
    std::ranges::copy(address.bytes(), reinterpret_cast<std::uint8_t*>(&to->sin6_addr));
    if (address.is_link_local()) to->sin6_scope_id = interface;
    result.size = sizeof *to;
  }
  return result;
}

/// sendmsg with the interface as ancillary data (IP_PKTINFO; IPV6_PKTINFO, RFC 3542 section 6.2).
int send_by(int descriptor, ByteView bytes, const IpAddress& destination, std::uint32_t interface, int flags) {
  SocketAddress to = socket_address(destination, interface);
  iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_name = &to.storage;
  message.msg_namelen = to.size;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> control{};
  if (interface != 0) {
    in_pktinfo v4{};
    v4.ipi_ifindex = static_cast<int>(interface);
    in6_pktinfo v6{};
    v6.ipi6_ifindex = interface;
    const bool is_v4 = destination.is_v4();
    const std::size_t size = is_v4 ? sizeof v4 : sizeof v6;
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
    header->cmsg_type = is_v4 ? IP_PKTINFO : IPV6_PKTINFO;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), is_v4 ? static_cast<const void*>(&v4) : &v6, size);
  }
  for (;;) {
    if (::sendmsg(descriptor, &message, flags | MSG_DONTWAIT) >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

}  // namespace

RawSender::RawSender(FileDescriptor v4, FileDescriptor v6, FileDescriptor echo_v4, FileDescriptor echo_v6)
    : v4_(std::move(v4)), v6_(std::move(v6)), echo_v4_(std::move(echo_v4)), echo_v6_(std::move(echo_v6)) {}

Result<RawSender> RawSender::open() {
  FileDescriptor v4 = raw_socket(AF_INET, IPPROTO_RAW);
  if (!v4.valid()) return Error{open_failure("cannot send probes (raw socket)", errno)};
  FileDescriptor v6 = raw_socket(AF_INET6, IPPROTO_RAW);
  FileDescriptor echo_v4 = raw_socket(AF_INET, IPPROTO_ICMP);
  FileDescriptor echo_v6 = raw_socket(AF_INET6, IPPROTO_ICMPV6);
  // The echo sockets only send; unfiltered, their buffers would fill with every ICMP message of the host.
  const std::uint32_t none_v4 = ~std::uint32_t{0};
  (void)::setsockopt(echo_v4.get(), SOL_RAW, kIcmpFilter, &none_v4, sizeof none_v4);
  icmp6_filter none_v6;
  ICMP6_FILTER_SETBLOCKALL(&none_v6);
  (void)::setsockopt(echo_v6.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &none_v6, sizeof none_v6);
  return RawSender(std::move(v4), std::move(v6), std::move(echo_v4), std::move(echo_v6));
}

int RawSender::send(ByteView datagram, std::uint32_t interface) {
  if (datagram.size() >= 20 && (datagram[0] >> 4) == 4)
    return send_by(v4_.get(), datagram, IpAddress::v4(datagram.subspan<16, 4>()), interface, 0);
  if (datagram.size() >= 40 && (datagram[0] >> 4) == 6)
    return send_by(v6_.get(), datagram, IpAddress::v6(datagram.subspan<24, 16>()), interface, 0);
  return EINVAL;
}

int RawSender::check_neighbour(const NeighbourKey& neighbour) {
  const bool is_v4 = neighbour.address.is_v4();
  std::array<std::uint8_t, 8> echo{};
  echo[0] = is_v4 ? std::uint8_t{ICMP_ECHO} : std::uint8_t{ICMP6_ECHO_REQUEST};
  if (is_v4) store16(echo, 2, static_cast<std::uint16_t>(~packet::ones_complement_sum(echo)));
  // Do not route: the neighbour is on this link, whatever other routes to its address there are.
  return send_by(is_v4 ? echo_v4_.get() : echo_v6_.get(), echo, neighbour.address, neighbour.interface, MSG_DONTROUTE);
}

}  // namespace ecmp::net
