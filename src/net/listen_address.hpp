#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"
#include "base/result.hpp"

namespace ecmp::net {

/// Where to listen. An empty host means every address of this machine, IPv4 and IPv6.
struct ListenAddress {
  std::string host;                  ///< an address without brackets, or a name
  std::optional<IpAddress> address;  ///< set when host is an address
  std::uint16_t port = 0;            ///< 0: the kernel chooses

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

/// ":10815", "127.0.0.1:9", "[::1]:9" or "localhost:9". "[::]:9" is IPv6 only, so that it can stand beside "0.0.0.0:9".
/// Errors are one line that quotes the text.
Result<ListenAddress> parse_listen_address(std::string_view text);

/// As it is written in a configuration: IPv6 in brackets.
std::string to_string(const ListenAddress& address);

}  // namespace ecmp::net
