#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace ecmp::net {

/// "WHAT: needs CAP_NET_RAW: run as root, or `setcap cap_net_raw+ep PATH`" when errno says that a privilege is
/// missing, else "WHAT: " and what errno says.
std::string open_failure(const std::string& what, int error_number);

/// Gives up all capabilities for good: of the calling thread and of what it starts, with the bounding set as far as
/// the process may (CAP_SETPCAP), and sets no_new_privs. With `user` not empty the process becomes that user, with its
/// groups. The kernel keeps capabilities per thread, so it is refused when there is more than one. One line for the
/// user.
std::optional<Error> drop_privileges(const std::string& user = {});

/// What the process runs with, as the kernel tells it.
struct Privileges {
  std::string user;          ///< its name, or its number where it has none
  std::string capabilities;  ///< effective ones: "none", or lower-case names with commas
  bool no_new_privs = false;
  std::string seccomp;               ///< "off", "strict" or "filter"
  std::uint64_t capability_set = 0;  ///< `capabilities` by number
};

/// From the text of /proc/self/status; nothing if that is not what it should be. `user` stays a number.
std::optional<Privileges> parse_status(std::string_view text);

/// Of all threads together: a capability that one of them has, and only what holds for every one. A thread that ends
/// meanwhile is left out.
std::optional<Privileges> read_privileges();

/// Threads of the process; nothing where /proc is not there to tell.
std::optional<std::size_t> count_threads();

}  // namespace ecmp::net
