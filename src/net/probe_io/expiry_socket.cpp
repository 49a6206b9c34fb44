#include "net/probe_io/expiry_socket.hpp"

#include <algorithm>
#include <cstring>
#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <utility>

#include "base/bytes.hpp"

namespace ecmp::net {
namespace {

/// Of linux/icmp.h, which cannot stand beside netinet/in.h: an option that blocks the types whose bits are set.
constexpr int kIcmpFilter = 1;
constexpr int kMostMessages = 256;
constexpr std::size_t kLongest = 2048;
constexpr int kReceiveBuffer = 256 << 10;

template <typename T>
bool set(const FileDescriptor& socket, int level, int option, const T& value) {
  return ::setsockopt(socket.get(), level, option, &value, sizeof value) == 0;
}

/// Passes ICMP messages that quote UDP from one of the ports, behind an IPv4 header without options. Others of the
/// host's probes expire as well, many thousands a second.
bool filter_ports(const FileDescriptor& socket, const std::vector<std::uint16_t>& ports) {
  constexpr std::uint32_t kQuoteAt = 8;
  std::vector<sock_filter> code = {
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),                  // X: length of the outer header
      BPF_STMT(BPF_LD | BPF_B | BPF_IND, kQuoteAt + 9),        // protocol of the quoted datagram
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 0),  // its way out is filled in below
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, kQuoteAt + 20),       // source port
  };
  for (const std::uint16_t port : ports)
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 0));
  code.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  code.push_back(BPF_STMT(BPF_RET | BPF_K, 0xffff));
  const std::size_t drop = code.size() - 2;
  code[2].jf = static_cast<std::uint8_t>(drop - 3);
  for (std::size_t i = 4; i < drop; ++i)
    code[i].jt = static_cast<std::uint8_t>(drop + 1 - (i + 1));
  const sock_fprog program{.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  return set(socket, SOL_SOCKET, SO_ATTACH_FILTER, program);
}

FileDescriptor open_v4(const std::vector<std::uint16_t>& ports) {
  FileDescriptor socket(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP));
  if (!socket.valid()) return {};
  const std::uint32_t blocked = ~(1u << ICMP_TIME_EXCEEDED);
  if (!set(socket, SOL_RAW, kIcmpFilter, blocked) || !filter_ports(socket, ports)) return {};
  (void)set(socket, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  return socket;
}

FileDescriptor open_v6() {
  FileDescriptor socket(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6));
  if (!socket.valid()) return {};
  icmp6_filter wanted{};
  ICMP6_FILTER_SETBLOCKALL(&wanted);
  ICMP6_FILTER_SETPASS(ICMP6_TIME_EXCEEDED, &wanted);
  if (!set(socket, IPPROTO_ICMPV6, ICMP6_FILTER, wanted) || !set(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)) return {};
  (void)set(socket, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  return socket;
}

/// The kernel leaves the header of IPv6 out: what is parsed has one.
void put_v6_header(MutableBytes header, std::size_t payload, const in6_addr& from, const in6_addr& to) {
  header[0] = 0x60;
  store16(header, 4, static_cast<std::uint16_t>(payload));
  header[6] = IPPROTO_ICMPV6;
  header[7] = 255;
  std::memcpy(header.data() + 8, &from, sizeof from);
  std::memcpy(header.data() + 24, &to, sizeof to);
}

}  // namespace

ExpirySocket ExpirySocket::open(const std::vector<std::uint16_t>& ports) {
  ExpirySocket opened;
  opened.ports_ = ports;
  if (ports.size() > 64) opened.ports_.resize(64);
  opened.v4_ = open_v4(opened.ports_);
  opened.v6_ = open_v6();
  return opened;
}

void ExpirySocket::receive(const std::function<void(const packet::IcmpError& error)>& take) {
  receive_from(v4_, false, take);
  receive_from(v6_, true, take);
}

void ExpirySocket::receive_from(const FileDescriptor& socket, bool v6,
                                const std::function<void(const packet::IcmpError& error)>& take) {
  constexpr std::size_t kV6Header = 40;
  for (int i = 0; socket.valid() && i < kMostMessages; ++i) {
    std::array<std::uint8_t, kV6Header + kLongest> bytes{};
    alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(in6_pktinfo))> control{};
    sockaddr_in6 from{};
    const std::size_t at = v6 ? kV6Header : 0;
    iovec part{bytes.data() + at, kLongest};
    msghdr header{};
    header.msg_name = &from;
    header.msg_namelen = sizeof from;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket.get(), &header, MSG_DONTWAIT);
    if (got <= 0) return;
    auto size = static_cast<std::size_t>(got);
    if (v6) {
      const cmsghdr* const message = CMSG_FIRSTHDR(&header);
      if (message == nullptr || message->cmsg_level != IPPROTO_IPV6 || message->cmsg_type != IPV6_PKTINFO) continue;
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(message), sizeof info);
      put_v6_header(bytes, size, from.sin6_addr, info.ipi6_addr);
      size += kV6Header;
    }
    const auto read = packet::parse(ByteView(bytes).first(size));
    const auto* const error = std::get_if<packet::IcmpError>(&read);
    if (error == nullptr || error->quote.tuple.protocol != kStampProtocol) continue;
    if (std::ranges::find(ports_, error->quote.tuple.source_port) == ports_.end()) continue;
    take(*error);
  }
}

}  // namespace ecmp::net
