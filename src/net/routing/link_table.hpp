#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/routing/netlink_socket.hpp"

namespace ecmp::net {

/// What we need to know of an interface.
struct Link {
  std::string name;
  std::vector<std::string> other_names;  ///< of `ip link property add altname`
  /// Datagrams need a neighbour's address: false for tunnels, ppp and the like (no address, or IFF_NOARP).
  bool has_neighbours = false;
  std::uint32_t flags = 0;   ///< IFF_*: a change of any may change routes
  std::uint32_t master = 0;  ///< index of the VRF, bond or bridge it belongs to

  friend bool operator==(const Link&, const Link&) = default;
};

/// The interfaces of this host by index.
class LinkTable {
 public:
  /// Reads all interfaces anew.
  void load(NetlinkSocket& socket);

  /// Takes in RTM_NEWLINK and RTM_DELLINK; other messages are left alone. True if something changed.
  bool take(const NetlinkMessage& message);

  /// Whether there is such an interface, switched on and with a carrier.
  [[nodiscard]] bool is_running(std::uint32_t index) const;
  [[nodiscard]] const Link* find(std::uint32_t index) const;
  /// The index of the interface with this name or alternative name.
  [[nodiscard]] std::optional<std::uint32_t> index_of(std::string_view name) const;

 private:
  std::map<std::uint32_t, Link> links_;
};

}  // namespace ecmp::net
