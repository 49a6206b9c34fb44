#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ip_address.hpp"
#include "config/config.hpp"
#include "packet/five_tuple.hpp"
#include "probe/transport.hpp"

namespace ecmp {

/// Which way a flow shall leave the host, as far as the user cares.
struct RouteWish {
  std::optional<IpAddress> source_address;
  std::string interface;  ///< empty: the route decides
  std::uint32_t fwmark = 0;
  std::uint8_t dscp = 0;  ///< policy routing may look at it
};

RouteWish wish_of(const config::Destination& destination);

/// Why nothing can be sent to an address, for people.
std::string why_unroutable(SendError error, const RouteWish& wish, const IpAddress& destination);

/// Whoever knows the host's routes. Kept apart from the transport, so that what uses it runs on a simulated one.
class Routes {
 public:
  virtual ~Routes() = default;

  /// Begins to follow the route of a flow. Returns its source address, or none while there is no route; later changes
  /// come to the engine by whoever owns both.
  virtual std::optional<IpAddress> add_flow(std::uint32_t flow, const FiveTuple& tuple, const RouteWish& wish) = 0;
  virtual void remove_flow(std::uint32_t flow) = 0;
  /// Why a flow has no source address.
  [[nodiscard]] virtual SendError error(std::uint32_t flow) const {
    static_cast<void>(flow);
    return SendError::no_route;
  }

  /// Flows with these source ports (ICMP: identifiers) may come and go from now on, and nobody else's replies are to be
  /// lost by that; until drop_ports() takes it back.
  virtual void keep_ports(Protocol protocol, std::uint16_t first, std::uint16_t count) {
    static_cast<void>(protocol), static_cast<void>(first), static_cast<void>(count);
  }
  virtual void drop_ports(Protocol protocol, std::uint16_t first, std::uint16_t count) {
    static_cast<void>(protocol), static_cast<void>(first), static_cast<void>(count);
  }
};

}  // namespace ecmp
