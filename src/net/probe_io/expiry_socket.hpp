#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/ip_address.hpp"
#include "net/host/file_descriptor.hpp"
#include "packet/message.hpp"

namespace ecmp::net {

/// Hears of datagrams of this host that expired on their way: raw sockets that take nothing but ICMP "time exceeded",
/// for IPv4 and IPv6. Takes CAP_NET_RAW to open, nothing afterwards.
class ExpirySocket {
 public:
  /// Only messages that quote a UDP datagram from one of these ports get through (a filter in the kernel looks at
  /// IPv4's, for headers of IPv6 have no fixed place). Without IPv6, or without the capability, some or all of it hears
  /// nothing.
  static ExpirySocket open(const std::vector<std::uint16_t>& ports);

  /// Of IPv4 and IPv6; -1: there is none.
  [[nodiscard]] std::array<int, 2> descriptors() const { return {v4_.get(), v6_.get()}; }

  /// Hands over what has come, at most some hundred messages, without waiting.
  void receive(const std::function<void(const packet::IcmpError& error)>& take);

 private:
  void receive_from(const FileDescriptor& socket, bool v6,
                    const std::function<void(const packet::IcmpError& error)>& take);

  FileDescriptor v4_, v6_;
  std::vector<std::uint16_t> ports_;
};

}  // namespace ecmp::net
