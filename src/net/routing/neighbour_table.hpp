#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "net/routing/netlink_socket.hpp"

namespace ecmp::net {

/// A link-layer address; size 0 when there is none.
struct LinkAddress {
  std::array<std::uint8_t, 8> bytes{};
  std::uint8_t size = 0;

  friend bool operator==(const LinkAddress&, const LinkAddress&) = default;
};

struct NeighbourKey {
  std::uint32_t interface = 0;
  IpAddress address;

  friend auto operator<=>(const NeighbourKey&, const NeighbourKey&) = default;
};

/// The link-layer addresses of the neighbours our routes lead to, as the kernel's own neighbour table has them. Only
/// those asked for are kept. Packet sockets send past that table: the kernel does not notice that we use an entry, and
/// lets it go stale. `due_checks` says which ones it should be made to look at (see Neighbour Unreachability
/// Detection, RFC 4861 section 7.3, which Linux does for IPv4 too).
class NeighbourTable {
 public:
  explicit NeighbourTable(NetlinkSocket socket) : socket_(std::move(socket)) {}

  /// The address of a neighbour; size 0 if the kernel has none that is usable. The first call for a neighbour asks the
  /// kernel.
  LinkAddress resolve(const NeighbourKey& key);

  /// The neighbours the kernel should be made to resolve or to verify now, at most `maximum`. A stale one comes up
  /// every 5 s, an unresolved one after 1, 2, 4, 8, 16, 16... s.
  std::vector<NeighbourKey> due_checks(Instant now, std::size_t maximum);

  /// Takes in RTM_NEWNEIGH and RTM_DELNEIGH; others are left alone.
  void take(const NetlinkMessage& message);

  /// Asks the kernel for all again: notifications were lost.
  void reload();

  /// Forgets the neighbours that were not resolved since the last call.
  void forget_unused();

  /// Makes everybody who caches resolve() call it again.
  void invalidate() { ++generation_; }

  /// Moves whenever an address changed: whoever caches resolve() compares it.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }

 private:
  struct Neighbour {
    LinkAddress address;
    bool stale = false;  ///< known, but unverified for a while
    bool used = true;
    Instant next_check;
    Duration unresolved_wait{};
  };
  void query(const NeighbourKey& key);

  NetlinkSocket socket_;
  std::map<NeighbourKey, Neighbour> neighbours_;
  std::uint64_t generation_ = 1;
  Instant next_check_;  ///< no neighbour is due before
};

}  // namespace ecmp::net
