#include "net/probe_io/loopback_direction.hpp"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

namespace ecmp::net {

LoopbackRole loopback_role(ByteView datagram, const PortCensus& ports) {
  const LoopbackRole probe{true, false}, reply{false, true};
  if (datagram.empty()) return reply;
  const bool is_v4 = (datagram[0] >> 4) == 4;
  const std::size_t header = is_v4 ? (datagram[0] & 0xfu) * 4u : 40u;
  if (datagram.size() < std::max<std::size_t>(header, 20) + 4) return reply;
  const std::uint8_t protocol = datagram[is_v4 ? 9 : 6];
  if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
    return datagram[header] == (is_v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST) ? probe : reply;
  if (protocol != IPPROTO_UDP && protocol != IPPROTO_TCP) return reply;
  const Protocol ours = protocol_of(protocol);
  if (!ports.contains(ours, load16(datagram, header))) return reply;
  return {true, ports.contains(ours, load16(datagram, header + 2))};
}

}  // namespace ecmp::net
