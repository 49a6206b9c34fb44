#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/probe_io/raw_transport.hpp"
#include "network_namespace.hpp"

namespace ecmp::net::test {

struct Seen {
  std::vector<std::uint8_t> bytes;
  Instant at{};
  Direction direction = Direction::incoming;
};

class Collector : public CaptureSink {
 public:
  void on_captured(const Captured& datagram) override;
  std::vector<Seen> seen;
};

IpAddress address(const char* text);

/// A UDP flow to port 33434.
FlowSpec udp_flow(const char* destination, std::uint16_t source_port);

/// A probe of `spec` from `source`, in `storage`.
Outgoing probe(std::uint32_t flow, const FlowSpec& spec, const IpAddress& source, std::uint8_t ttl,
               std::vector<std::uint8_t>& storage);

std::unique_ptr<RawTransport> open_transport();

/// Receives until `enough`, ten seconds at most.
bool receive_until(RawTransport& transport, Collector& collector, const std::function<bool()>& enough);

/// Who sent the first ICMP error among what came in.
std::optional<IpAddress> first_error_from(const Collector& collector);

/// This host, in a network of its own, with 10.0.0.1 and fd00::1; a gateway 10.0.0.2 and fd00::2 with 10.9.9.9 and
/// fd09::9 behind it.
class GatewayNetwork {
 public:
  GatewayNetwork();

  /// A link with 10.0.N.0/24 and fd00:0:0:N::/64, hosts 1 and 2; interfaces vN here and pN there.
  void add_wire(const std::string& n) const;

  PeerNetwork gateway;
};

}  // namespace ecmp::net::test
