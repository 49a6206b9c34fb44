#include "trace/stop_signals.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace ecmp {

namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

// A signal handler has no other way to what it acts upon.
std::atomic<int> signal_descriptor = -1;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
std::atomic<bool> signal_came = false;    // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void on_signal(int) {
  const int error = errno;
  signal_came.store(true);
  const std::uint64_t once = 1;
  (void)!::write(signal_descriptor.load(), &once, sizeof once);
  errno = error;
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

StopSignals::StopSignals() {
  const int opened = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (opened < 0) throw std::system_error(errno, std::generic_category(), "cannot open an eventfd");
  signal_came.store(false);
  signal_descriptor.store(opened);
  for (const int signal : kSignals) {
    struct sigaction before{};
    ::sigaction(signal, nullptr, &before);
    // Whoever started us with nohup wants to be rid of the terminal, not of us.
    if (signal != SIGHUP || before.sa_handler != SIG_IGN) handle(signal, on_signal);
  }
  handle(SIGPIPE, SIG_IGN);
}

StopSignals::~StopSignals() {
  for (const int signal : kSignals)
    handle(signal, SIG_DFL);
  handle(SIGPIPE, SIG_DFL);
  ::close(signal_descriptor.exchange(-1));
}

int StopSignals::descriptor() const {
  return signal_descriptor.load();
}

bool StopSignals::came() const {
  return signal_came.load();
}

}  // namespace ecmp
