#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "packet/five_tuple.hpp"
#include "packet/source_ports.hpp"

namespace ecmp::net {

/// Ports (or ICMP echo identifiers) from `first` to `last`, both included.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  friend bool operator==(const PortRange&, const PortRange&) = default;
};

/// Ports of our probes, per Protocol; sorted, disjoint.
using PortRanges = std::array<std::vector<PortRange>, 3>;

/// What a filter is made of. The host's own sockets have ports like ours, and the destination's port sets most of
/// them apart from our probes.
struct WantedPorts {
  PortRanges own;     ///< source ports of our probes, identifiers of ICMP
  PortRanges remote;  ///< their destination ports; none of ICMP

  friend bool operator==(const WantedPorts&, const WantedPorts&) = default;
};

/// The most ranges of one protocol a filter is made of: the kernel takes 4096 instructions (BPF_MAXINSNS), and libpcap
/// needs a while to compile them, for which the probing loop has to wait.
inline constexpr std::size_t kMaximumRanges = 8;

/// Merges the neighbours with the smallest gaps until at most `maximum` ranges are left.
std::vector<PortRange> coarsen(std::vector<PortRange> ranges, std::size_t maximum);

/// The filter expression (man 7 pcap-filter) that lets our own probes and all that can answer them pass: UDP between
/// our ports and those of destinations; of TCP between them SYN, RST and what comes without data; echo requests and
/// replies with our identifiers, ICMP and ICMPv6 errors that quote our source ports, and IPv6 datagrams with extension
/// headers, which a filter cannot walk. "" when there are no ranges: nothing passes.
std::string build_filter(const WantedPorts& ports);

/// Counts the ports in use.
class PortCensus {
 public:
  /// Of one flow.
  void add(Protocol protocol, std::uint16_t source_port, std::uint16_t destination_port);
  void remove(Protocol protocol, std::uint16_t source_port, std::uint16_t destination_port);
  /// Of flows that may come.
  void add_block(Protocol protocol, const PortBlock& source_ports, std::uint16_t destination_port);
  void remove_block(Protocol protocol, const PortBlock& source_ports, std::uint16_t destination_port);

  /// Whether a flow has this source port, or may get it.
  [[nodiscard]] bool contains(Protocol protocol, std::uint16_t source_port) const;

  /// Few enough ranges for a filter, which may hold ports in between that nobody has.
  [[nodiscard]] WantedPorts wanted() const;

 private:
  using Counts = std::map<std::uint16_t, std::uint32_t>;
  struct OfProtocol {
    Counts own, remote;
    std::map<std::pair<std::uint16_t, std::uint16_t>, std::uint32_t> blocks;
  };
  OfProtocol& of(Protocol protocol) { return ports_[static_cast<std::size_t>(protocol)]; }

  std::array<OfProtocol, kProtocols.size()> ports_;
};

}  // namespace ecmp::net
