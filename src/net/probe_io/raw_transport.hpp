#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "net/probe_io/capture.hpp"
#include "net/routing/route_table.hpp"
#include "packet/source_ports.hpp"
#include "probe/transport.hpp"

namespace ecmp::net {

struct RawTransportCounters {
  std::uint64_t captured = 0;           ///< datagrams that passed the capture's filter
  std::uint64_t capture_dropped = 0;    ///< of those, lost since the ring was full
  std::uint64_t netlink_overflows = 0;  ///< notifications were lost, everything was looked up again
  std::uint64_t sent_unresolved = 0;    ///< probes whose neighbour the kernel had to resolve first
  std::uint64_t sent_raw = 0;           ///< probes sent by raw sockets (those, and to this host itself)
  std::uint64_t neighbour_checks = 0;   ///< echo requests that made the kernel verify a neighbour
  std::uint64_t route_lookups = 0;
  std::uint64_t clock_steps = 0;           ///< times that the wall clock was set
  std::uint64_t socket_list_failures = 0;  ///< lists of the host's sockets that the kernel did not give
  std::uint64_t filter_failures = 0;       ///< capture filters the kernel or libpcap refused
};

/// The Transport of production: packet sockets out, libpcap in, routes and neighbours by netlink. One thread uses it,
/// but for wake(). Needs CAP_NET_RAW and nothing else.
class RawTransport : public Transport {
 public:
  /// Fails with one line for the user.
  static Result<std::unique_ptr<RawTransport>> open(const CaptureOptions& options = {});
  ~RawTransport() override;

  /// Tells about a flow before its first probe: its route is looked up, and the capture lets its replies pass. The
  /// flow's source address, or nothing while there is no route.
  std::optional<IpAddress> add_flow(std::uint32_t flow, const FlowSpec& spec);
  void remove_flow(std::uint32_t flow);

  /// Lets replies to these source ports pass from now on, whether there are flows or not: flows that come and go with
  /// them do not change the capture's filter. `count` of 0 is none.
  void keep_ports(Protocol protocol, std::uint16_t destination_port, const PortBlock& source_ports);
  /// Takes back what keep_ports() said.
  void drop_ports(Protocol protocol, std::uint16_t destination_port, const PortBlock& source_ports);

  /// The flows whose source address changed since the last call; unspecified: no route any more.
  std::vector<SourceChange> take_source_changes();

  /// The route a flow takes now, for those who show it; nothing if there is none.
  [[nodiscard]] std::optional<Route> route(std::uint32_t flow) const;
  /// Why there is none; SendError::none if there is one.
  [[nodiscard]] SendError route_error(std::uint32_t flow) const;
  /// Interface name by index, "" if it is gone.
  [[nodiscard]] std::string interface_name(std::uint32_t index) const;

  Instant now() override;
  void send(std::span<Outgoing> batch) override;
  void receive(Instant deadline, CaptureSink& sink) override;

  /// Makes a receive() that waits, or the next one, return early. Any thread, and signal handlers.
  void wake();

  /// Wall time minus now(), to tell people when something happened.
  [[nodiscard]] Duration wall_offset() const;

  RawTransportCounters counters();

 private:
  class State;
  explicit RawTransport(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace ecmp::net
