#include "net/host/service_notice.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

#include "catch.hpp"

using namespace ecmp;
using namespace ecmp::net;
using namespace std::chrono_literals;

namespace {

/// As systemd listens: a datagram socket whose path is in the environment.
class Listening {
 public:
  explicit Listening(bool abstract)
      : path_((abstract ? "@" : "/tmp/") + ("ecmp-notify-" + std::to_string(::getpid()))) {
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    if (abstract) address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    ::setenv("NOTIFY_SOCKET", path_.c_str(), 1);
  }
  ~Listening() {
    ::close(socket_);
    if (path_[0] == '/') std::filesystem::remove(path_);
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
      ::unsetenv(name);
  }

  std::vector<std::string> told() {
    std::vector<std::string> all;
    std::array<char, 256> text{};
    for (ssize_t size = 0; (size = ::recv(socket_, text.data(), text.size(), 0)) >= 0;)
      all.emplace_back(text.data(), static_cast<std::size_t>(size));
    return all;
  }

 private:
  std::string path_;
  int socket_ = -1;
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("systemd is told that the program is ready, alive and stopping", "[net]") {
  for (const bool abstract : {false, true}) {
    Listening listening(abstract);
    ::setenv("WATCHDOG_USEC", "8000000", 1);
    ServiceNotice notice;
    CHECK(notice.alive_every() == 2s);
    notice.ready();
    Instant now{100s};
    for (int i = 0; i < 100; ++i, now += 100ms)
      notice.alive(now);
    notice.stopping();
    CHECK(listening.told() ==
          Words{"READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"});
  }
}

TEST_CASE("a watchdog is served where one watches this process", "[net]") {
  Listening listening(true);
  CHECK(ServiceNotice().alive_every() == Duration::zero());
  ::setenv("WATCHDOG_USEC", "nonsense", 1);
  CHECK(ServiceNotice().alive_every() == Duration::zero());
  ::setenv("WATCHDOG_USEC", "4000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  CHECK(ServiceNotice().alive_every() == Duration::zero());
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  CHECK(ServiceNotice().alive_every() == 1s);
}

TEST_CASE("a systemd that does not read holds up nothing", "[net]") {
  Listening listening(true);
  ServiceNotice notice;
  for (int i = 0; i < 100000; ++i)
    notice.ready();
  CHECK_FALSE(listening.told().empty());
}

TEST_CASE("without systemd nothing is told", "[net]") {
  ServiceNotice notice;
  notice.ready();
  notice.alive(Instant{1s});
  ::setenv("NOTIFY_SOCKET", "relative", 1);
  ServiceNotice().ready();
  ::unsetenv("NOTIFY_SOCKET");
}
