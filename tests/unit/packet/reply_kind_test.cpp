#include <set>

#include "catch.hpp"
#include "packet/message.hpp"

using namespace ecmp;
using namespace ecmp::packet;

TEST_CASE("type and code of an ICMP error tell what happened", "[packet]") {
  using enum ReplyKind;
  struct Case {
    Family family;
    std::uint8_t type, code;
    ReplyKind kind;
  };
  const Case cases[] = {
      {Family::ipv4, 11, 0, time_exceeded},
      {Family::ipv4, 11, 1, none},
      {Family::ipv4, 12, 0, parameter_problem},
      {Family::ipv4, 3, 0, net_unreachable},
      {Family::ipv4, 3, 1, host_unreachable},
      {Family::ipv4, 3, 2, protocol_unreachable},
      {Family::ipv4, 3, 3, port_unreachable},
      {Family::ipv4, 3, 4, fragmentation_needed},
      {Family::ipv4, 3, 5, source_route_failed},
      {Family::ipv4, 3, 6, net_unreachable},
      {Family::ipv4, 3, 7, host_unreachable},
      {Family::ipv4, 3, 8, other_unreachable},
      {Family::ipv4, 3, 9, admin_prohibited},
      {Family::ipv4, 3, 10, admin_prohibited},
      {Family::ipv4, 3, 11, net_unreachable},
      {Family::ipv4, 3, 12, host_unreachable},
      {Family::ipv4, 3, 13, admin_prohibited},
      {Family::ipv4, 3, 14, other_unreachable},
      {Family::ipv4, 3, 200, other_unreachable},
      {Family::ipv4, 0, 0, none},
      {Family::ipv4, 4, 0, none},
      {Family::ipv4, 5, 1, none},
      {Family::ipv4, 8, 0, none},
      {Family::ipv6, 3, 0, time_exceeded},
      {Family::ipv6, 3, 1, none},
      {Family::ipv6, 2, 0, fragmentation_needed},
      {Family::ipv6, 4, 1, parameter_problem},
      {Family::ipv6, 1, 0, net_unreachable},
      {Family::ipv6, 1, 1, admin_prohibited},
      {Family::ipv6, 1, 2, other_unreachable},
      {Family::ipv6, 1, 3, host_unreachable},
      {Family::ipv6, 1, 4, port_unreachable},
      {Family::ipv6, 1, 5, admin_prohibited},
      {Family::ipv6, 1, 6, reject_route},
      {Family::ipv6, 1, 7, source_route_failed},
      {Family::ipv6, 1, 99, other_unreachable},
      {Family::ipv6, 11, 0, none},
      {Family::ipv6, 129, 0, none},
      {Family::ipv6, 135, 0, none},
  };
  for (const Case& each : cases) {
    CAPTURE(static_cast<int>(each.family), each.type, each.code);
    CHECK(reply_kind(each.family, each.type, each.code) == each.kind);
  }
}

TEST_CASE("every kind of reply and every error has a name of its own", "[packet]") {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(ReplyKind::challenge_ack); ++i)
    names.insert(to_string(static_cast<ReplyKind>(i)));
  CHECK(names.size() == static_cast<std::size_t>(ReplyKind::challenge_ack) + 1);
  CHECK(to_string(ReplyKind::none).empty());
  CHECK(to_string(ReplyKind::time_exceeded) == "time_exceeded");
  CHECK(to_string(ReplyKind::admin_prohibited) == "admin_prohibited");

  std::set<std::string_view> errors;
  for (int i = 0; i <= static_cast<int>(ParseError::irrelevant); ++i)
    errors.insert(to_string(static_cast<ParseError>(i)));
  CHECK(errors.size() == 4);
  CHECK(to_string(ParseError::bad_checksum) == "bad_checksum");
}
