#include "trace/line_output.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace ecmp {

namespace {

constexpr std::chrono::milliseconds kPatience{500};

bool is_regular(int descriptor) {
  struct stat status{};
  return ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

LineOutput::LineOutput(int descriptor, net::FileDescriptor owned, std::string name)
    : descriptor_(descriptor), owned_(std::move(owned)), name_(std::move(name)), waits_(!is_regular(descriptor)) {}

Result<LineOutput> LineOutput::create(const std::string& path) {
  net::FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file.valid()) return Error{"cannot write " + path + ": " + strerror(errno)};
  const int descriptor = file.get();
  return LineOutput(descriptor, std::move(file), path);
}

LineOutput LineOutput::standard_output() {
  return LineOutput(STDOUT_FILENO, {}, "standard output");
}

LineOutput::Outcome LineOutput::write(std::string_view lines, int stop) {
  while (!lines.empty()) {
    if (waits_ && !wait_for_room(stop)) {
      error_ = name_ + ": its reader has stalled, the last lines are not written";
      return Outcome::failed;
    }
    // A pipe that says it has room has room for so much, so that this never waits where nothing could end it.
    const std::size_t size = waits_ ? std::min<std::size_t>(lines.size(), PIPE_BUF) : lines.size();
    const ssize_t written = ::write(descriptor_, lines.data(), size);
    if (written >= 0) {
      lines.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      return fail(errno);
    }
  }
  return Outcome::written;
}

LineOutput::Outcome LineOutput::fail(int error_number) {
  if (error_number == EPIPE) return Outcome::reader_gone;
  error_ = "cannot write " + name_ + ": " + strerror(error_number);
  return Outcome::failed;
}

bool LineOutput::wait_for_room(int stop) {
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> deadline;
  while (true) {
    std::array<pollfd, 2> ready = {pollfd{descriptor_, POLLOUT, 0}, pollfd{deadline ? -1 : stop, POLLIN, 0}};
    int wait = -1;
    if (deadline) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*deadline - Clock::now());
      if (left.count() <= 0) return false;
      wait = static_cast<int>(left.count()) + 1;
    }
    const int count = ::poll(ready.data(), ready.size(), wait);
    if (count < 0 && errno != EINTR) return true;  // the write tells what is wrong
    if (count > 0 && ready[0].revents != 0) return true;
    if (count > 0 && ready[1].revents != 0) deadline = Clock::now() + kPatience;
  }
}

}  // namespace ecmp
