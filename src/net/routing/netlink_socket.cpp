#include "net/routing/netlink_socket.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace ecmp::net {
namespace {

/// Attribute types carry two flag bits (NLA_F_NESTED, NLA_F_NET_BYTEORDER).
constexpr std::uint16_t kTypeMask = 0x3fff;

constexpr std::size_t align4(std::size_t size) {
  return (size + 3) & ~std::size_t{3};
}

/// Walks the messages of one netlink datagram; `each` returns false to stop.
template <typename Each>
void each_message(ByteView datagram, Each each) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, datagram.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) return;
    const ByteView body = datagram.subspan(sizeof header, header.nlmsg_len - sizeof header);
    if (!each(header, body)) return;
    datagram = datagram.subspan(std::min(align4(header.nlmsg_len), datagram.size()));
  }
}

/// The errno inside NLMSG_ERROR or NLMSG_DONE.
int error_number(ByteView body) {
  std::int32_t negative = 0;
  if (body.size() < sizeof negative) return 0;
  std::memcpy(&negative, body.data(), sizeof negative);
  return -negative;
}

}  // namespace

NetlinkRequest::NetlinkRequest(std::uint16_t type, std::uint16_t flags) {
  bytes_.reserve(160);
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  append(&header, sizeof header);
}

NetlinkRequest& NetlinkRequest::append(const void* from, std::size_t size) {
  const std::size_t at = bytes_.size();
  bytes_.resize(at + align4(size));
  std::memcpy(bytes_.data() + at, from, size);
  return *this;
}

NetlinkRequest& NetlinkRequest::attribute(std::uint16_t type, ByteView value) {
  const rtattr header{static_cast<unsigned short>(sizeof(rtattr) + value.size()), type};
  append(&header, sizeof header);
  return append(value.data(), value.size());
}

ByteView NetlinkRequest::finish(std::uint32_t sequence) {
  nlmsghdr header;
  std::memcpy(&header, bytes_.data(), sizeof header);
  header.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
  header.nlmsg_seq = sequence;
  std::memcpy(bytes_.data(), &header, sizeof header);
  return bytes_;
}

void each_attribute(const NetlinkMessage& message, std::size_t body_size,
                    const std::function<void(std::uint16_t, ByteView)>& each) {
  ByteView rest = message.body.subspan(std::min(align4(body_size), message.body.size()));
  while (rest.size() >= sizeof(rtattr)) {
    rtattr header;
    std::memcpy(&header, rest.data(), sizeof header);
    if (header.rta_len < sizeof header || header.rta_len > rest.size()) return;
    each(static_cast<std::uint16_t>(header.rta_type & kTypeMask),
         rest.subspan(sizeof header, header.rta_len - sizeof header));
    rest = rest.subspan(std::min(align4(header.rta_len), rest.size()));
  }
}

std::optional<std::uint32_t> attribute_number(ByteView value) {
  std::uint32_t number = 0;
  if (value.size() != sizeof number) return std::nullopt;
  std::memcpy(&number, value.data(), sizeof number);
  return number;
}

std::optional<IpAddress> attribute_address(ByteView value) {
  if (value.size() == 4) return IpAddress::v4(value.first<4>());
  if (value.size() == 16) return IpAddress::v6(value.first<16>());
  return std::nullopt;
}

NetlinkSocket::NetlinkSocket(FileDescriptor descriptor) : descriptor_(std::move(descriptor)), buffer_(32768) {}

Result<NetlinkSocket> NetlinkSocket::open(std::span<const unsigned> groups) {
  FileDescriptor descriptor(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!descriptor.valid()) return Error{std::string("cannot ask the kernel for routes (netlink): ") + strerror(errno)};
  // More room than the default 208 kB, as far as net.core.rmem_max allows: a flapping link brings thousands at once.
  const int bytes = 4 << 20;
  (void)::setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    return Error{std::string("cannot ask the kernel for routes (netlink): ") + strerror(errno)};
  for (const unsigned group : groups)
    (void)::setsockopt(descriptor.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
  return NetlinkSocket(std::move(descriptor));
}

Result<NetlinkSocket> NetlinkSocket::open_diagnostics() {
  FileDescriptor descriptor(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!descriptor.valid()) return Error{std::string("cannot ask the kernel for sockets (netlink): ") + strerror(errno)};
  return NetlinkSocket(std::move(descriptor));
}

int NetlinkSocket::begin(NetlinkRequest& request) {
  const ByteView bytes = request.finish(++sequence_);
  return ::send(descriptor_.get(), bytes.data(), bytes.size(), 0) < 0 ? errno : 0;
}

/// The kernel answers inside send(): nothing here waits, except for the next part of a dump, made inside recv().
std::optional<int> NetlinkSocket::next(const NetlinkSink& sink) {
  const ssize_t size = ::recv(descriptor_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (size < 0) return errno == EINTR ? std::optional<int>() : errno;
  std::optional<int> end;
  each_message(ByteView(buffer_).first(static_cast<std::size_t>(size)), [&](const nlmsghdr& header, ByteView body) {
    if (header.nlmsg_seq != sequence_) return true;  // of an earlier request that was given up
    if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE) {
      end = error_number(body);
      return false;
    }
    sink({header.nlmsg_type, body});
    if ((header.nlmsg_flags & NLM_F_MULTI) == 0) end = 0;
    return !end;
  });
  return end;
}

int NetlinkSocket::request(NetlinkRequest& request, const NetlinkSink& sink) {
  if (const int error = begin(request); error != 0) return error;
  for (;;)
    if (const auto end = next(sink)) return *end;
}

bool NetlinkSocket::drain(const NetlinkSink& sink, std::size_t maximum) {
  bool complete = true;
  for (std::size_t count = 0; count < maximum; ++count) {
    const ssize_t size = ::recv(descriptor_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (size < 0) {
      if (errno == ENOBUFS) {
        complete = false;
        continue;
      }
      if (errno == EINTR) continue;
      break;
    }
    each_message(ByteView(buffer_).first(static_cast<std::size_t>(size)), [&](const nlmsghdr& header, ByteView body) {
      sink({header.nlmsg_type, body});
      return true;
    });
  }
  return complete;
}

}  // namespace ecmp::net
