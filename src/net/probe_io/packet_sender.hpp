#pragma once

#include <array>
#include <cstdint>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/result.hpp"
#include "net/host/file_descriptor.hpp"
#include "net/routing/neighbour_table.hpp"
#include "probe/transport.hpp"

namespace ecmp::net {

/// Sends datagrams by one packet socket, the kernel building the link header (docs/adr/0002). Batches: nothing leaves
/// before flush(), or before the batch is full.
class PacketSender {
 public:
  static constexpr std::size_t kBatch = 64;

  /// Fails with a line for the user if CAP_NET_RAW is missing.
  static Result<PacketSender> open();

  /// Puts a datagram into the batch; `datagram` has to live until it is sent, its `error` is written then.
  void add(Outgoing& datagram, std::uint32_t interface, const LinkAddress& address);

  [[nodiscard]] bool full() const { return count_ == kBatch; }
  [[nodiscard]] bool empty() const { return count_ == 0; }

  /// Sends the batch. Each datagram gets its own error and `at`.
  void flush(Instant at);

 private:
  explicit PacketSender(FileDescriptor descriptor);

  FileDescriptor descriptor_;
  std::size_t count_ = 0;
  std::array<Outgoing*, kBatch> datagrams_{};
  std::array<sockaddr_ll, kBatch> addresses_{};
  std::array<iovec, kBatch> parts_{};
  std::array<mmsghdr, kBatch> messages_{};
};

}  // namespace ecmp::net
