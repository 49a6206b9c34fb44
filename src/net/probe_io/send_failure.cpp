#include "net/probe_io/send_failure.hpp"

#include <cerrno>

namespace ecmp::net {

SendError send_failure(int error_number) {
  switch (error_number) {
    case 0:
      return SendError::none;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EINVAL:  // what a look-up of a black-hole route or with a foreign source address says
    case ESRCH:
      return SendError::no_route;
    case EPERM:
    case EACCES:
      return SendError::no_permission;
    case ENOBUFS:
    case EAGAIN:
    case ENOMEM:
      return SendError::no_buffers;
    case EMSGSIZE:
      return SendError::too_big;
    case ENETDOWN:
    case ENXIO:
    case ENODEV:
      return SendError::link_down;
    default:
      return SendError::other;
  }
}

}  // namespace ecmp::net
