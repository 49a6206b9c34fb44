// A network behind a TUN device, for load: thousands of destinations some hops away, see write_reply(). It sleeps half
// a millisecond whenever nothing is left to answer, so that no sender has to wake it: senders then pay for the device
// alone, and answers come up to that much late.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench/canned_reply.hpp"

namespace {

volatile std::sig_atomic_t stop = 0;

int open_tun(const char* name) {
  const int descriptor = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (descriptor < 0 || ::ioctl(descriptor, TUNSETIFF, &request) < 0) {
    std::perror(name);
    std::exit(1);
  }
  return descriptor;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3 && count != 4) {
    std::fprintf(stderr, "usage: tun_sim DEVICE HOPS [WIDTH]\n");
    return 2;
  }
  const auto hops = static_cast<std::uint8_t>(std::clamp(std::atoi(arguments[2]), 1, 60));
  const auto width = static_cast<std::uint8_t>(count == 4 ? std::clamp(std::atoi(arguments[3]), 0, 255) : 0);
  const int tun = open_tun(arguments[1]);
  struct sigaction action{};
  action.sa_handler = [](int) { stop = 1; };
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  std::printf("ready\n");
  std::fflush(stdout);

  std::array<std::uint8_t, 2048> probe{};
  std::array<std::uint8_t, ecmp::bench::kLargestReply> reply{};
  std::uint64_t answered = 0, ignored = 0, failed = 0;
  while (stop == 0) {
    const ssize_t size = ::read(tun, probe.data(), probe.size());
    if (size < 0) {
      if (errno != EAGAIN && errno != EINTR && errno != EIO) break;  // EIO: the device is still down
      const timespec pause{0, 500'000};
      ::nanosleep(&pause, nullptr);
      continue;
    }
    const std::size_t written =
        ecmp::bench::write_reply(ecmp::ByteView(probe).first(static_cast<std::size_t>(size)), hops, reply, width);
    if (written == 0) {
      ++ignored;
    } else if (::write(tun, reply.data(), written) < 0) {
      ++failed;
    } else {
      ++answered;
    }
  }
  std::printf("answered %lu, ignored %lu, failed %lu\n", answered, ignored, failed);
  return 0;
}
