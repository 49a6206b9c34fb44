#include "net/probe_io/datagram_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <netinet/in.h>
#include <system_error>

namespace ecmp::net {

namespace {

/// A second of 1,000 streams, as far as net.core.rmem_max allows.
constexpr int kReceiveBuffer = 1 << 20;
constexpr int kReplyTtl = 255;  // RFC 8762 section 4.3

std::string reason(int failure) {
  return std::generic_category().message(failure);
}

bool set(const OwnedSocket& socket, int level, int option, int value) {
  return ::setsockopt(socket.get(), level, option, &value, sizeof value) == 0;
}

/// What is to be known of each datagram. An IPv6 socket that takes IPv4 too has the options of both.
bool set_options(const OwnedSocket& socket, bool v6) {
  bool set_all = set(socket, SOL_SOCKET, SO_TIMESTAMPNS, 1) && set(socket, SOL_SOCKET, SO_RXQ_OVFL, 1);
  (void)set(socket, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  set_all = set_all && set(socket, IPPROTO_IP, IP_PKTINFO, 1) && set(socket, IPPROTO_IP, IP_RECVTTL, 1) &&
            set(socket, IPPROTO_IP, IP_RECVTOS, 1) && set(socket, IPPROTO_IP, IP_TTL, kReplyTtl) &&
            set(socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  if (!v6) return set_all;
  return set_all && set(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) && set(socket, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
         set(socket, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) && set(socket, IPPROTO_IPV6, IPV6_UNICAST_HOPS, kReplyTtl) &&
         set(socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
}

/// errno is left set when it fails.
OwnedSocket bind_socket(const SocketAddress& address, bool dual_stack) {
  sockaddr_storage storage{};
  const socklen_t size = write_socket_address(address, storage);
  OwnedSocket socket(::socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return {};
  if (storage.ss_family == AF_INET6 && !set(socket, IPPROTO_IPV6, IPV6_V6ONLY, dual_stack ? 0 : 1)) return {};
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) return {};
  return socket;
}

template <typename T>
T load(const cmsghdr* message) {
  T value{};
  std::memcpy(&value, CMSG_DATA(message), sizeof value);
  return value;
}

IpAddress address_of(const in_addr& address) {
  return IpAddress::v4(std::span<const std::uint8_t, 4>(reinterpret_cast<const std::uint8_t*>(&address), 4));
}
IpAddress address_of(const in6_addr& address) {
  return IpAddress::v6(std::span<const std::uint8_t, 16>(reinterpret_cast<const std::uint8_t*>(&address), 16));
}

WallTime wall_of(const timespec& time) {
  return WallTime(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

void read_control(msghdr& header, ReceivedDatagram& datagram, std::uint32_t& overflow) {
  for (cmsghdr* message = CMSG_FIRSTHDR(&header); message != nullptr; message = CMSG_NXTHDR(&header, message)) {
    const auto is = [message](int level, int type) {
      return message->cmsg_level == level && message->cmsg_type == type;
    };
    if (is(SOL_SOCKET, SO_TIMESTAMPNS)) {
      datagram.received = wall_of(load<timespec>(message));
    } else if (is(SOL_SOCKET, SO_RXQ_OVFL)) {
      overflow = load<std::uint32_t>(message);
    } else if (is(IPPROTO_IP, IP_PKTINFO)) {
      const auto info = load<in_pktinfo>(message);
      datagram.destination = address_of(info.ipi_addr);
      // The address that would answer is another one when many were meant.
      datagram.to_many = datagram.destination.is_multicast() || info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr;
    } else if (is(IPPROTO_IP, IP_TTL) || is(IPPROTO_IPV6, IPV6_HOPLIMIT)) {
      datagram.ttl = static_cast<std::uint8_t>(load<int>(message));
    } else if (is(IPPROTO_IP, IP_TOS)) {
      datagram.traffic_class = load<std::uint8_t>(message);
    } else if (is(IPPROTO_IPV6, IPV6_PKTINFO) && !datagram.source.is_v4()) {
      datagram.destination = address_of(load<in6_pktinfo>(message).ipi6_addr);
      datagram.to_many = datagram.destination.is_multicast();
    } else if (is(IPPROTO_IPV6, IPV6_TCLASS)) {
      datagram.traffic_class = static_cast<std::uint8_t>(load<int>(message));
    }
  }
}

/// Control messages of one reply.
class Control {
 public:
  template <typename T>
  void add(int level, int type, const T& value) {
    cmsghdr header{};
    header.cmsg_level = level;
    header.cmsg_type = type;
    header.cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(&bytes_[size_], &header, sizeof header);
    std::memcpy(&bytes_[size_ + CMSG_LEN(0)], &value, sizeof value);
    size_ += CMSG_SPACE(sizeof value);
  }
  void* data() { return bytes_.data(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int))> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace

DatagramBatch::DatagramBatch() : buffers_(kMost) {}

Result<DatagramSocket> DatagramSocket::open(const ListenAddress& address) {
  OwnedSocket socket;
  if (address.address) {
    socket = bind_socket({.address = *address.address, .port = address.port, .path = {}}, false);
  } else {
    socket = bind_socket({.address = *IpAddress::parse("::"), .port = address.port, .path = {}}, true);
    if (!socket.valid() && errno == EAFNOSUPPORT)
      socket = bind_socket({.address = IpAddress(), .port = address.port, .path = {}}, false);
  }
  if (!socket.valid()) {
    const int failure = errno;
    std::string why = reason(failure);
    if (failure == EACCES) why += " (ports below 1024 take CAP_NET_BIND_SERVICE, or a socket of systemd)";
    return Error{"cannot reflect at " + to_string(address) + ": " + why};
  }
  return finish(std::move(socket));
}

Result<DatagramSocket> DatagramSocket::adopt(OwnedSocket socket, const std::string& name) {
  int type = 0;
  socklen_t size = sizeof type;
  int family = 0;
  socklen_t family_size = sizeof family;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_DGRAM ||
      ::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &family, &family_size) != 0 ||
      (family != AF_INET && family != AF_INET6))
    return Error{name + " is no socket for UDP datagrams (ListenDatagram=)"};
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0)
    return Error{name + ": " + reason(errno)};
  return finish(std::move(socket));
}

Result<DatagramSocket> DatagramSocket::finish(OwnedSocket socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0)
    return Error{"cannot reflect: " + reason(errno)};
  DatagramSocket finished;
  finished.v6_ = storage.ss_family == AF_INET6;
  if (!set_options(socket, finished.v6_)) return Error{"cannot reflect: " + reason(errno)};
  finished.bound_ = read_socket_address(storage);
  finished.socket_ = std::move(socket);
  return finished;
}

std::span<const ReceivedDatagram> DatagramSocket::receive(DatagramBatch& batch) {
  std::array<mmsghdr, DatagramBatch::kMost> headers{};
  std::array<iovec, DatagramBatch::kMost> parts{};
  for (std::size_t i = 0; i < headers.size(); ++i) {
    DatagramBatch::Buffer& buffer = batch.buffers_[i];
    parts[i] = {buffer.bytes.data(), buffer.bytes.size()};
    msghdr& header = headers[i].msg_hdr;
    header.msg_name = &buffer.name;
    header.msg_namelen = sizeof buffer.name;
    header.msg_iov = &parts[i];
    header.msg_iovlen = 1;
    header.msg_control = buffer.control.data();
    header.msg_controllen = buffer.control.size();
  }
  const int got = ::recvmmsg(socket_.get(), headers.data(), headers.size(), MSG_DONTWAIT, nullptr);
  if (got <= 0) return {};
  const auto count = static_cast<std::size_t>(got);
  for (std::size_t i = 0; i < count; ++i) {
    DatagramBatch::Buffer& buffer = batch.buffers_[i];
    const SocketAddress from = read_socket_address(buffer.name);
    ReceivedDatagram& datagram = batch.received_[i];
    datagram = ReceivedDatagram();
    datagram.bytes = ByteView(buffer.bytes).first(headers[i].msg_len);
    datagram.cut = (headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    datagram.source = from.address;
    datagram.source_port = from.port;
    if (!from.address.is_v4() && from.address.is_link_local())
      datagram.scope = reinterpret_cast<const sockaddr_in6*>(&buffer.name)->sin6_scope_id;
    read_control(headers[i].msg_hdr, datagram, overflow_);
  }
  return std::span(batch.received_).first(count);
}

bool DatagramSocket::answer(const ReceivedDatagram& to, ByteView bytes, std::uint8_t traffic_class,
                            std::optional<std::uint8_t> ttl) const {
  Control control;
  sockaddr_storage name{};
  socklen_t name_size = 0;
  const ByteView from = to.destination.bytes();
  if (to.source.is_v4()) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, from.data(), sizeof info.ipi_spec_dst);
    control.add(IPPROTO_IP, IP_PKTINFO, info);
    control.add(IPPROTO_IP, IP_TOS, int{traffic_class});
    if (ttl) control.add(IPPROTO_IP, IP_TTL, int{*ttl});
  } else {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, from.data(), sizeof info.ipi6_addr);
    info.ipi6_ifindex = to.scope;
    control.add(IPPROTO_IPV6, IPV6_PKTINFO, info);
    control.add(IPPROTO_IPV6, IPV6_TCLASS, int{traffic_class});
    if (ttl) control.add(IPPROTO_IPV6, IPV6_HOPLIMIT, int{*ttl});
  }
  if (v6_) {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(to.source_port);
    six.sin6_scope_id = to.scope;
    if (to.source.is_v4()) {  // RFC 4291 section 2.5.5.2: ::ffff:a.b.c.d
      six.sin6_addr.s6_addr[10] = six.sin6_addr.s6_addr[11] = 0xff;
      std::memcpy(&six.sin6_addr.s6_addr[12], to.source.bytes().data(), 4);
    } else {
      std::memcpy(&six.sin6_addr, to.source.bytes().data(), sizeof six.sin6_addr);
    }
    std::memcpy(&name, &six, sizeof six);
    name_size = sizeof six;
  } else {
    name_size = write_socket_address({.address = to.source, .port = to.source_port, .path = {}}, name);
  }
  iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_name = &name;
  header.msg_namelen = name_size;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  if (::sendmsg(socket_.get(), &header, MSG_DONTWAIT) >= 0) return true;
  return errno == EINTR && ::sendmsg(socket_.get(), &header, MSG_DONTWAIT) >= 0;
}

std::uint32_t DatagramSocket::take_overflow() {
  const std::uint32_t more = overflow_ - overflow_taken_;  // the kernel's count wraps
  overflow_taken_ = overflow_;
  return more;
}

}  // namespace ecmp::net
