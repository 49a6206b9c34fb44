#pragma once

#include <cstdint>
#include <functional>
#include <linux/netlink.h>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "net/host/file_descriptor.hpp"

namespace ecmp::net {

/// A netlink request under construction: header, fixed body, attributes (man 7 netlink, 7 rtnetlink).
class NetlinkRequest {
 public:
  NetlinkRequest(std::uint16_t type, std::uint16_t flags);

  /// The fixed part behind the header: rtmsg, ifinfomsg, ndmsg.
  template <typename Body>
  NetlinkRequest& body(const Body& body) {
    return append(&body, sizeof body);
  }
  NetlinkRequest& attribute(std::uint16_t type, ByteView value);
  template <typename Number>
  NetlinkRequest& number(std::uint16_t type, Number value) {
    std::array<std::uint8_t, sizeof(Number)> bytes{};
    std::memcpy(bytes.data(), &value, sizeof value);
    return attribute(type, bytes);
  }

 private:
  friend class NetlinkSocket;
  NetlinkRequest& append(const void* from, std::size_t size);
  ByteView finish(std::uint32_t sequence);

  std::vector<std::uint8_t> bytes_;
};

/// One received message: its type and what is behind the header. Valid only inside the callback.
struct NetlinkMessage {
  std::uint16_t type = 0;
  ByteView body;
};

/// The fixed part of a message, or nothing if the message is too short.
template <typename Body>
std::optional<Body> netlink_body(const NetlinkMessage& message) {
  if (message.body.size() < sizeof(Body)) return std::nullopt;
  Body body;
  std::memcpy(&body, message.body.data(), sizeof body);
  return body;
}

/// Calls `each(type, value)` for every attribute behind a fixed part of `body_size` bytes; stops at a malformed one.
void each_attribute(const NetlinkMessage& message, std::size_t body_size,
                    const std::function<void(std::uint16_t, ByteView)>& each);

/// Reads of attribute values; nothing if the size is wrong.
std::optional<std::uint32_t> attribute_number(ByteView value);
std::optional<IpAddress> attribute_address(ByteView value);

using NetlinkSink = std::function<void(const NetlinkMessage&)>;

/// A NETLINK_ROUTE socket: either for requests, or subscribed to notifications; or one that lists sockets. Needs no
/// privilege.
class NetlinkSocket {
 public:
  /// One that is open, and whose other end answers as the kernel would.
  explicit NetlinkSocket(FileDescriptor descriptor);

  /// `groups`: RTNLGRP_* to subscribe to; those this kernel does not know are left out.
  static Result<NetlinkSocket> open(std::span<const unsigned> groups = {});

  /// A NETLINK_SOCK_DIAG socket (man 7 sock_diag).
  static Result<NetlinkSocket> open_diagnostics();

  /// Sends a request, hands all messages of the answer (a dump's too) to `sink`; returns 0 or an errno.
  int request(NetlinkRequest& request, const NetlinkSink& sink);

  /// The same in parts: begin() sends it and returns 0 or an errno, next() hands over the messages of one datagram and
  /// returns how it ended once it is over.
  int begin(NetlinkRequest& request);
  std::optional<int> next(const NetlinkSink& sink);

  /// Hands over the notifications that have arrived, at most `maximum` datagrams. False if some were lost since the
  /// socket's buffer overflowed.
  bool drain(const NetlinkSink& sink, std::size_t maximum);

  [[nodiscard]] int descriptor() const { return descriptor_.get(); }

 private:
  FileDescriptor descriptor_;
  std::uint32_t sequence_ = 0;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace ecmp::net
