#pragma once

#include "agent/routes.hpp"
#include "net/raw_transport.hpp"

namespace ecmp {

/// The routes of the host, as the raw transport follows them.
class RawRoutes : public Routes {
 public:
  explicit RawRoutes(net::RawTransport& transport) : transport_(transport) {}

  std::optional<IpAddress> add_flow(std::uint32_t flow, const FiveTuple& tuple, const RouteWish& wish) override {
    return transport_.add_flow(flow, {.tuple = tuple,
                                      .source = wish.source_address,
                                      .interface = wish.interface,
                                      .dscp = wish.dscp,
                                      .mark = wish.fwmark});
  }
  [[nodiscard]] SendError error(std::uint32_t flow) const override { return transport_.route_error(flow); }
  void remove_flow(std::uint32_t flow) override { transport_.remove_flow(flow); }
  void keep_ports(Protocol protocol, std::uint16_t first, std::uint16_t count) override {
    transport_.keep_ports(protocol, first, count);
  }
  void drop_ports(Protocol protocol, std::uint16_t first, std::uint16_t count) override {
    transport_.drop_ports(protocol, first, count);
  }

 private:
  net::RawTransport& transport_;
};

}  // namespace ecmp
