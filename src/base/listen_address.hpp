#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"

namespace ecmp {

/// Where to listen: a port, of every address of this machine, IPv4 and IPv6, or of one; or a unix socket.
struct ListenAddress {
  std::string host;                  ///< an address without brackets, a name, or empty: every address
  std::optional<IpAddress> address;  ///< set when host is an address
  std::uint16_t port = 0;            ///< 0: the kernel chooses
  std::string path;                  ///< of a unix socket; everything else is empty then

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

/// As it is written in a configuration: IPv6 in brackets, "unix:" before a path.
inline std::string to_string(const ListenAddress& address) {
  if (!address.path.empty()) return "unix:" + address.path;
  const bool brackets = address.host.find(':') != std::string::npos;
  return (brackets ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace ecmp
