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

}  // namespace ecmp::config
