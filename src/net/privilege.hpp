#pragma once

#include <string>

namespace ecmp::net {

/// "WHAT: needs CAP_NET_RAW: run as root, or `setcap cap_net_raw+ep PATH`" when errno says that a privilege is
/// missing, else "WHAT: " and what errno says.
std::string open_failure(const std::string& what, int error_number);

}  // namespace ecmp::net
