#pragma once

#include <string>
#include <sys/types.h>

namespace ecmp::net::test {

/// Runs a shell command, which has to succeed: `ip ...`.
void run(const std::string& command);
/// What a shell command prints.
std::string output_of(const std::string& command);

/// Moves this process to a network namespace of its own, with its loopback interface up.
void enter_new_network();

/// Another network namespace, kept alive by a child process; it goes away with the object.
class PeerNetwork {
 public:
  PeerNetwork();
  ~PeerNetwork();
  PeerNetwork(const PeerNetwork&) = delete;
  PeerNetwork& operator=(const PeerNetwork&) = delete;

  /// Runs a shell command inside.
  void run(const std::string& command) const;
  /// What `ip link set X netns` takes.
  [[nodiscard]] std::string name() const { return std::to_string(holder_); }

 private:
  pid_t holder_ = -1;
};

}  // namespace ecmp::net::test

/// Ends the test case as skipped (ctest looks for these words) where we may not make namespaces.
#define ECMP_NEEDS_ROOT()                                    \
  if (::geteuid() != 0) {                                    \
    WARN("skipped: needs root, to make network namespaces"); \
    return;                                                  \
  }
