#include "agent/tracing/routes.hpp"

#include "config/text.hpp"

namespace ecmp {

RouteWish wish_of(const config::Destination& destination) {
  return {.source_address = destination.source_address,
          .interface = destination.interface,
          .fwmark = destination.fwmark,
          .dscp = destination.dscp,
          .hold_ports = destination.stamp};
}

std::string why_unroutable(SendError error, const RouteWish& wish, const IpAddress& destination) {
  if (error == SendError::no_interface) return "there is no interface " + config::in_quotes(wish.interface);
  if (error == SendError::no_source && wish.source_address)
    return "this host has no address " + wish.source_address->to_string();
  std::string text = "there is no route to " + destination.to_string();
  if (!wish.interface.empty()) text += " by interface " + config::in_quotes(wish.interface);
  if (wish.source_address) text += " from " + wish.source_address->to_string();
  return text;
}

}  // namespace ecmp
