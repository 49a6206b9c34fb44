#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ip_address.hpp"
#include "config/config.hpp"
#include "packet/five_tuple.hpp"
#include "packet/source_ports.hpp"
#include "probe/transport.hpp"

namespace ecmp {

/// Which way a flow shall leave the host, as far as the user cares.
struct RouteWish {
  std::optional<IpAddress> source_address;
  std::string interface;  ///< empty: the route decides
  std::uint32_t fwmark = 0;
  std::uint8_t dscp = 0;    ///< policy routing may look at it
  bool hold_ports = false;  ///< the kernel shall not refuse what comes back to the source port
};

RouteWish wish_of(const config::Destination& destination);

/// Why nothing can be sent to an address, for people.
std::string why_unroutable(SendError error, const RouteWish& wish, const IpAddress& destination);
/// What flows that are not there yet will have in their headers.
struct PortsToKeep {
  Protocol protocol{};
  std::uint16_t destination_port = 0;  ///< 0 for ICMP
  PortBlock source_ports;              ///< ICMP: identifiers

  friend bool operator==(const PortsToKeep&, const PortsToKeep&) = default;
};

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

  /// Flows with these ports may come and go from now on, and no other flow loses replies by that; until
  /// drop_ports() takes it back.
  virtual void keep_ports(const PortsToKeep& ports) { static_cast<void>(ports); }
  virtual void drop_ports(const PortsToKeep& ports) { static_cast<void>(ports); }
};

}  // namespace ecmp
