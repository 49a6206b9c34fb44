#include "net/privilege.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace ecmp::net {

std::string open_failure(const std::string& what, int error_number) {
  if (error_number != EPERM && error_number != EACCES) return what + ": " + strerror(error_number);
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  const std::string program = size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : "PROGRAM";
  return what + ": needs CAP_NET_RAW: run as root, or `setcap cap_net_raw+ep " + program + "`";
}

}  // namespace ecmp::net
