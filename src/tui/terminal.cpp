#include "tui/terminal.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <langinfo.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <utility>

#include "tui/text.hpp"

namespace ecmp::tui {
namespace {

// Crashes leave the terminal unusable unless it is given back, and then this is all there is to do it with.
constexpr std::array kCrashes = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
// These end a program that does not handle them.
constexpr std::array kEnds = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr std::array kTells = {SIGWINCH, SIGCONT};
constexpr std::size_t kSignals = 65;

// A signal handler has no other way to what it acts upon.
struct Shared {
  std::atomic<bool> taken = false;
  std::atomic<bool> continued = false;  ///< after a stop: whoever ran meanwhile has set the terminal as it likes it
  int terminal = -1;
  int told = -1;  ///< an eventfd
  termios before{};
  std::array<struct sigaction, kSignals> previous{};
  std::array<bool, kSignals> replaced{};
};
Shared shared;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

/// Everything here may be called from a signal handler.
void give_back() {
  if (!shared.taken.exchange(false)) return;
  std::string_view rest = ScreenWriter::leave();
  for (int tries = 0; !rest.empty() && tries < 10; ++tries) {
    const ssize_t written = ::write(shared.terminal, rest.data(), rest.size());
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd room = {shared.terminal, POLLOUT, 0};
      ::poll(&room, 1, 50);
    } else if (errno != EINTR) {
      break;
    }
  }
  ::tcsetattr(shared.terminal, TCSANOW, &shared.before);
}

void on_end(int signal) {
  give_back();
  // What happens then is not ours: the handler that was there before, a core dump, or simply the end.
  ::sigaction(signal, &shared.previous[static_cast<std::size_t>(signal)], nullptr);
  ::raise(signal);
}

void on_tell(int signal) {
  const int error = errno;
  if (signal == SIGCONT) shared.continued = true;
  const std::uint64_t once = 1;
  (void)!::write(shared.told, &once, sizeof once);
  errno = error;
}

void replace(int signal, void (*handler)(int), int flags) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = flags;
  const auto place = static_cast<std::size_t>(signal);
  shared.replaced[place] = ::sigaction(signal, &action, &shared.previous[place]) == 0;
}

bool is_default(int signal) {
  struct sigaction now{};
  return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_DFL;
}

void replace_signals() {
  for (const int signal : kCrashes)
    replace(signal, on_end, SA_ONSTACK);
  for (const int signal : kEnds)
    if (is_default(signal)) replace(signal, on_end, SA_ONSTACK);
  for (const int signal : kTells)
    replace(signal, on_tell, SA_RESTART);
}

void restore_signals() {
  for (std::size_t signal = 0; signal < kSignals; ++signal) {
    if (std::exchange(shared.replaced[signal], false))
      ::sigaction(static_cast<int>(signal), &shared.previous[signal], nullptr);
  }
}

/// An open file of our own: what we set on standard output (not to block) would be set for every program that shares
/// it, and stay so after we are gone.
int open_own(int descriptor) {
  std::array<char, 256> name{};
  constexpr int kFlags = O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
  if (::ttyname_r(descriptor, name.data(), name.size()) == 0) {
    const int opened = ::open(name.data(), kFlags);
    if (opened >= 0) return opened;
  }
  return ::open("/dev/tty", kFlags);
}

bool is(const char* value, std::string_view text) {
  return value != nullptr && value == text;
}

}  // namespace

ColourDepth colour_depth(const TerminalEnvironment& environment) {
  // https://no-color.org: set and not empty.
  if (environment.no_color != nullptr && *environment.no_color != 0) return ColourDepth::none;
  const std::string_view term = environment.term == nullptr ? "" : environment.term;
  if (is(environment.colorterm, "truecolor") || is(environment.colorterm, "24bit") || term.ends_with("-direct"))
    return ColourDepth::truecolour;
  if (contains(term, "256color")) return ColourDepth::palette;
  if (term.empty() || term == "dumb" || term.starts_with("vt")) return ColourDepth::none;
  return ColourDepth::sixteen;
}

Charset charset_of_locale() {
  if (const locale_t locale = ::newlocale(LC_CTYPE_MASK, "", nullptr); locale != nullptr) {
    const bool utf8 = std::string_view(::nl_langinfo_l(CODESET, locale)) == "UTF-8";
    ::freelocale(locale);
    return utf8 ? Charset::unicode : Charset::ascii;
  }
  // The locale is not installed, but its name says what the terminal understands.
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* const value = std::getenv(variable);
    if (value == nullptr || *value == 0) continue;
    return contains(value, "utf-8") || contains(value, "utf8") ? Charset::unicode : Charset::ascii;
  }
  return Charset::ascii;
}

