#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "packet/five_tuple.hpp"

namespace ecmp::net {

/// Ports (or ICMP echo identifiers) from `first` to `last`, both included.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  friend bool operator==(const PortRange&, const PortRange&) = default;
};

/// Source ports of our probes, per Protocol; sorted, disjoint.
using PortRanges = std::array<std::vector<PortRange>, 3>;

/// The most ranges of one protocol a filter is made of: 8 of each make 302 instructions (the kernel takes 4096,
/// BPF_MAXINSNS) and take libpcap 5 ms; 16 would take it 30 ms, which the probing loop has to wait for.
inline constexpr std::size_t kMaximumRanges = 8;

/// Merges the neighbours with the smallest gaps until at most `maximum` ranges are left.
std::vector<PortRange> coarsen(std::vector<PortRange> ranges, std::size_t maximum);

/// The filter expression (man 7 pcap-filter) that lets our own probes and all that can answer them pass: TCP and UDP
/// from or to our ports, echo requests and replies with our identifiers, ICMP and ICMPv6 errors that quote them, and
/// IPv6 datagrams with extension headers, which a filter cannot walk. "" when there are no ranges: nothing passes.
std::string build_filter(const PortRanges& ranges);

/// Counts the source ports in use.
class PortCensus {
 public:
  void add(Protocol protocol, std::uint16_t port) { ++of(protocol)[port]; }
  void remove(Protocol protocol, std::uint16_t port);

  [[nodiscard]] bool contains(Protocol protocol, std::uint16_t port) const {
    return ports_[static_cast<std::size_t>(protocol)].contains(port);
  }

  /// Runs of consecutive ports, coarsened to kMaximumRanges per protocol.
  [[nodiscard]] PortRanges ranges() const;

 private:
  std::map<std::uint16_t, std::uint32_t>& of(Protocol protocol) { return ports_[static_cast<std::size_t>(protocol)]; }

  std::array<std::map<std::uint16_t, std::uint32_t>, 3> ports_;
};

}  // namespace ecmp::net
