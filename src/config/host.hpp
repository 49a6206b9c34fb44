#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"
#include "base/result.hpp"

namespace ecmp::config {

/// Something that can be traced.
struct Host {
  std::string name;  ///< as it is looked up: an internationalised name in its ASCII form (RFC 5890), else as given
  std::optional<IpAddress> address;  ///< when it is one
};

/// The one rule for what the configuration, GET /probe and ecmp_trace take as a destination: the unicast address of one
/// host, or a host name as wrong_with_host_name() has it. An internationalised name is converted by UTS 46, as browsers
/// do. The error follows the quoted text and a colon.
Result<Host> parse_host(std::string_view text);

/// What is wrong with an address of one link, if no interface says of which one: fe80::1 may stand behind every one of
/// them (RFC 4007 section 6), and connect() refuses it. Empty: nothing.
std::string_view wrong_with_link(const IpAddress& address, std::string_view interface);

/// The rule of both for an address that a name server gives. `interface` is where probes are to leave by, or empty.
bool can_be_traced(const IpAddress& address, std::string_view interface);

}  // namespace ecmp::config
