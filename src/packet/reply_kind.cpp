#include "base/names.hpp"
#include "packet/message.hpp"

namespace ecmp::packet {
namespace {

ReplyKind unreachable_v4(std::uint8_t code) {
  switch (code) {
    case 0:   // net unreachable
    case 6:   // destination network unknown
    case 11:  // network unreachable for this type of service
      return ReplyKind::net_unreachable;
    case 1:   // host unreachable
    case 7:   // destination host unknown
    case 12:  // host unreachable for this type of service
      return ReplyKind::host_unreachable;
    case 2:
      return ReplyKind::protocol_unreachable;
    case 3:
      return ReplyKind::port_unreachable;
    case 4:
      return ReplyKind::fragmentation_needed;
    case 5:
      return ReplyKind::source_route_failed;
    case 9:   // network administratively prohibited
    case 10:  // host administratively prohibited
    case 13:  // communication administratively prohibited
      return ReplyKind::admin_prohibited;
    default:
      return ReplyKind::other_unreachable;
  }
}

ReplyKind unreachable_v6(std::uint8_t code) {
  switch (code) {
    case 0:
      return ReplyKind::net_unreachable;  // no route to destination
    case 1:                               // administratively prohibited
    case 5:                               // source address failed ingress or egress policy
      return ReplyKind::admin_prohibited;
    case 3:
      return ReplyKind::host_unreachable;  // address unreachable
    case 4:
      return ReplyKind::port_unreachable;
    case 6:
      return ReplyKind::reject_route;
    case 7:
      return ReplyKind::source_route_failed;  // error in source routing header (RFC 6550)
    default:
      return ReplyKind::other_unreachable;
  }
}

/// Code 1 tells that a host could not reassemble fragments: no TTL ran out there, and ours are never fragmented.
ReplyKind time_exceeded(std::uint8_t code) {
  return code == 0 ? ReplyKind::time_exceeded : ReplyKind::none;
}

}  // namespace

ReplyKind reply_kind(Family family, std::uint8_t type, std::uint8_t code) {
  if (family == Family::ipv4) {
    switch (type) {
      case 3:
        return unreachable_v4(code);
      case 11:
        return time_exceeded(code);
      case 12:
        return ReplyKind::parameter_problem;
      default:
        return ReplyKind::none;
    }
  }
  switch (type) {
    case 1:
      return unreachable_v6(code);
    case 2:
      return ReplyKind::fragmentation_needed;
    case 3:
      return time_exceeded(code);
    case 4:
      return ReplyKind::parameter_problem;
    default:
      return ReplyKind::none;
  }
}

std::string_view to_string(ReplyKind kind) {
  constexpr auto kNames = std::to_array<std::string_view>(
      {"", "time_exceeded", "echo_reply", "syn_ack", "rst", "udp", "port_unreachable", "host_unreachable",
       "net_unreachable", "protocol_unreachable", "fragmentation_needed", "source_route_failed", "admin_prohibited",
       "reject_route", "parameter_problem", "other_unreachable", "challenge_ack"});
  return name_at(kNames, kind);
}

std::string_view to_string(ParseError error) {
  constexpr auto kNames = std::to_array<std::string_view>({"truncated", "malformed", "bad_checksum", "irrelevant"});
  return name_at(kNames, error);
}

}  // namespace ecmp::packet
