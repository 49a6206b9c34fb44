#pragma once

#include "agent/tracing/routes.hpp"
#include "net/probe_io/raw_transport.hpp"
#include "probe/engine.hpp"

namespace ecmp {

/// The routes of the host, as the raw transport follows them.
class RawRoutes : public Routes {
 public:
  explicit RawRoutes(net::RawTransport& transport) : transport_(transport) {
    transport_.keep_ports(Protocol::icmp, 0, {kControlIdentifier, kControlIdentifier + kControlIdentifiers - 1});
  }

  std::optional<IpAddress> add_flow(std::uint32_t flow, const FiveTuple& tuple, const RouteWish& wish) override {
    return transport_.add_flow(flow, {.tuple = tuple,
                                      .source = wish.source_address,
                                      .interface = wish.interface,
                                      .dscp = wish.dscp,
                                      .hold_port = wish.hold_ports,
                                      .mark = wish.fwmark});
  }
  [[nodiscard]] SendError error(std::uint32_t flow) const override { return transport_.route_error(flow); }
  void remove_flow(std::uint32_t flow) override { transport_.remove_flow(flow); }
  void keep_ports(const PortsToKeep& ports) override {
    transport_.keep_ports(ports.protocol, ports.destination_port, ports.source_ports);
  }
  void drop_ports(const PortsToKeep& ports) override {
    transport_.drop_ports(ports.protocol, ports.destination_port, ports.source_ports);
  }

 private:
  net::RawTransport& transport_;
};

}  // namespace ecmp
