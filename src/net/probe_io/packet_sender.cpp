#include "net/probe_io/packet_sender.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <linux/if_ether.h>

#include "net/host/privilege.hpp"
#include "net/probe_io/send_failure.hpp"

namespace ecmp::net {

PacketSender::PacketSender(FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}

Result<PacketSender> PacketSender::open() {
  // Protocol 0: this socket receives nothing.
  FileDescriptor descriptor(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!descriptor.valid()) return Error{open_failure("cannot send probes (packet socket)", errno)};
  const int bytes = 4 << 20;  // as far as net.core.wmem_max allows
  (void)::setsockopt(descriptor.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  return PacketSender(std::move(descriptor));
}

void PacketSender::add(Outgoing& datagram, std::uint32_t interface, const LinkAddress& address) {
  sockaddr_ll& to = addresses_[count_];
  to = sockaddr_ll{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons((datagram.bytes[0] >> 4) == 4 ? ETH_P_IP : ETH_P_IPV6);
  to.sll_ifindex = static_cast<int>(interface);
  to.sll_halen = address.size;
  std::copy_n(address.bytes.begin(), address.size, to.sll_addr);
  parts_[count_] = {const_cast<std::uint8_t*>(datagram.bytes.data()), datagram.bytes.size()};
  datagrams_[count_] = &datagram;
  ++count_;
}

void PacketSender::flush(Instant at) {
  // Pointers are set here and not once: the sender may have been moved since.
  for (std::size_t i = 0; i < count_; ++i) {
    messages_[i] = mmsghdr{};
    messages_[i].msg_hdr.msg_name = &addresses_[i];
    messages_[i].msg_hdr.msg_namelen = sizeof addresses_[i];
    messages_[i].msg_hdr.msg_iov = &parts_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    datagrams_[i]->at = at;
  }
  for (std::size_t done = 0; done < count_;) {
    const int sent =
        ::sendmmsg(descriptor_.get(), &messages_[done], static_cast<unsigned>(count_ - done), MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      // It is the first one that failed; the call tells no errno of one further on, but ends before it.
      datagrams_[done++]->error = send_failure(errno);
      continue;
    }
    for (int i = 0; i < sent; ++i)
      datagrams_[done++]->error = SendError::none;
  }
  count_ = 0;
}

}  // namespace ecmp::net
