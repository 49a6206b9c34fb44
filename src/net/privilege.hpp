#pragma once

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
/// groups. To be called while there is one thread: the kernel keeps capabilities per thread. One line for the user.
std::optional<Error> drop_privileges(const std::string& user = {});

/// What the process runs with, as the kernel tells it.
struct Privileges {
  std::string user;          ///< its name, or its number where it has none
  std::string capabilities;  ///< effective ones: "none", or lower-case names with commas
  bool no_new_privs = false;
  std::string seccomp;  ///< "off", "strict" or "filter"
};

/// From the text of /proc/self/status; nothing if that is not what it should be. `user` stays a number.
std::optional<Privileges> parse_status(std::string_view text);

/// Of the calling thread.
std::optional<Privileges> read_privileges();

}  // namespace ecmp::net
