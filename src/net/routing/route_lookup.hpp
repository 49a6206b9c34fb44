#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "net/routing/netlink_socket.hpp"
#include "packet/five_tuple.hpp"
#include "probe/transport.hpp"

namespace ecmp::net {

/// What the kernel is asked: which way would a datagram with these header values leave?
struct RouteQuery {
  FiveTuple tuple;              ///< an unspecified source lets the kernel choose one
  std::uint32_t interface = 0;  ///< index of the interface it must leave by, 0: any
  std::uint8_t dscp = 0;
  std::uint32_t mark = 0;  ///< as SO_MARK gives it to a socket
};

struct Route {
  bool local = false;           ///< the destination is an address of this host
  std::uint32_t interface = 0;  ///< index
  IpAddress gateway;            ///< the neighbour to hand the datagram to: a router, or the destination itself
  IpAddress source;             ///< the address the kernel would send from

  friend bool operator==(const Route&, const Route&) = default;
};

using RouteAnswer = std::variant<Route, SendError>;

/// The RTM_GETROUTE message for a query. `fib_match`: ask for the whole routing entry, not for its use.
NetlinkRequest route_request(const RouteQuery& query, bool fib_match = false);

/// Reads the answer (RTM_NEWROUTE) to a query.
RouteAnswer read_route(const NetlinkMessage& message, const RouteQuery& query);

/// How many next hops of a routing entry (the answer to a fib_match) leave by `interface`.
std::size_t next_hops_on(const NetlinkMessage& message, std::uint32_t interface);

/// Asks the kernel for routes. Multipath routes answer with the one next hop the kernel's own hash selects for the
/// query's 5-tuple.
class RouteLookup {
 public:
  explicit RouteLookup(NetlinkSocket socket) : socket_(std::move(socket)) {}

  /// What the kernel does for a connected socket (docs/adr/0024). IPv4, ip_route_connect(): first the source, then,
  /// with the source filled in, the next hop. IPv6, ip6_dst_lookup_tail(): the next hop, then a source that suits it. A
  /// query that has a source asks once; it has to be an address of this host.
  RouteAnswer find(const RouteQuery& query);

  /// Whether a socket could be bound to this address: what leads there, perhaps by the table of `interface`, is local.
  bool is_own(const IpAddress& address, std::uint32_t interface);

  /// Whether `interface` leads to the destination by this gateway only. If so, then also a raw socket, for which the
  /// kernel hashes no ports, takes the way of the flow.
  bool single_gateway(const RouteQuery& query, std::uint32_t interface, const IpAddress& gateway);

 private:
  RouteAnswer ask(const RouteQuery& query);

  NetlinkSocket socket_;
};

}  // namespace ecmp::net
