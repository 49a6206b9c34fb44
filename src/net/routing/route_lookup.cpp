#include "net/routing/route_lookup.hpp"

#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/probe_io/send_failure.hpp"

namespace ecmp::net {
namespace {

void append_port(NetlinkRequest& request, std::uint16_t type, std::uint16_t port) {
  std::array<std::uint8_t, 2> bytes{};
  store16(bytes, 0, port);
  request.attribute(type, bytes);
}

/// RTA_VIA: a gateway of another family than the destination (RFC 8950, RFC 5549): family, then the address.
std::optional<IpAddress> read_via(ByteView value) {
  if (value.size() < sizeof(rtvia)) return std::nullopt;
  return attribute_address(value.subspan(sizeof(rtvia)));
}

}  // namespace

NetlinkRequest route_request(const RouteQuery& query, bool fib_match) {
  const FiveTuple& tuple = query.tuple;
  rtmsg body{};
  body.rtm_family = tuple.destination.is_v4() ? AF_INET : AF_INET6;
  body.rtm_dst_len = tuple.destination.is_v4() ? 32 : 128;
  body.rtm_tos = static_cast<unsigned char>(query.dscp << 2);
  if (fib_match) body.rtm_flags = RTM_F_FIB_MATCH;
  NetlinkRequest request(RTM_GETROUTE, 0);
  if (!tuple.source.is_unspecified()) body.rtm_src_len = body.rtm_dst_len;
  request.body(body);
  request.attribute(RTA_DST, tuple.destination.bytes());
  if (!tuple.source.is_unspecified()) request.attribute(RTA_SRC, tuple.source.bytes());
  if (query.interface != 0) request.number(RTA_OIF, query.interface);
  request.number(RTA_IP_PROTO, wire_number(tuple.destination.family(), tuple.protocol));
  if (has_ports(tuple.protocol)) {
    append_port(request, RTA_SPORT, tuple.source_port);
    append_port(request, RTA_DPORT, tuple.destination_port);
  }
  // No flow label: the kernel looks routes up before a socket's datagrams get theirs.
  if (query.mark != 0) request.number(RTA_MARK, query.mark);
  return request;
}

RouteAnswer read_route(const NetlinkMessage& message, const RouteQuery& query) {
  const auto body = netlink_body<rtmsg>(message);
  if (!body || message.type != RTM_NEWROUTE) return SendError::no_route;
  Route route;
  route.local = body->rtm_type == RTN_LOCAL;
  // Nobody traces a multicast group; the rest (unreachable, black hole, prohibit) are ways of saying no.
  if (body->rtm_type != RTN_UNICAST && !route.local) return SendError::no_route;
  std::optional<IpAddress> gateway;
  each_attribute(message, sizeof(rtmsg), [&](std::uint16_t type, ByteView value) {
    if (type == RTA_OIF) {
      route.interface = attribute_number(value).value_or(0);
    } else if (type == RTA_GATEWAY) {
      gateway = attribute_address(value);
    } else if (type == RTA_VIA) {
      gateway = read_via(value);
    } else if (type == RTA_PREFSRC) {
      route.source = attribute_address(value).value_or(IpAddress());
    }
  });
  if (route.interface == 0) return SendError::no_route;
  route.gateway = gateway.value_or(query.tuple.destination);
  // IPv4 leaves the source out when the query named it.
  if (!query.tuple.source.is_unspecified()) route.source = query.tuple.source;
  if (route.source.is_unspecified() || route.source.family() != query.tuple.destination.family())
    return SendError::no_route;
  return route;
}

std::size_t next_hops_on(const NetlinkMessage& message, std::uint32_t interface) {
  std::size_t single = 0, multiple = 0;
  each_attribute(message, sizeof(rtmsg), [&](std::uint16_t type, ByteView value) {
    if (type == RTA_OIF && attribute_number(value) == interface) single = 1;
    if (type != RTA_MULTIPATH) return;
    while (value.size() >= sizeof(rtnexthop)) {
      rtnexthop hop;
      std::memcpy(&hop, value.data(), sizeof hop);
      if (hop.rtnh_len < sizeof hop || hop.rtnh_len > value.size()) return;
      if (static_cast<std::uint32_t>(hop.rtnh_ifindex) == interface) ++multiple;
      value = value.subspan(std::min<std::size_t>((hop.rtnh_len + 3u) & ~3u, value.size()));
    }
  });
  return multiple != 0 ? multiple : single;
}

RouteAnswer RouteLookup::ask(const RouteQuery& query) {
  NetlinkRequest request = route_request(query);
  RouteAnswer answer = SendError::no_route;
  const int error =
      socket_.request(request, [&](const NetlinkMessage& message) { answer = read_route(message, query); });
  if (error != 0) return send_failure(error);
  return answer;
}

bool RouteLookup::is_own(const IpAddress& address, std::uint32_t interface) {
  RouteQuery query;
  query.tuple.destination = address;
  query.tuple.protocol = Protocol::icmp;
  const auto leads_home = [this](const RouteQuery& asked) {
    const RouteAnswer answer = ask(asked);
    const Route* route = std::get_if<Route>(&answer);
    return route != nullptr && route->local;
  };
  if (leads_home(query)) return true;
  query.interface = interface;  // an address of a VRF is in the table of that VRF only
  return interface != 0 && leads_home(query);
}

RouteAnswer RouteLookup::find(const RouteQuery& query) {
  const IpAddress& source = query.tuple.source;
  const bool v4 = query.tuple.destination.is_v4();
  if (source.is_unspecified()) {
    const RouteAnswer first = ask(query);
    const Route* route = std::get_if<Route>(&first);
    if (!v4 || !route) return first;
    RouteQuery again = query;
    again.tuple.source = route->source;
    return ask(again);
  }
  if (!is_own(source, query.interface)) return SendError::no_source;
  const RouteAnswer answer = ask(query);
  const Route* route = std::get_if<Route>(&answer);
  if (v4 || query.interface == 0 || (route && (route->local || route->interface == query.interface))) return answer;
  // With a source in the query, IPv6 takes the interface for a wish. For a socket that is bound to it, it is a must,
  // as it is for a query without a source.
  RouteQuery strict = query;
  strict.tuple.source = IpAddress::v6(std::array<std::uint8_t, 16>{});
  RouteAnswer bound = ask(strict);
  if (Route* found = std::get_if<Route>(&bound)) found->source = source;
  return bound;
}

bool RouteLookup::single_gateway(const RouteQuery& query, std::uint32_t interface, const IpAddress& gateway) {
  NetlinkRequest request = route_request(query, true);
  std::size_t next_hops = 0;
  const int error =
      socket_.request(request, [&](const NetlinkMessage& message) { next_hops = next_hops_on(message, interface); });
  if (error != 0 || next_hops != 1) return false;
  RouteQuery by_interface = query;
  by_interface.interface = interface;
  const RouteAnswer answer = ask(by_interface);
  const Route* route = std::get_if<Route>(&answer);
  return route != nullptr && route->interface == interface && route->gateway == gateway;
}

}  // namespace ecmp::net
