#pragma once

#include <string_view>

#include "base/time.hpp"
#include "net/host/file_descriptor.hpp"

namespace ecmp::net {

/// What systemd is told by datagrams to the socket it names (sd_notify(3)): that the program is ready, that it stops,
/// and, where it watches, that the caller's loop turns. Nothing is told where no socket is named. Never waits: what the
/// socket has no room for is not told.
class ServiceNotice {
 public:
  /// By the environment: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.
  ServiceNotice();

  void ready() { tell("READY=1"); }
  void stopping() { tell("STOPPING=1"); }
  /// To be called with every turn: it is told four times within the time after which a watchdog acts.
  void alive(Instant now);

  /// How often that is; zero: nobody watches.
  [[nodiscard]] Duration alive_every() const { return alive_every_; }

 private:
  void tell(std::string_view state) const;

  FileDescriptor socket_;  ///< connected; invalid: nobody wants to know
  Duration alive_every_{};
  Instant alive_at_{};
};

}  // namespace ecmp::net
