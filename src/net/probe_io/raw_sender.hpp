#pragma once

#include <cstdint>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "net/host/file_descriptor.hpp"
#include "net/routing/neighbour_table.hpp"
#include "probe/transport.hpp"

namespace ecmp::net {

/// Sends by raw IP sockets, which go through the kernel's own output path: to addresses of this host, and where the
/// kernel has yet to resolve the neighbour (docs/adr/0002).
class RawSender {
 public:
  /// Fails with a line for the user if CAP_NET_RAW is missing. A host without IPv6 is no failure.
  static Result<RawSender> open();

  /// Sends one datagram (IP header first) as it is, out of `interface` (0: wherever the kernel likes); an errno or 0.
  int send(ByteView datagram, std::uint32_t interface);

  /// Makes the kernel resolve or verify a neighbour, by an echo request of 8 bytes to it: raw sockets mark no
  /// neighbour as used by themselves, and CAP_NET_RAW is not enough to tell the kernel so. An errno or 0.
  int check_neighbour(const NeighbourKey& neighbour);

 private:
  RawSender(FileDescriptor v4, FileDescriptor v6, FileDescriptor echo_v4, FileDescriptor echo_v6);

  FileDescriptor v4_, v6_;            ///< datagrams with their IP header
  FileDescriptor echo_v4_, echo_v6_;  ///< echo requests: the kernel writes the IP header and, for IPv6, the checksum
};

}  // namespace ecmp::net