Result<std::unique_ptr<Terminal>> Terminal::open() {
  if (::isatty(STDOUT_FILENO) != 1)
    return Error{"standard output is not a terminal: use --json, --report or --diagram"};
  const char* const term = std::getenv("TERM");
  if (term == nullptr || *term == 0 || is(term, "dumb"))
    return Error{"this terminal cannot show the live view (see TERM): use --json, --report or --diagram"};
  if (shared.taken) return Error{"the terminal is in use already"};
  std::unique_ptr<Terminal> terminal(new Terminal());
  const auto taken = terminal->take_over();
  if (!taken.ok()) return Error{taken.error()};
  return terminal;
}

Result<bool> Terminal::take_over() {
  shared.terminal = open_own(STDOUT_FILENO);
  if (shared.terminal < 0) return Error{fmt::format("cannot open the terminal: {}", std::strerror(errno))};
  shared.told = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (shared.told < 0 || ::tcgetattr(shared.terminal, &shared.before) != 0)
    return Error{fmt::format("cannot use the terminal: {}", std::strerror(errno))};
  // A stack that ran over cannot carry the handler that gives the terminal back.
  stack_t present{};
  if (::sigaltstack(nullptr, &present) == 0 && (present.ss_flags & SS_DISABLE) != 0) {
    const auto size = static_cast<std::size_t>(SIGSTKSZ);
    signal_stack_ = std::make_unique<char[]>(size);  // NOLINT(*-avoid-c-arrays)
    stack_t stack{};
    stack.ss_sp = signal_stack_.get();
    stack.ss_size = size;
    ::sigaltstack(&stack, nullptr);
  }
  [[maybe_unused]] static const bool once = std::atexit(give_back) == 0;
  replace_signals();
  enter();
  return true;
}

Terminal::~Terminal() {
  give_back();
  restore_signals();
  if (signal_stack_ != nullptr) {
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
  }
  for (int* descriptor : {&shared.terminal, &shared.told}) {
    if (*descriptor >= 0) ::close(*descriptor);
    *descriptor = -1;
  }
}

void Terminal::enter() {
  termios raw = shared.before;
  // Keys one by one and unseen. Ctrl-C stays a signal: it ends every program. Ctrl-Z comes as a key, since the terminal
  // must be given back first.
  raw.c_iflag &= ~static_cast<tcflag_t>(ICRNL | INLCR | IGNCR | ISTRIP);
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ECHONL | IEXTEN);
  raw.c_lflag |= ISIG;
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  raw.c_cc[VSUSP] = _POSIX_VDISABLE;
  shared.taken = true;
  ::tcsetattr(shared.terminal, TCSANOW, &raw);
  pending_.clear();
  send(ScreenWriter::enter());
}

Terminal::Size Terminal::size() const {
  winsize found{};
  if (::ioctl(shared.terminal, TIOCGWINSZ, &found) != 0 || found.ws_row == 0 || found.ws_col == 0) return {};
  return {found.ws_row, found.ws_col};
}

int Terminal::descriptor() const {
  return shared.terminal;
}

int Terminal::signal_descriptor() const {
  return shared.told;
}

bool Terminal::took_signal() {
  std::uint64_t count = 0;
  if (::read(shared.told, &count, sizeof count) != sizeof count) return false;
  if (shared.continued.exchange(false)) enter();
  return true;
}

std::string Terminal::read() {
  std::array<char, 1024> bytes{};
  const ssize_t count = ::read(shared.terminal, bytes.data(), bytes.size());
  if (count > 0) return {bytes.data(), static_cast<std::size_t>(count)};
  // Without bytes a terminal in this mode gives 0 or EAGAIN; one that was hung up gives EIO, and 0 ever after.
  if (count < 0 && errno != EAGAIN && errno != EINTR) gone_ = true;
  if (count == 0) {
    pollfd state = {shared.terminal, POLLIN, 0};
    if (::poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0) gone_ = true;
  }
  return {};
}

void Terminal::send(std::string_view bytes) {
  pending_.append(bytes);
  flush();
}

bool Terminal::flush() {
  while (!pending_.empty()) {
    const ssize_t written = ::write(shared.terminal, pending_.data(), pending_.size());
    if (written > 0) {
      pending_.erase(0, static_cast<std::size_t>(written));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) gone_ = true;
    return false;
  }
  return true;
}

void Terminal::suspend() {
  give_back();
  // The whole job, as the terminal itself would for Ctrl-Z: a pipeline stops together.
  ::kill(0, SIGTSTP);
  enter();
}

}  // namespace ecmp::tui
